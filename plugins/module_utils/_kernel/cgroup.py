# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cgroup by path in each hierarchy that the host has: version 2, version 1, or both.

Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/*.rst. Limits: memory in bytes, cpus in
CPUs, pids in processes; 0 lifts a limit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from collections.abc import Iterable

from .._errors import EffectFailed, HostNotCapable
from . import syscalls
from .device_bpf import DeviceRule
from .devices_controller import allow_devices

# Joined in version 1: those whose limits, rules or counters are used, and systemd's own, in which the host's systemd
# finds whose process a process is.
_V1 = ("memory", "cpu", "cpuacct", "pids", "devices", "name=systemd")
_CONTROLLERS = ("memory", "cpu", "pids")
_CPU_PERIOD = 100_000
_V1_UNLIMITED_MEMORY = -1
# Milliseconds in which a child has run its first instruction, if nothing stops it.
_BIRTH = 500


class Cgroup:
    """The cgroup `path` (relative, like conductor/web) in every hierarchy of this host."""

    def __init__(self, path: str, mounts: str = "/proc/self/mounts") -> None:
        self.path = path
        self._v1: dict[str, str] = {}
        self._v2: str | None = None
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                # Hosts have hundreds of mounts, and each command that is run looks here.
                if " cgroup" not in line:
                    continue
                _, target, kind, options, *_ = line.split(" ")
                if kind == "cgroup2" and self._v2 is None:
                    self._v2 = os.path.join(target, path)
                elif kind == "cgroup":
                    for controller in set(options.split(",")) & set(_V1):
                        self._v1.setdefault(controller, os.path.join(target, path))

    @property
    def directories(self) -> list[str]:
        """All directories of this cgroup, each once (cpu and cpuacct may be one hierarchy)."""
        return list(dict.fromkeys([*self._v1.values(), *([self._v2] if self._v2 else [])]))

    def exists(self) -> bool:
        return any(os.path.isdir(directory) for directory in self.directories)

    def create(self) -> None:
        """Make the directories; in version 2 hand the controllers down to them."""
        for directory in self.directories:
            os.makedirs(directory, exist_ok=True)
        if self._v2:
            self._delegate(self._v2)

    def _delegate(self, directory: str) -> None:
        top = directory[: -len(self.path) - 1]
        for parent in (top, os.path.dirname(directory)):
            for controller in set(_read(os.path.join(parent, "cgroup.controllers")).split()) & set(_CONTROLLERS):
                # A host whose root cgroup may not be divided has no limits; set_limits says so where one is wanted.
                try:
                    _write(os.path.join(parent, "cgroup.subtree_control"), f"+{controller}")
                except OSError as error:
                    if error.errno not in (errno.EBUSY, errno.ENOENT, errno.EINVAL):
                        raise

    def delegate(self, owner: int) -> None:
        """Let the user and group `owner` divide it further, in version 2 (cgroup-v2.rst, "Model of Delegation")."""
        if self._v2:
            for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
                os.chown(os.path.join(self._v2, name), owner, owner)
            # What is nested without end would cost the kernel memory, and could not be removed by path any more.
            for name, most in (("cgroup.max.depth", "32"), ("cgroup.max.descendants", "4096")):
                _write(os.path.join(self._v2, name), most)

    def allow_devices(self, rules: Iterable[DeviceRule] | None) -> None:
        """Let those inside use what `rules` allow, or with None all that the host may. Raises HostNotCapable."""
        allow_devices(self._v1.get("devices"), self._v2, rules)

    def open(self, beside: int | None = None) -> CgroupEntry:
        """A way in that stays open when the caller has left the host's mount namespace.

        In version 2 to the cgroup of the process `beside`, where that is below this one: systemd as a container's first
        process moves below, and above there may be no processes then ("no internal processes", cgroup-v2.rst).
        """
        tasks = [
            os.open(os.path.join(d, "tasks"), os.O_WRONLY | os.O_CLOEXEC) for d in dict.fromkeys(self._v1.values())
        ]
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        return CgroupEntry(tasks, os.open(self._v2 + self._below(beside), flags) if self._v2 else None)

    def _below(self, pid: int | None) -> str:
        """Where below this cgroup the process is, in version 2 (/proc/PID/cgroup, cgroups(7)); "" where it is not."""
        if pid is None:
            return ""
        for line in _read(f"/proc/{pid}/cgroup").splitlines():
            if line.startswith(f"0::/{self.path}/"):
                return line[len(f"0::/{self.path}") :]
        return ""

    def join(self) -> None:
        """Move the calling process in, which may take 10 ms and more: see CgroupEntry for who is in a hurry."""
        for directory in self.directories:
            _write(os.path.join(directory, "cgroup.procs"), "0")

    def processes(self) -> list[int]:
        """Pids of all processes in it and below it."""
        found: list[int] = []
        for directory, _, files in os.walk(self.directories[0] if self.directories else "/nonexistent"):
            if "cgroup.procs" in files:
                found += [int(pid) for pid in _read(os.path.join(directory, "cgroup.procs")).split()]
        return found

    def kill(self) -> None:
        """Send SIGKILL to all in it and below it at once, also to what is frozen and what forks meanwhile.

        By cgroup.kill of version 2 (Linux 5.14); nothing happens where the host has no such file.
        """
        if self._v2:
            with contextlib.suppress(FileNotFoundError):
                _write(os.path.join(self._v2, "cgroup.kill"), "1")

    def set_limits(self, memory: int, cpus: float, pids: int, swap: int = -1, most_pids: int = 0) -> None:
        """Set all limits, or none: what the kernel had before is put back where it refuses one of them.

        `swap`: bytes besides memory, -1 for any. `most_pids`: a number of pids that nobody asked for, and that a host
        without its controller does without. Raises HostNotCapable where a limit is wanted whose controller this host
        does not have, EffectFailed.
        """
        wanted = (memory, cpus, pids if pids != most_pids else 0, swap if swap > 0 else 0)
        before: list[tuple[str, str]] = []
        for (name, value), is_wanted in zip(self._limits(memory, cpus, pids, swap), wanted):
            if name is None or not os.path.exists(name):
                if is_wanted:
                    raise HostNotCapable(
                        "this host cannot limit memory, memory_swap, cpus or pids: a cgroup controller is missing",
                        "enable the controllers memory, cpu and pids, or leave the limits out",
                    )
                continue
            present = _read(name).strip()
            try:
                if name.endswith("memory.limit_in_bytes"):
                    # In version 1 that of memory and swap together may at no time be the smaller one.
                    _lift(name.replace("memory.limit", "memory.memsw.limit"), before)
                _write(name, value)
                before.append((name, present))
            except OSError as error:
                for changed, old in reversed(before):
                    with contextlib.suppress(OSError):
                        _write(changed, _unlimited(changed, old))
                raise self._refused(name, value, error) from None

    def _refused(self, name: str, value: str, error: OSError) -> EffectFailed:
        container, file = os.path.basename(self.path), os.path.basename(name)
        if file.startswith("memory.") and error.errno == errno.EBUSY:
            return EffectFailed(*below_use(container, int(value), self._memory_used() or 0))
        return EffectFailed(f"{container}: the kernel did not accept the limit {value!r} in {name} ({error.strerror})")

    def oom_file(self) -> str:
        """The file that counts how often the kernel has ended a process of it for lack of memory; "" without one."""
        if "memory" in self._v1:
            return os.path.join(self._v1["memory"], "memory.oom_control")
        return os.path.join(self._v2, "memory.events") if self._v2 else ""

    def memory_needed(self) -> int:
        """Bytes that its processes use and that the kernel cannot take away without swap (memory.stat)."""
        v1 = "memory" in self._v1
        keys = (
            ("total_rss", "total_shmem")
            if v1
            else ("anon", "shmem", "slab_unreclaimable", "kernel_stack", "pagetables")
        )
        try:
            text = _read(os.path.join((self._v1.get("memory") if v1 else self._v2) or "", "memory.stat"))
        except OSError:
            return 0
        values = dict(line.split() for line in text.splitlines())
        return sum(int(values.get(key, 0)) for key in keys)

    def has_limits(self, memory: int, cpus: float, pids: int, swap: int = -1) -> bool:
        """Whether the limits are in force."""
        for name, value in self._limits(memory, cpus, pids, swap):
            if name is None or not os.path.exists(name):
                continue
            found = _read(name).strip()
            if name.endswith(("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")):
                # The kernel rounds down to pages, and shows no limit as the largest multiple of a page.
                page = os.sysconf("SC_PAGE_SIZE")
                limit = int(found) if int(found) < (1 << 63) - page else _V1_UNLIMITED_MEMORY
                same = limit == (int(value) // page * page if int(value) > 0 else int(value))
            elif name.endswith(("memory.max", "memory.swap.max")):
                page = os.sysconf("SC_PAGE_SIZE")
                same = found == (value if value == "max" else str(int(value) // page * page))
            else:
                same = found == value
            if not same:
                return False
        return True

    def _limits(self, memory: int, cpus: float, pids: int, swap: int) -> list[tuple[str | None, str]]:
        """File and content for memory, cpu, pids and swap, in this order."""
        quota = round(cpus * _CPU_PERIOD)
        files: list[tuple[str | None, str]] = []
        for controller, v1_file, v1_value, v2_file, v2_value in (
            (
                "memory",
                "memory.limit_in_bytes",
                str(memory or _V1_UNLIMITED_MEMORY),
                "memory.max",
                str(memory or "max"),
            ),
            ("cpu", "cpu.cfs_quota_us", str(quota or -1), "cpu.max", f"{quota or 'max'} {_CPU_PERIOD}"),
            ("pids", "pids.max", str(pids or "max"), "pids.max", str(pids or "max")),
            # Version 1 limits memory and swap together, and version 2 swap alone.
            (
                "memory",
                "memory.memsw.limit_in_bytes",
                str(memory + swap if memory and swap >= 0 else _V1_UNLIMITED_MEMORY),
                "memory.swap.max",
                str(swap if swap >= 0 else "max"),
            ),
        ):
            if controller in self._v1:
                files.append((os.path.join(self._v1[controller], v1_file), v1_value))
            else:
                files.append((os.path.join(self._v2, v2_file) if self._v2 else None, v2_value))
        return files

    def usage(self) -> dict[str, int | None]:
        """{memory: bytes, cpu: nanoseconds, pids: processes}; None where the host does not count it."""
        return {"memory": self._memory_used(), "cpu": self._cpu_used(), "pids": self._number("pids", "pids.current")}

    def _memory_used(self) -> int | None:
        v1 = "memory.usage_in_bytes" if "memory" in self._v1 else "memory.current"
        return self._number("memory", v1)

    def _cpu_used(self) -> int | None:
        if "cpuacct" in self._v1:
            return self._number("cpuacct", "cpuacct.usage")
        try:
            stat = _read(os.path.join(self._v2 or "", "cpu.stat"))
        except OSError:
            return None
        return next((int(line.split()[1]) * 1000 for line in stat.splitlines() if line.startswith("usage_usec")), None)

    def _number(self, controller: str, file: str) -> int | None:
        directory = self._v1.get(controller) or self._v2
        try:
            return int(_read(os.path.join(directory or "", file)))
        except (OSError, ValueError):
            return None

    def remove(self, timeout: float = 10.0) -> None:
        """Remove it with all below it, as soon as its last process is gone.

        Raises EffectFailed after `timeout` seconds: processes that were killed leave their cgroup only when the
        kernel has buried them.
        """
        deadline = time.monotonic() + timeout
        for directory in self.directories:
            for below, _, _ in sorted(os.walk(directory), reverse=True):
                while not _rmdir(below):
                    if time.monotonic() > deadline:
                        raise EffectFailed(f"cgroup {below} still has processes", "end them, then run this again")
                    time.sleep(0.002)


class CgroupEntry:
    """Where children are born into a cgroup, in all hierarchies, without the cost of moving a process.

    A move by cgroup.procs makes the kernel wait for a grace period of RCU, 10 ms and more. In version 2 clone3(2)
    places the child; in version 1 the child, which has one thread, moves that thread itself by `tasks`, for which the
    kernel needs no such lock (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
    """

    def __init__(self, tasks: list[int], directory: int | None) -> None:
        self._tasks = tasks
        self._directory = directory
        self._is_to_move = False

    def fork(self, flags: int = 0) -> int:
        """Fork with clone3(2)'s `flags`: 0 in the child, which then calls `join`; its pid in the parent.

        Linux kills a child at birth if cgroup.kill was ever written for one of its cgroup and the caller's, and not for
        the other (cgroup_css_set_fork() looks at the caller's, kernel/cgroup/cgroup.c of 6.14). The next child moves.
        """
        pid = self._fork(flags, self._directory)
        if pid is not None:
            return pid
        pid = syscalls.clone3(flags)
        self._is_to_move = pid == 0
        return pid

    def _fork(self, flags: int, directory: int | None) -> int | None:
        """As `fork`; None if the child was killed before its first instruction."""
        reader, writer = os.pipe()
        pid = syscalls.clone3(flags, directory)
        if pid == 0:
            os.write(writer, b"b")
        os.close(writer)
        # Nothing comes from a child that is frozen or stopped at once: that is for the caller, who has a deadline.
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        is_born = pid == 0 or not poll.poll(_BIRTH) or os.read(reader, 1)
        os.close(reader)
        if is_born:
            return pid
        os.waitpid(pid, 0)
        return None

    def join(self) -> None:
        """For the child, whose errors only it can tell: be in the cgroup in all hierarchies. Raises OSError."""
        for fd in self._tasks:
            os.write(fd, b"0")
        if self._is_to_move:
            procs = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._directory)
            os.write(procs, b"0")
            os.close(procs)
        self.close()

    @property
    def descriptors(self) -> list[int]:
        """What it holds open."""
        return self._tasks if self._directory is None else [*self._tasks, self._directory]

    def close(self) -> None:
        for fd in self.descriptors:
            os.close(fd)


def below_use(container: str, limit: int, used: int) -> tuple[str, str]:
    """Message and hint for a limit of memory that is less than what is in use, both in bytes."""
    return (
        f"{container}: memory cannot be limited to {limit} bytes, for its processes use {used}",
        "set memory to more than that, or stop the container first",
    )


def _lift(name: str, before: list[tuple[str, str]]) -> None:
    if os.path.exists(name):
        before.append((name, _read(name).strip()))
        _write(name, str(_V1_UNLIMITED_MEMORY))


def _unlimited(name: str, value: str) -> str:
    """What to write for a value as the kernel shows it: no limit is shown as a number in version 1."""
    return str(_V1_UNLIMITED_MEMORY) if name.endswith("limit_in_bytes") and int(value) >= 1 << 62 else value


def _rmdir(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def _read(path: str) -> str:
    # Those inside may name cgroups of their own.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
