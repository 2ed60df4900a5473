# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings of a container (sysctl(8)): those that belong to its network and IPC namespaces. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..._errors import InvalidInput

# As docker run --sysctl allows; see ipc_namespaces(7) and network_namespaces(7).
_IPC = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_NAME = re.compile(r"[a-z0-9_]+([./][A-Za-z0-9_:@-]+)+")
_LONGEST = 4095


def parse_sysctls(value: Mapping[object, object], option: str) -> tuple[tuple[str, str], ...]:
    """Return names with dots and values, sorted by name. Raises InvalidInput."""
    found = {}
    for name, content in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{option}: {name!r} is not the name of a kernel setting", "use the form net.core.somaxconn"
            )
        if not name.startswith(("net.", "net/", "fs.mqueue.", "fs/mqueue/")) and name.replace("/", ".") not in _IPC:
            raise InvalidInput(
                f"{option}: {name} belongs to the whole host",
                "set it on the host, for example with ansible.posix.sysctl",
            )
        if isinstance(content, bool) or not isinstance(content, (str, int)):
            raise InvalidInput(f"{option}: the value of {name} is neither a string nor a number", "quote it")
        text = str(content)
        if not text or len(text) > _LONGEST or not text.isprintable():
            raise InvalidInput(f"{option}: the value of {name} is empty, too long or not printable", "correct it")
        found[name] = text
    return tuple(sorted(found.items()))


def sysctl_path(name: str) -> str:
    """Return the path below /proc/sys. A name with slashes may contain dots, like that of a VLAN (sysctl(8))."""
    return name if "/" in name else name.replace(".", "/")
