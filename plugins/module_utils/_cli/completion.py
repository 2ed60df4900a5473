# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of `conductor` in shells: they ask the program for the words that can follow."""

from __future__ import annotations

import contextlib

from .._container import store
from .._engine.container_records import container_names
from .._engine.names import STACK_LABEL, parse_name
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError
from .._image.store import image_names

# Identifies the completion file of every release.
MARK = b"host command of the Ansible collection conductor.containers"
# Stands for the names of files, which the shell completes.
FILES = "@files"
_ABOUT = "Completion for the host command of the Ansible collection conductor.containers."
_BASH = f"""\
# {_ABOUT}
_conductor() {{
    local found
    mapfile -t found < <("${{COMP_WORDS[0]}}" completion words -- "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null)
    COMPREPLY=("${{found[@]}}")
    if [[ ${{found[0]}} == {FILES} ]]; then
        COMPREPLY=()
        compopt -o default
    elif [[ ${{found[0]}} == *: ]]; then
        compopt -o default -o nospace
    fi
}}
complete -F _conductor conductor
"""
_ZSH = f"""\
#compdef conductor
# {_ABOUT}
_conductor() {{
    local -a found
    found=("${{(@f)$($words[1] completion words -- "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    if [[ $found[1] == {FILES} ]]; then
        _files
    elif [[ $found[1] == *: ]]; then
        compadd -S '' -- $found
    elif [[ -n $found[1] ]]; then
        compadd -- $found
    fi
}}
compdef _conductor conductor
"""
_FISH = f"""\
# {_ABOUT}
function __conductor_words
    set -l found (conductor completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found[1]" = {FILES}
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c conductor -f -a '(__conductor_words)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

# Arguments of verbs: images, containers, stacks, files, and paths of cp.
_ARGUMENTS = {
    **dict.fromkeys(("run", "create", "rmi", "image rm", "image tag"), ("images",)),
    "image export": ("images", "files"),
    "image import": ("files",),
    **dict.fromkeys(("start", "stop", "restart", "kill", "rm", "inspect", "stats", "network rm"), ("containers",)),
    **dict.fromkeys(("exec", "logs", "port", "top", "rename", "addnetwork", "info", "network add"), ("containers",)),
    **dict.fromkeys(("peer", "peer add", "peer rm"), ("containers", "containers")),
    "cp": ("paths", "paths"),
    "down": ("stacks",),
    "up": ("files",),
}
# Values of options: kinds of names, or the usual ones.
_KINDS = {"--stack": "stacks", "--name": "stacks", "--volume": "files", "-v": "files"}
_SIGNALS = ["HUP", "INT", "KILL", "TERM", "USR1", "USR2"]
_USUAL = {
    "--restart": ["no", "on-failure", "always", "unless-stopped"],
    **dict.fromkeys(("-s", "--signal"), _SIGNALS),
}


def script(shell: str) -> str:
    """Return the completion file for `shell`."""
    return _SCRIPTS[shell]


def candidates(words: list[str]) -> list[str]:
    """Return what the last of `words`, which follow the name of the program, can be; [FILES] for names of files."""
    words, prefix = _joined(words)
    found = _of_last(words)
    if found == [FILES]:
        return found
    return [prefix + word for word in found if word.startswith(words[-1])]


def names(kind: str) -> list[str]:
    """Return the names of all `images`, `containers` or `stacks`, [] if the caller may not read them."""
    with contextlib.suppress(ConductorError, OSError):
        settings = Settings.load({})
        if kind == "stacks":
            return _stack_names(settings.container_dir)
        return image_names(settings.image_dir) if kind == "images" else container_names(settings.container_dir)
    return []


def _joined(words: list[str]) -> tuple[list[str], str]:
    """Return `words` with option and value as two words, and the text that the shell expects before a completion.

    Bash splits --stack=NAME into three words, other shells do not. A colon is part of the word, also for bash.
    """
    done: list[str] = []
    for word in words:
        if ":" in (word, done[-1][-1:] if done else ""):
            done[-1:] = ["".join([*done[-1:], word])]
        elif word != "=":
            done.append(word)
    if words[-1] == "=":
        done.append("")
    option, equals, value = done[-1].partition("=")
    if equals and option.startswith("--"):
        return [*done[:-1], option, value], f"{option}="
    return done, ""


def _of_last(words: list[str]) -> list[str]:
    from .parser import make_parser

    verbs = make_parser()[1]
    *before, last = words
    if "--" in before:
        return [FILES]
    given = [word for word in before if not word.startswith("-")]
    if not given:
        first = dict.fromkeys(name.partition(" ")[0] for name in verbs)
        return ["--json", "--version", "--help"] if last.startswith("-") else list(first)
    second = [name.partition(" ")[2] for name in verbs if name.startswith(f"{given[0]} ")]
    verb = " ".join(given[:2]) if given[1:2] and given[1] in second else given[0]
    if verb not in verbs:
        return second if given[1:] == [] else []
    parser = verbs[verb]
    if before[-1].startswith("-") and parser.takes_value(before[-1]):
        return _values(before[-1], parser.choices_of(before[-1]))
    if last.startswith("-"):
        return [option for option in parser.option_strings() if option.startswith("--")]
    count = len(parser.arguments_in(before)) - len(verb.split())
    found = _arguments(verb, count, parser.takes_several_names())
    return [*found, *second] if count == 0 and verb == given[0] and found != [FILES] else found


def _values(option: str, choices: list[str]) -> list[str]:
    return choices or _USUAL.get(option) or (_named(_KINDS[option]) if option in _KINDS else [])


def _arguments(verb: str, count: int, several: bool) -> list[str]:
    if verb == "completion":
        return [*_SCRIPTS, "images", "containers", "stacks"] if count == 0 else []
    kinds = _ARGUMENTS.get(verb, ())
    if count >= len(kinds) and not several:
        return []
    return _named(kinds[min(count, len(kinds) - 1)])


def _named(kind: str) -> list[str]:
    if kind == "files":
        return [FILES]
    if kind == "paths":
        return [f"{name}:" for name in names("containers")]
    return names(kind)


def _stack_names(container_dir: str) -> list[str]:
    """Return the names of the stacks of all containers that are not damaged.

    Only valid names: any label can be set by hand.
    """
    found = set()
    for name in container_names(container_dir):
        with contextlib.suppress(ConductorError):
            spec = store.read_spec(ContainerPaths.of(container_dir, name))
            stack = dict(spec.labels).get(STACK_LABEL) if spec is not None else None
            found.add(parse_name(stack, STACK_LABEL))
    return sorted(found)
