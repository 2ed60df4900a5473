# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cgroup, by its path in each hierarchy of the host: version 2, version 1, or both.

Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/*.rst.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import select
import time
from collections.abc import Iterable, Iterator

from .._errors import EffectFailed
from . import syscalls
from .device_bpf import DeviceRule
from .devices_controller import allow_devices

# Hierarchies of version 1 that are joined: those whose limits, rules or counters are used, and that of systemd, by
# which the systemd of the host assigns processes to units.
_V1 = ("memory", "cpu", "cpuacct", "pids", "devices", "name=systemd")
# Joined only by a cgroup that has a set of CPUs.
_V1_CPUSET = "cpuset"
_CONTROLLERS = ("memory", "cpu", "pids")
# Milliseconds within which a new child runs its first instruction unless it is stopped.
_FIRST_INSTRUCTION = 500
# Errors of a cgroup that was removed after it was found (kernfs).
_REMOVED = (errno.ENOENT, errno.ENODEV)
# Processes that are held at a time, far below the usual limit of open files.
_HELD = 256


@functools.lru_cache(maxsize=1)
def _hierarchies(mounts: str) -> tuple[dict[str, str], str | None]:
    """Return the mount points of the controllers of version 1, and that of version 2.

    Read once, since they do not change while a host runs, and a host has mounts for each container.
    """
    v1: dict[str, str] = {}
    v2: str | None = None
    with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if " cgroup" not in line:
                continue
            _, target, kind, options, *_ = line.split(" ")
            if kind == "cgroup2" and v2 is None:
                v2 = target
            elif kind == "cgroup":
                for controller in set(options.split(",")) & {*_V1, _V1_CPUSET}:
                    v1.setdefault(controller, target)
    return v1, v2


class Cgroup:
    """The cgroup `path` (relative, like conductor/web) in every hierarchy of this host."""

    def __init__(self, path: str, mounts: str = "/proc/self/mounts") -> None:
        self.path = path
        v1, v2 = _hierarchies(mounts)
        self._v1 = {controller: os.path.join(target, path) for controller, target in v1.items()}
        # Directory in the hierarchy of CPU sets of version 1, which exists only if the cgroup has a set.
        self.cpuset_directory = self._v1.pop(_V1_CPUSET, None)
        self._v2 = os.path.join(v2, path) if v2 is not None else None

    @property
    def directories(self) -> list[str]:
        """Directories of this cgroup in all hierarchies, each once (cpu and cpuacct may share a hierarchy)."""
        return [*self._v1_directories(), *([self._v2] if self._v2 else [])]

    def _v1_directories(self) -> list[str]:
        cpuset = self.cpuset_directory
        return list(dict.fromkeys([*self._v1.values(), *([cpuset] if cpuset and os.path.isdir(cpuset) else [])]))

    def exists(self) -> bool:
        return any(os.path.isdir(directory) for directory in self.directories)

    def create(self) -> None:
        """Create the directories, and enable the controllers for them in version 2."""
        for directory in self.directories:
            os.makedirs(directory, exist_ok=True)
        self.enable_controllers(*_CONTROLLERS)

    def enable_controllers(self, *controllers: str) -> None:
        """Enable those of `controllers` that version 2 has for this cgroup. Raises OSError."""
        if self._v2 is None:
            return
        for parent in (self._v2[: -len(self.path) - 1], os.path.dirname(self._v2)):
            for controller in set(read_control_file(os.path.join(parent, "cgroup.controllers")).split()) & set(
                controllers
            ):
                # If the root cgroup may not be divided, the host has no limits; set_limits reports a requested one.
                try:
                    write_control_file(os.path.join(parent, "cgroup.subtree_control"), f"+{controller}")
                except OSError as error:
                    if error.errno not in (errno.EBUSY, errno.ENOENT, errno.EINVAL):
                        raise

    def delegate(self, owner: int) -> None:
        """Delegate the cgroup of version 2 to user and group `owner` (cgroup-v2.rst, "Model of Delegation")."""
        if self._v2:
            for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
                os.chown(os.path.join(self._v2, name), owner, owner)
            # Unlimited nesting would use up kernel memory, and paths would become too long to remove it.
            for name, most in (("cgroup.max.depth", "32"), ("cgroup.max.descendants", "4096")):
                write_control_file(os.path.join(self._v2, name), most)

    def allow_devices(self, rules: Iterable[DeviceRule] | None) -> None:
        """Allow the processes inside the devices of `rules`, or with None all that the host may use.

        Raises HostNotCapable.
        """
        allow_devices(self._v1.get("devices"), self._v2, rules)

    def open(self, beside: int | None = None) -> CgroupEntry:
        """Open the cgroup for new children; the entry still works after the caller left the host's mount namespace.

        In version 2 it opens the cgroup of the process `beside` if that is below this one: systemd as the first process
        of a container moves to a cgroup below, and then none may be in this one ("no internal processes",
        cgroup-v2.rst).
        """
        tasks = [os.open(os.path.join(d, "tasks"), os.O_WRONLY | os.O_CLOEXEC) for d in self._v1_directories()]
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        return CgroupEntry(tasks, os.open(self._v2 + self._below(beside), flags) if self._v2 else None)

    def _below(self, pid: int | None) -> str:
        """Return the path of the process's cgroup of version 2 relative to this one (/proc/PID/cgroup, cgroups(7)).

        "" if the process is not below this cgroup.
        """
        if pid is None:
            return ""
        for line in read_control_file(f"/proc/{pid}/cgroup").splitlines():
            if line.startswith(f"0::/{self.path}/"):
                return line[len(f"0::/{self.path}") :]
        return ""

    def join(self) -> None:
        """Move the calling process into the cgroup. This may take 10 ms and more; CgroupEntry is faster."""
        for directory in self.directories:
            write_control_file(os.path.join(directory, "cgroup.procs"), "0")

    def processes(self) -> list[int]:
        """Return the pids of all processes in the cgroup and below it."""
        found: list[int] = []
        for directory, _, files in os.walk(self.directories[0] if self.directories else "/nonexistent"):
            if "cgroup.procs" in files:
                found += _processes_in(directory)
        return found

    def hold(self, pids: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield pid and pidfd of each process of `pids` that is in the cgroup or below it, open until the next one.

        A pid may be another process by now, so the cgroup is read again while the descriptors hold the processes.
        """
        left = list(pids)
        while left:
            batch, left = left[:_HELD], left[_HELD:]
            held: dict[int, int] = {}
            try:
                for pid in batch:
                    with contextlib.suppress(ProcessLookupError):
                        held[pid] = os.pidfd_open(pid)
                members = set(self.processes())
                yield from [(pid, pidfd) for pid, pidfd in held.items() if pid in members]
            finally:
                for pidfd in held.values():
                    os.close(pidfd)

    def kill(self) -> None:
        """Send SIGKILL to all processes in the cgroup and below it at once, even if they are frozen or fork meanwhile.

        Uses cgroup.kill of version 2 (Linux 5.14). Does nothing if the host has no such file.
        """
        if self._v2:
            try:
                write_control_file(os.path.join(self._v2, "cgroup.kill"), "1")
            except OSError as error:
                if error.errno not in _REMOVED:
                    raise

    def control_file(self, controller: str, v1_file: str, v2_file: str) -> tuple[str | None, bool]:
        """Return the path of a file of `controller`, by its name in each version, and whether the host uses version 1.

        The path is None if the host has no hierarchy that could have the controller.
        """
        v1 = self.cpuset_directory if controller == _V1_CPUSET else self._v1.get(controller)
        if v1 is not None:
            return os.path.join(v1, v1_file), True
        return os.path.join(self._v2, v2_file) if self._v2 else None, False

    def oom_file(self) -> str:
        """Return the file that counts the processes here that the OOM killer killed; "" without cgroups of memory."""
        if "memory" in self._v1:
            return os.path.join(self._v1["memory"], "memory.oom_control")
        return os.path.join(self._v2, "memory.events") if self._v2 else ""

    def unreclaimable_memory(self) -> int:
        """Return the bytes in use that the kernel cannot reclaim without swap (memory.stat)."""
        v1 = "memory" in self._v1
        keys = (
            ("total_rss", "total_shmem")
            if v1
            else ("anon", "shmem", "slab_unreclaimable", "kernel_stack", "pagetables")
        )
        try:
            text = read_control_file(os.path.join((self._v1.get("memory") if v1 else self._v2) or "", "memory.stat"))
        except OSError:
            return 0
        values = dict(line.split() for line in text.splitlines())
        return sum(int(values.get(key, 0)) for key in keys)

    def usage(self) -> dict[str, int | None]:
        """Return {memory: bytes, cpu: nanoseconds, pids: processes}; None for a value that the host does not count."""
        return {"memory": self._memory_used(), "cpu": self._cpu_used(), "pids": self._number("pids", "pids.current")}

    def _memory_used(self) -> int | None:
        v1 = "memory.usage_in_bytes" if "memory" in self._v1 else "memory.current"
        return self._number("memory", v1)

    def _cpu_used(self) -> int | None:
        if "cpuacct" in self._v1:
            return self._number("cpuacct", "cpuacct.usage")
        try:
            stat = read_control_file(os.path.join(self._v2 or "", "cpu.stat"))
        except OSError:
            return None
        return next((int(line.split()[1]) * 1000 for line in stat.splitlines() if line.startswith("usage_usec")), None)

    def _number(self, controller: str, file: str) -> int | None:
        directory = self._v1.get(controller) or self._v2
        try:
            return int(read_control_file(os.path.join(directory or "", file)))
        except (OSError, ValueError):
            return None

    def remove(self, timeout: float = 10.0) -> None:
        """Remove the cgroup and all cgroups below it as soon as the last process has left.

        Killed processes leave their cgroup only after the kernel has cleaned them up. Raises EffectFailed after
        `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        for directory in self.directories:
            _remove_below(directory, deadline)
            _remove(directory, deadline)

    def clear(self, timeout: float = 10.0) -> None:
        """Remove all cgroups of version 2 below this one, and disable its controllers for them.

        No process can enter a cgroup that has enabled a controller for others ("No Internal Process Constraint",
        cgroup-v2.rst), and the systemd of a machine leaves them enabled. Raises EffectFailed after `timeout` seconds,
        as `remove`.
        """
        if self._v2 is None:
            return
        _remove_below(self._v2, time.monotonic() + timeout)
        control = os.path.join(self._v2, "cgroup.subtree_control")
        for controller in read_control_file(control).split():
            write_control_file(control, f"-{controller}")


class CgroupEntry:
    """An open cgroup in all hierarchies, into which children are forked without the cost of moving a process.

    A move by cgroup.procs makes the kernel wait for a grace period of RCU, 10 ms and more. In version 2 clone3(2)
    creates the child in the cgroup; in version 1 the child, which has one thread, moves that thread itself by `tasks`,
    for which the kernel needs no such lock (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
    """

    def __init__(self, tasks: list[int], directory: int | None) -> None:
        self._tasks = tasks
        self._directory = directory
        self._must_move = False

    def fork(self, flags: int = 0) -> int:
        """Fork with `flags` of clone3(2): return 0 in the child, which must call `join`, and its pid in the parent.

        Linux kills a new child if cgroup.kill was ever written for only one of two cgroups, the child's and the
        caller's (cgroup_css_set_fork() looks at the caller's, kernel/cgroup/cgroup.c of 6.14). Then a second child is
        forked in the caller's cgroup, and moves.
        """
        pid = self._fork(flags, self._directory)
        if pid is not None:
            return pid
        pid = syscalls.clone3(flags)
        self._must_move = pid == 0
        return pid

    def _fork(self, flags: int, directory: int | None) -> int | None:
        """Fork as `fork` does; None if the child was killed before its first instruction."""
        reader, writer = os.pipe()
        pid = syscalls.clone3(flags, directory)
        if pid == 0:
            os.write(writer, b"b")
        os.close(writer)
        # A child that is frozen or stopped at once writes nothing: the caller, which has a deadline, handles that.
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        has_started = pid == 0 or not poll.poll(_FIRST_INSTRUCTION) or os.read(reader, 1)
        os.close(reader)
        if has_started:
            return pid
        os.waitpid(pid, 0)
        return None

    def join(self) -> None:
        """In the child: join the cgroup in all hierarchies. Raises OSError, which only the child can report."""
        for fd in self._tasks:
            os.write(fd, b"0")
        if self._must_move:
            procs = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._directory)
            os.write(procs, b"0")
            os.close(procs)
        self.close()

    @property
    def descriptors(self) -> list[int]:
        """Descriptors that the entry holds open."""
        return self._tasks if self._directory is None else [*self._tasks, self._directory]

    def close(self) -> None:
        for fd in self.descriptors:
            os.close(fd)


def _processes_in(directory: str) -> list[int]:
    """Return the pids of the processes in one cgroup.

    Processes of a threaded cgroup are those of the next domain above it, whose list has them. That domain is the
    container's cgroup or below it, since a cgroup with processes cannot become threaded (cgroup-v2.rst, "Threads";
    cgroup_enable_threaded(), kernel/cgroup/cgroup.c).
    """
    try:
        return [int(pid) for pid in read_control_file(os.path.join(directory, "cgroup.procs")).split()]
    except OSError as error:
        if error.errno in (*_REMOVED, errno.EOPNOTSUPP):
            return []
        raise


def _remove_below(directory: str, deadline: float) -> None:
    """Remove all cgroups below `directory`, each as soon as its last process has left; see `_remove`."""
    for below, _, _ in sorted(os.walk(directory), reverse=True):
        if below != directory:
            _remove(below, deadline)


def _remove(directory: str, deadline: float) -> None:
    """Remove a cgroup as soon as its last process has left. Raises EffectFailed at `deadline` (time.monotonic())."""
    while not _rmdir(directory):
        if time.monotonic() > deadline:
            raise EffectFailed(f"cgroup {directory} still has processes", "stop them, then run this again")
        time.sleep(0.002)


def _rmdir(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except OSError as error:
        if error.errno in _REMOVED:
            return True
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def read_control_file(path: str) -> str:
    """Return the content of a file of a cgroup. Raises OSError."""
    # Processes inside can create cgroups, with names of any bytes.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def write_control_file(path: str, text: str) -> None:
    """Write `text` to a file of a cgroup by one write(2), which is one command to the kernel. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
