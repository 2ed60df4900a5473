# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bash completion of `conductor`."""

from __future__ import annotations

import contextlib

from .._engine.container_records import container_names
from .._engine.settings import Settings
from .._errors import ConductorError
from .._image.store import image_names

# Identifies the completion file of every release.
MARK = b"host command of the Ansible collection conductor.containers"
BASH = """\
# Completion of bash for the host command of the Ansible collection conductor.containers.
_conductor() {
    local current=${COMP_WORDS[COMP_CWORD]} word verb='' names='' options='' count=0 i
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
    # The value of an option.
    ((i == COMP_CWORD)) || return
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
        up:0) compopt -o default ;;
        completion:0) names='bash images containers' ;;
    esac
    [[ $current == -* ]] && names=$options
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}
complete -F _conductor conductor
"""


def names(what: str) -> list[str]:
    """Return the names of all `images` or `containers`, [] if the caller may not read them."""
    with contextlib.suppress(ConductorError, OSError):
        settings = Settings.load({})
        return image_names(settings.image_dir) if what == "images" else container_names(settings.container_dir)
    return []
