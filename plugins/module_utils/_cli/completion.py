# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bash completion of `conductor`."""

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
_BASH = """\
# Completion of bash for the host command of the Ansible collection conductor.containers.
_conductor() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local word verb='' names='' options='' count=0 i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --) compopt -o default; return ;;
            -u | --user | -e | --env | --expose | -w | --workdir | =) ((i++)) ;;
            -v | --volume | -p | --publish | -m | --memory | -s | --signal | --tail) ((i++)) ;;
            --restart) [[ $verb == up ]] || ((i++)) ;;
            --stack | --name | --format | --timeout | --suite | --package) ((i++)) ;;
            -*) ;;
            *) case $verb:$word in
                :*) verb=$word ;;
                network:add | network:rm | peer:add | peer:rm | image:*) verb="$verb $word" ;;
                *) ((count++)) ;;
            esac ;;
        esac
    done
    # The value of an option. Bash splits --stack=NAME into three words.
    [[ $previous == '=' ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    case $verb:$previous in
        up:--restart) ;;
        *:--stack | *:--name) verb=value names=$("${COMP_WORDS[0]}" completion stacks 2>/dev/null) ;;
        graph:--format) verb=value names='mermaid dot svg' ;;
        *:--restart) verb=value names='no on-failure always unless-stopped' ;;
        *:--signal | *:-s) verb=value names='HUP INT KILL TERM USR1 USR2' ;;
        *) ((i == COMP_CWORD)) || return ;;
    esac
    case $verb in
        '') options='--json --version --help'
            names='@VERBS@' ;;
@OPTIONS@
    esac
    case $verb:$count in
        rmi:0 | run:0 | create:0 | 'image rm':0 | 'image export':0 | 'image tag':0)
            names=$("${COMP_WORDS[0]}" completion images 2>/dev/null) ;;
        start:* | stop:* | restart:* | kill:* | rm:* | inspect:* | cp:[01] | peer:[01] | 'peer add':[01] | \\
        'peer rm':[01] | exec:0 | logs:0 | port:0 | top:0 | addnetwork:0 | info:0 | 'network add':0 | 'network rm':0)
            names=$("${COMP_WORDS[0]}" completion containers 2>/dev/null) ;;&
        peer:0) names+=' add rm' ;;
        cp:[01]) compopt -o default -o nospace; names=$(printf '%s: ' $names) ;;
        network:0) names='add rm' ;;
        image:0) names='build export import ls rm tag' ;;
        'image import':0 | 'image export':1) compopt -o default ;;
        down:0) names=$("${COMP_WORDS[0]}" completion stacks 2>/dev/null) ;;
        up:0) compopt -o default ;;
        completion:0) names='bash images containers stacks' ;;
    esac
    [[ $current == -* ]] && names=$options
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}
complete -F _conductor conductor
"""


def bash() -> str:
    """Return the completion file, with the verbs and options of the parser."""
    from .parser import make_parser

    verbs = make_parser()[1]
    options = [
        f"        '{name}') options='{' '.join(o for o in verb.option_strings() if o.startswith('--'))}' ;;"
        for name, verb in verbs.items()
    ]
    words = dict.fromkeys(name.partition(" ")[0] for name in verbs)
    return _BASH.replace("@VERBS@", " ".join(words)).replace("@OPTIONS@", "\n".join(options))


def names(what: str) -> list[str]:
    """Return the names of all `images`, `containers` or `stacks`, [] if the caller may not read them."""
    with contextlib.suppress(ConductorError, OSError):
        settings = Settings.load({})
        if what == "stacks":
            return _stack_names(settings.container_dir)
        return image_names(settings.image_dir) if what == "images" else container_names(settings.container_dir)
    return []


def _stack_names(container_dir: str) -> list[str]:
    """Return the names of the stacks of all containers that are not damaged.

    Only valid names: any label can be set by hand, and compgen expands its words as the shell does.
    """
    found = set()
    for name in container_names(container_dir):
        with contextlib.suppress(ConductorError):
            spec = store.read_spec(ContainerPaths.of(container_dir, name))
            stack = dict(spec.labels).get(STACK_LABEL) if spec is not None else None
            found.add(parse_name(stack, STACK_LABEL))
    return sorted(found)
