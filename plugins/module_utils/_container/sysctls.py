# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings of a container: checked on the host, and set in the container's namespaces."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from .._errors import EffectFailed, InvalidInput
from .._kernel import syscalls
from .spec.sysctls import sysctl_path

# Directories of one interface: the host need not have an interface of that name.
_OF_INTERFACE = re.compile(r"(net/ipv[46]/(?:conf|neigh))/[^/]+/")

# The last group that the kernel takes in ping_group_range (icmp(7)).
_LAST_GROUP = (1 << 31) - 1


def check_sysctls(sysctls: Iterable[tuple[str, str]]) -> None:
    """Raise InvalidInput if the kernel of this host does not know one of the settings."""
    for name, _value in sysctls:
        path = _OF_INTERFACE.sub(r"\1/default/", sysctl_path(name))
        if not os.path.isfile(f"/proc/sys/{path}"):
            raise InvalidInput(
                f"sysctls: this kernel has no setting {name}", "correct the name, or load the module that has it"
            )


def write_network_sysctls(directory: int, sysctls: Iterable[tuple[str, str]], last_id: int) -> None:
    """Set those of the caller's network namespace, after docker's defaults: users may ping and use all ports.

    `directory` is /proc/sys. The caller is in the container's user namespace, with ids up to `last_id`, by which the
    kernel reads ids in values. Raises EffectFailed.
    """
    values = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": f"0 {min(last_id, _LAST_GROUP)}"}
    _write(directory, {**values, **dict(_of_network(sysctls))}.items())


def write_ipc_sysctls(directory: int, sysctls: Iterable[tuple[str, str]], root_id: int) -> None:
    """Set those of the caller's IPC namespace. The caller is root of the host, and `directory` is /proc/sys.

    They are set by root of the host, as kernels before 6.9 require, or by `root_id`, the root inside, as later ones do
    (ipc_permissions()). Raises EffectFailed.
    """
    of_ipc = ipc_sysctls(sysctls)
    try:
        _write(directory, of_ipc)
    except EffectFailed:
        with syscalls.effective_user(root_id):
            _write(directory, of_ipc)


def ipc_sysctls(sysctls: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of an IPC namespace."""
    return [pair for pair in sysctls if not sysctl_path(pair[0]).startswith("net/")]


def _of_network(sysctls: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in sysctls if sysctl_path(pair[0]).startswith("net/")]


def _write(directory: int, sysctls: Iterable[tuple[str, str]]) -> None:
    """Set kernel settings below `directory`, that is in the namespaces of the caller. Raises EffectFailed.

    Settings that exist once for the whole host are read-only in other network namespaces than the first
    (ensure_safe_net_sysctl), and the spec has no others.
    """
    for name, value in sysctls:
        try:
            fd = os.open(sysctl_path(name), os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise EffectFailed(
                f"sysctls: {name} cannot be {value}: {error.strerror}", "correct it in the option sysctls"
            ) from None
