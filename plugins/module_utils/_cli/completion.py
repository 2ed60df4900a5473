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
BASH = """\
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
            --stack | --name | --format | --timeout) ((i++)) ;;
            -*) ;;
            *) if [[ $verb ]]; then ((count++)); else verb=$word; fi ;;
        esac
    done
    # The value of an option. Bash splits --stack=NAME into three words.
    [[ $previous == '=' ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    case $previous in
        --stack | --name) verb=value names=$("${COMP_WORDS[0]}" completion stacks 2>/dev/null) ;;
        --format) verb=value names='mermaid dot svg' ;;
        *) ((i == COMP_CWORD)) || return ;;
    esac
    case $verb in
        '') options='--json --help'
            names='build images rmi run ps up down stop start exec logs addnetwork peer info graph'
            names+=' reconcile boot shutdown completion' ;;
        images | info | completion) options='--json --help' ;;
        ps) options='--stack --json --help' ;;
        build | down | start | peer | reconcile) options='--check --diff --json --help' ;;
        up) options='--name --prune --restart --recreate --check --diff --json --help' ;;
        graph) options='--format --json --help' ;;
        rmi) options='--force --check --diff --json --help' ;;
        boot | shutdown) options='--timeout --json --help' ;;
        run) options='--detach --check --diff --json --help' ;;
        stop) options='--keep --force --check --diff --json --help' ;;
        exec) options='--user --env --workdir --check --json --help' ;;
        logs) options='--follow --json --help' ;;
        addnetwork) options='--internet --expose --check --diff --json --help' ;;
    esac
    case $verb:$count in
        rmi:0 | run:0) names=$("${COMP_WORDS[0]}" completion images 2>/dev/null) ;;
        stop:0 | start:0 | exec:0 | logs:0 | addnetwork:0 | info:0 | peer:[01])
            names=$("${COMP_WORDS[0]}" completion containers 2>/dev/null) ;;
        down:0) names=$("${COMP_WORDS[0]}" completion stacks 2>/dev/null) ;;
        up:0) compopt -o default ;;
        completion:0) names='bash images containers stacks' ;;
    esac
    [[ $current == -* ]] && names=$options
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}
complete -F _conductor conductor
"""


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
