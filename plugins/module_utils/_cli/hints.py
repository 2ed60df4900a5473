# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints of errors and warnings in the words of the host command. Modules give them as options."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from .._errors import ConductorError

_START, _REMOVE = "run conductor start {}", "run conductor rm --force {}"
_OTHER_IMAGE = (
    "build it under another name and set that as their image with {}, which keeps only mounts, network and peers, or "
)
_RECREATE = _OTHER_IMAGE.format("recreate: true")
# Words of a module, and the command; {} is the name of the container or image that the hint is about.
_WORDS = {
    "create {} with conductor_container": "run conductor run IMAGE {}",
    "start {} with conductor_container state=started": _START,
    "start {} with conductor_container": _START,
    "start it with state=started": "start it with conductor start",
    "restart {} with state=restarted": "run conductor restart {}",
    "remove the container with state=absent and force=true": "remove the container with conductor rm --force",
    "remove {} with state=absent and force=true": _REMOVE,
    "stop {} first (conductor_container state=stopped)": "run conductor stop --keep {} first",
    "set restart: true and state: started to restart {}, or stop it first": "run conductor stop --keep {} first",
    "set recreate: true to create {} anew": f"{_REMOVE} first",
    "create a network for {} with conductor_network first": "run conductor network add {} first",
    "run conductor_network for {} again": "run conductor network add {} again",
    "build {} with conductor_image, or correct image": "run conductor build {}, or correct the name",
    "build {} with conductor_image": "run conductor build {}",
    "use conductor_exec to read or write it": "use conductor exec to read or write it",
    "remove that container or image with force: true, or repair it": "remove it with --force, or repair it",
    f"{_RECREATE}remove these containers": "remove these containers",
    "these containers first (conductor_container state=absent)": "these containers first",
    "these images first (conductor_image state=absent)": "these images first",
    "set force: true to rebuild or remove image {}": "run conductor rmi --force {}",
    "set force: true to remove image {}": "run conductor rmi --force {}",
    "set force: true with state=present to rebuild {}": "run conductor rmi {} and build it again",
    "set force: true to replace that file": "use --force to replace that file",
    "set idmap: false for ": "append :noidmap to the volume ",
    "conductor_image did not create it": "conductor did not create it",
    # No verb has an option for it.
    ", or set autostart=false": "",
}

# The verb up has options for these, and its file has those of mounts.
_WORDS_OF_UP = {
    **{words: command for words, command in _WORDS.items() if not words.startswith("set idmap")},
    "set restart: true and state: started to restart {}, or stop it first": "use --restart to restart it",
    "set recreate: true to create {} anew": "use --recreate to create it anew",
    f"{_RECREATE}remove these containers": f"{_OTHER_IMAGE.format('--recreate')}remove these containers",
    "set prune: true to remove them": "use --prune to remove them",
    "with conductor_peer, in a task after this one": "with conductor peer afterwards",
    "list the container in peers of conductor_peer, in a task after this one": "use conductor peer afterwards",
    "run it in a task of conductor_exec": "run it with conductor exec",
    "with conductor_copy": "with conductor cp",
    "conductor_container has no such option yet": "containers have no such option yet",
    "set pool4 and pool6 of conductor_network in defaults": "set pool4 and pool6 in /etc/conductor/conductor.json",
}

_NAME = r"(\w(?:[\w.-]*\w)?)"


def use_own_words(error: ConductorError, verb: str) -> None:
    """Replace options of modules in `error` by commands. Its message may have hints of other errors."""
    error.message = in_own_words(error.message, verb)
    error.hint = in_own_words(error.hint, verb)


def in_own_words(text: str, verb: str = "") -> str:
    """Return `text` with commands, which `verb` may have options for, instead of options of modules."""
    return replace_words(text, _WORDS_OF_UP if verb == "up" else _WORDS)


def replace_words(text: str, commands: Mapping[str, str]) -> str:
    """Return `text` with each key of `commands` replaced by its value, at the begin of a sentence, too."""
    for words, command in commands.items():
        first, rest = words[0], re.escape(words[1:]).replace(r"\{\}", _NAME)
        text = re.sub(f"([{first}{first.upper()}]){rest}", functools.partial(_filled, command), text)
    return text


def _filled(command: str, found: re.Match[str]) -> str:
    text = command.format(*found.groups()[1:])
    return text[0].upper() + text[1:] if found[1].isupper() else text
