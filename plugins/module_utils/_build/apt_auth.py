# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and passwords that this host's apt has for mirrors: in apt_auth.conf(5), and in the URIs of its sources."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from .._kernel.files.atomic_write import read_text
from .apt_parts import apt_parts

# [protocol://]hostname[:port][/path]
_MACHINE = re.compile(r"(?:([^/:]+)://)?([^/:]+)(?::(\d+))?(/\S*)?")


def without_login(uri: str) -> str:
    """Return `uri` without user and password."""
    place = urlsplit(uri)
    # geturl() can change other URIs: file:/srv has no host.
    return place._replace(netloc=place.netloc.rpartition("@")[2]).geturl() if "@" in place.netloc else uri


def auth_conf(uris: Iterable[str], directory: str = "/etc/apt") -> str:
    """Return the text of an auth.conf with the logins in `uris`, which apt prefers, and those of this host."""
    entries = []
    for uri in uris:
        place = urlsplit(uri)
        if place.username is not None:
            # The slash ends the path: an archive next to this one can have another login.
            words = ["machine", f"{without_login(uri)}/", "login", unquote(place.username)]
            entries.append(" ".join([*words, *(["password", unquote(place.password)] if place.password else [])]))
    files = (f"{directory}/auth.conf", *apt_parts(f"{directory}/auth.conf.d", "conf", or_no_suffix=True))
    return "".join(f"{text}\n" for text in [*entries, *map(read_text, files)])


def has_login(text: str, uri: str) -> bool:
    """Return whether the text of an auth.conf has a login for `uri`."""
    place = urlsplit(uri)
    # As text: the port of a host's source can be an impossible one.
    given = re.search(r":([^:\]]*)$", place.netloc.rpartition("@")[2])
    ports = (None, given[1] if given else None)
    # apt knows no comments in it.
    for found in re.finditer(r"(?<!\S)machine\s+(\S+)", text):
        machine = _MACHINE.fullmatch(found[1])
        if machine is None:
            continue
        protocol, host, port, path = machine.groups()
        is_same_host = (protocol or "https", host) == (place.scheme, place.hostname) and port in ports
        if is_same_host and f"{place.path}/".startswith(path or ""):
            return True
    return False
