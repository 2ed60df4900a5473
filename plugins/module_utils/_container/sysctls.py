# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings of a container: checked on the host, and set by its first process in its own namespaces."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from .._errors import EffectFailed, InvalidInput
from .._kernel import syscalls
from .spec.sysctls import sysctl_path

# Directories of one interface: the host need not have an interface of that name.
_OF_INTERFACE = re.compile(r"(net/ipv[46]/(?:conf|neigh))/[^/]+/")


def check_sysctls(sysctls: Iterable[tuple[str, str]]) -> None:
    """Raise InvalidInput if the kernel of this host does not know one of the settings."""
    for name, _value in sysctls:
        path = _OF_INTERFACE.sub(r"\1/default/", sysctl_path(name))
        if not os.path.isfile(f"/proc/sys/{path}"):
            raise InvalidInput(
                f"sysctls: this kernel has no setting {name}", "correct the name, or load the module that has it"
            )


class SysctlWriter:
    """Sets the kernel settings of a container while its first process enters its namespaces.

    Those of the network are set by that process. Those of the IPC namespace are set by a child that is still root of
    the host, as kernels before 6.9 require, or `root_id`, the root inside, as later ones do (ipc_permissions).
    """

    def __init__(self, sysctls: Iterable[tuple[str, str]], root_id: int) -> None:
        self._root_id = root_id
        self._of_network = [pair for pair in sysctls if sysctl_path(pair[0]).startswith("net/")]
        self._of_ipc = [pair for pair in sysctls if pair not in self._of_network]
        self._child: tuple[int, int, int] | None = None

    def enter_network(self) -> None:
        """Set those of the network, in whose namespace the caller is. Start the child. Raises EffectFailed."""
        if not self._of_network and not self._of_ipc:
            return
        directory = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _write(directory, self._of_network)
            if self._of_ipc:
                self._child = self._fork(directory)
        finally:
            os.close(directory)

    def enter_ipc(self) -> None:
        """Have those of the caller's IPC namespace set. Raises EffectFailed."""
        if self._child is None:
            return
        child, go, errors = self._child
        os.close(go)
        with open(errors, encoding="utf-8") as file:
            text = file.read()
        os.waitpid(child, 0)
        if text:
            raise EffectFailed(*text.split("\n", 1))

    def _fork(self, directory: int) -> tuple[int, int, int]:
        waiting, go = os.pipe()
        errors, report = os.pipe()
        parent = os.pidfd_open(os.getpid())
        child = os.fork()
        if child:
            for fd in (waiting, report, parent):
                os.close(fd)
            return child, go, errors
        try:
            os.close(go)
            # The parent closes its end when it is in its IPC namespace.
            os.read(waiting, 1)
            syscalls.setns(parent, syscalls.CLONE_NEWIPC)
            try:
                _write(directory, self._of_ipc)
            except EffectFailed:
                with syscalls.effective_user(self._root_id):
                    _write(directory, self._of_ipc)
        except EffectFailed as error:
            os.write(report, f"{error.message}\n{error.hint}".encode())
        except OSError as error:
            os.write(report, f"sysctls: {error.strerror}\nreport it".encode())
        finally:
            os._exit(0)


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
