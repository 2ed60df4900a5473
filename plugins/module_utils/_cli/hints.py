# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints of errors in the words of the host command. Modules give them as options."""

from __future__ import annotations

from .._errors import ConductorError

_START, _REMOVE = "run conductor start {}", "run conductor rm --force {}"
# Words of a module, and the command; {} is the name of the container or image.
_WORDS = {
    "create it with conductor_container": "run conductor run IMAGE {}",
    "start it with conductor_container state=started": _START,
    "start it with state=started": _START,
    "start the container with conductor_container": _START,
    "restart the container with state=restarted": "run conductor restart {}",
    "remove it with state=absent and force=true": _REMOVE,
    "remove the container with state=absent and force=true": _REMOVE,
    "stop it first (conductor_container state=stopped)": "run conductor stop --keep {} first",
    "set restart: true and state: started to restart it, or stop it first": "run conductor stop --keep {} first",
    "set recreate: true to create it anew": f"{_REMOVE} first",
    "create one with conductor_network first": "run conductor network add {} first",
    "run conductor_network for its container again": "run conductor network add for its container again",
    "build it with conductor_image, or correct image": "run conductor build {}, or correct the name",
    "build it with conductor_image": "run conductor build {}",
    "use conductor_exec to read or write it": "use conductor exec to read or write it",
    "remove that container or image with force: true, or repair it": "remove it with --force, or repair it",
    "these containers first (conductor_container state=absent)": "these containers first",
    "these images first (conductor_image state=absent)": "these images first",
    "set force: true to rebuild or remove the image": "run conductor rmi --force {}",
    "set force: true to remove the image": "run conductor rmi --force {}",
    "set force: true with state=present to rebuild it": "run conductor rmi {} and build it again",
    "set idmap: false for ": "append :noidmap to the volume ",
    "conductor_image did not create it": "conductor did not create it",
}


# The verb up has options for these.
_WORDS_OF_UP = {
    **_WORDS,
    "set restart: true and state: started to restart it, or stop it first": "use --restart to restart it",
    "set recreate: true to create it anew": "use --recreate to create it anew",
}


def use_own_words(error: ConductorError, name: str | None, verb: str) -> None:
    """Replace options of modules in the hint of `error` by commands for the container or image `name`."""
    for words, command in (_WORDS_OF_UP if verb == "up" else _WORDS).items():
        if words in error.hint:
            error.hint = error.hint.replace(words, command.format(name or "NAME"))
            return
