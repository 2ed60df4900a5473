# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Specification of one container: each option is declared once, with its documentation and its form on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from ..._engine.id_range import RANGE_KIND, IdRange, parse_userns, userns_kind
from ..._engine.names import parse_name
from ..._engine.option import LIVE, RECREATE, Option, stored, stored_fields
from ..._engine.paths import owner_of
from ..._engine.typed_values import (
    WANTED,
    boolean,
    find_problem,
    integer,
    list_of,
    map_of,
    nullable,
    number,
    one_of,
    text,
)
from ..._errors import Damaged, InvalidInput
from . import capabilities
from .devices import Device, parse_devices
from .mounts import MOUNT_KIND, MOUNT_OPTIONS, Mount, parse_mounts, parse_path
from .seccomp import parse_seccomp
from .signals import parse_signal
from .sysctls import parse_sysctls
from .ulimits import Ulimit, parse_oom_score_adj, parse_ulimits
from .values import (
    UNLIMITED,
    parse_argv,
    parse_choice,
    parse_cpu_limit,
    parse_cpuset,
    parse_env,
    parse_flag,
    parse_groups,
    parse_hostname,
    parse_labels,
    parse_memory,
    parse_memory_swap,
    parse_number,
    parse_shm_size,
    parse_timezone,
    parse_user,
)

# As in podman: enough for most containers, and a fork bomb cannot use up the host's processes.
DEFAULT_PIDS = 2048
# As in docker.
DEFAULT_SHM_SIZE = 64 << 20
# Values for containers that were created before these options existed.
_DEFAULTS_BEFORE = {"userns": "host", "memory_swap": UNLIMITED}
_MAX = (1 << 31) - 1
# Fields that are dictionaries in container.json.
_PAIRS = ("env", "labels", "sysctls")
_POLICIES = ("no", "on-failure", "always", "unless-stopped")


@dataclass(frozen=True)
class ContainerSpec:
    """Options of one container. memory in bytes, cpus in CPUs, stop_timeout in seconds; 0 means no limit.

    memory_swap: bytes of memory and swap together, 0 for no swap, UNLIMITED.
    """

    name: str = stored(
        kind=text,
        option=Option("str", ("Name of the container, 1 to 63 letters, digits, C(-), C(_) and C(.).",), required=True),
    )
    image: str = stored(
        kind=text,
        applies=RECREATE,
        parse=parse_name,
        option=Option("str", ("Name of the image. Required to create a container.",)),
    )
    command: tuple[str, ...] = stored(
        ("/bin/bash",),
        kind=list_of(text),
        parse=parse_argv,
        option=Option(
            "raw",
            (
                "Command of the first process: a list of the program and its arguments, or a string that is split like "
                "a shell command. No shell runs it.",
                "Defaults to V(/bin/bash), which waits for input, so that the container runs until it is stopped.",
                "The first process of a container has to wait for processes that others leave behind, and gets no "
                "signal that it does not handle. If a program does neither, let C(tini --), of the package C(tini) in "
                "the image, run it, as C(docker run --init) does.",
            ),
        ),
    )
    init: bool = stored(
        False,
        kind=boolean,
        parse=parse_flag,
        option=Option(
            "bool",
            (
                "Boot the image's C(/sbin/init), as a rule systemd, as the first process. Mutually exclusive with "
                "O(command). A Debian image has one with the packages C(systemd-sysv) and C(dbus).",
                "A change sets O(command) and O(stop_signal) to their defaults unless they are given. For a command in "
                "place of the init of a container, give V(false), too.",
                "The task fails with the last lines of the log if it exits within a second.",
                "C(/run), C(/run/lock) and C(/tmp) are then of type tmpfs, and the container's cgroup is writable.",
                "Unless O(userns=host), the container is a machine of its own: services can use the sandbox of "
                "systemd, see O(capabilities), C(/proc/sys) is writable for what belongs to the container, the first "
                "start is a first boot with a new machine id and new ssh host keys, C(reboot) inside restarts the "
                "container, and C(poweroff) stops it, whatever O(restart_policy) is.",
            ),
        ),
    )
    env: tuple[tuple[str, str], ...] = stored(
        (),
        kind=map_of(text),
        parse=parse_env,
        option=Option(
            "dict",
            (
                "Environment variables of the command. Values must be strings: quote numbers and booleans.",
                "Values are hidden in the host's log, in the diff and in C(invocation). As with docker, they are part "
                "of RV(container), and root on the host can read them.",
            ),
        ),
    )
    working_dir: str = stored(
        "/",
        kind=text,
        parse=parse_path,
        option=Option("str", ("Working directory of the command. Defaults to V(/).",)),
    )
    user: str = stored(
        "root",
        kind=text,
        parse=parse_user,
        option=Option(
            "str",
            (
                "User of the command, by name or number, and optionally its group, V(USER:GROUP). Defaults to V(root).",
                "They are looked up in the container's C(/etc/passwd) and C(/etc/group). Numbers must be in its range "
                "of ids, see O(userns).",
            ),
        ),
    )
    groups: tuple[str, ...] = stored(
        (),
        kind=list_of(text),
        parse=parse_groups,
        option=Option(
            "list",
            (
                "Further groups of the command, by name or number, as with C(docker run --group-add).",
                "The given groups replace all present ones.",
            ),
            elements="str",
        ),
    )
    hostname: str = stored(
        "",
        kind=text,
        parse=parse_hostname,
        option=Option(
            "str",
            (
                "Host name inside. Defaults to the container's name, with C(-) in place of C(_). With O(init) and that "
                "default, a name that is set inside stays.",
            ),
        ),
    )
    timezone: str = stored(
        "",
        kind=text,
        parse=parse_timezone,
        option=Option(
            "str",
            (
                "Time zone, such as V(Europe/Berlin), that each start writes to C(/etc/localtime) and C(/etc/timezone) "
                "inside. V(host) is that of the host. V('') leaves the files alone.",
            ),
        ),
    )
    mounts: tuple[Mount, ...] = stored(
        (),
        kind=list_of(MOUNT_KIND),
        parse=lambda value, _option: parse_mounts(value),
        option=Option("list", ("Mounts besides the root file system.",), elements="dict", suboptions=MOUNT_OPTIONS),
    )
    userns: str | IdRange = stored(
        "auto",
        kind=userns_kind,
        applies=RECREATE,
        parse=parse_userns,
        option=Option(
            "raw",
            (
                "User namespace, see C(user_namespaces(7\\)): the ids that the container's users have on the host.",
                "V(auto) gives it a range of 65536 ids of its own, so that root inside is an unprivileged user of the "
                "host. The range comes from the ids of the user V(conductor) in C(/etc/subuid) and C(/etc/subgid) if "
                "it has any, else from 524288 up. It is free again when the container is removed.",
                "V(host) gives it no user namespace: root inside is root on the host, within its capabilities.",
                "A dictionary with C(base) and C(size) (default 65536) selects the range. It must not overlap "
                "the range of another container, or of a user in C(/etc/subuid) or C(/etc/subgid).",
                "A change requires O(recreate). Defaults to V(auto).",
            ),
        ),
    )
    dev: str = stored(
        "private",
        kind=one_of("private", "host"),
        parse=parse_choice,
        option=Option(
            "str",
            (
                "V(private) is a C(/dev) with the standard nodes only.",
                "V(host) shows the host's C(/dev) with all devices, which takes away much of the isolation. Devices "
                "that only the host's root may use require O(userns=host), too.",
                "Defaults to V(private).",
            ),
            choices=("private", "host"),
        ),
    )
    devices: tuple[Device, ...] = stored(
        (),
        kind=list_of(text),
        parse=parse_devices,
        option=Option(
            "list",
            (
                "Devices of the host that the container may use, as V(/dev/NAME), V(/dev/NAME:/dev/INSIDE) or "
                "V(/dev/NAME:/dev/INSIDE:rwm). C(r), C(w) and C(m) allow to read, write and create it.",
                "Their nodes belong to root inside, with the mode of the host's node. A symlink, like those in "
                "C(/dev/disk/by-id), is followed at each start.",
                "Other devices cannot be used, except for the standard ones, C(net/tun) among them, and its terminals. "
                "Standard ones may be listed without an effect. "
                "With O(dev=host) or O(privileged=true) all can be used.",
                "Mutually exclusive with O(dev=host).",
            ),
            elements="str",
        ),
    )
    read_only: bool = stored(
        False,
        kind=boolean,
        parse=parse_flag,
        option=Option("bool", ("Whether the root file system is read-only. Mounts are not affected.",)),
    )
    capabilities_add: tuple[str, ...] = stored((), kind=list_of(text))
    capabilities_drop: tuple[str, ...] = stored((), kind=list_of(text))
    privileged: bool = stored(
        False,
        kind=boolean,
        parse=parse_flag,
        option=Option(
            "bool",
            (
                "Give the container all capabilities, a writable C(/sys), and all of C(/proc).",
                "The capabilities apply to what belongs to the container. With O(userns=host) root inside is root on "
                "the host.",
                "Even then C(/proc/sys) is read-only, except for settings of the container's namespaces like C(net) "
                "and C(kernel/shmmax). To make it writable, give C(/proc/sys) or a file in it as source and target in "
                "O(mounts).",
            ),
        ),
    )
    seccomp: str = stored(
        "default",
        kind=text,
        parse=parse_seccomp,
        option=Option(
            "str",
            (
                "Filter for system calls of processes inside.",
                "V(default) is docker's default profile, which depends on the capabilities of the container. It "
                "refuses, for instance, keyrings, C(bpf), C(userfaultfd), C(perf_event_open), kernel modules and new "
                "namespaces. With O(privileged=true) it sets no filter, as with docker.",
                "V(unconfined) sets no filter.",
                "An absolute path is a profile on the managed host, in docker's JSON format. It is read when the "
                "container is started, so a changed file applies from the next start by this module.",
                "System calls that are newer than the profile fail with C(ENOSYS), where others fail with the "
                "profile's error, so that programs fall back to an older call.",
                "Filters are compiled by C(libseccomp.so.2) of the Debian package C(libseccomp2). A profile that "
                "allows other calls by default must not deny a call that this library does not know.",
                "Defaults to V(default).",
            ),
        ),
    )
    no_new_privileges: bool = stored(
        False,
        kind=boolean,
        parse=parse_flag,
        option=Option(
            "bool",
            (
                "Whether programs with the setuid bit, like C(sudo), and file capabilities give no privileges. See "
                "C(PR_SET_NO_NEW_PRIVS(2const\\)). Defaults to V(false).",
            ),
        ),
    )
    memory: int = stored(
        0,
        kind=integer(0),
        applies=LIVE,
        parse=parse_memory,
        option=Option(
            "str",
            (
                "Memory limit, like V(512m). V(0) is no limit. Defaults to V(0).",
                "If the processes of a running container use more, the task fails and the old limit stays.",
            ),
        ),
    )
    memory_swap: int = stored(
        0,
        kind=integer(-1),
        applies=LIVE,
        parse=parse_memory_swap,
        option=Option(
            "str",
            (
                "Limit of memory and swap together, like V(1g), at least O(memory). V(unlimited) is no limit. V(0) "
                "allows no swap. Without O(memory), swap has no limit. Defaults to V(0).",
            ),
        ),
    )
    cpus: float = stored(
        0.0,
        kind=number(0, _MAX),
        applies=LIVE,
        parse=parse_cpu_limit,
        option=Option(
            "float", ("CPU limit in CPUs, like V(1.5), at least V(0.01). V(0) is no limit. Defaults to V(0).",)
        ),
    )
    cpuset: str = stored(
        "",
        kind=text,
        applies=LIVE,
        parse=parse_cpuset,
        option=Option(
            "str",
            ("Numbers of the CPUs that processes may use, like V(0-2,5). V('') is all of them. Defaults to V('').",),
        ),
    )
    pids: int = stored(
        DEFAULT_PIDS,
        kind=integer(0, _MAX),
        applies=LIVE,
        parse=parse_number(0, int),
        option=Option("int", ("Maximum number of processes and threads. V(0) is no limit. Defaults to V(2048).",)),
    )
    ulimits: tuple[Ulimit, ...] = stored(
        (),
        kind=list_of(text),
        parse=parse_ulimits,
        option=Option(
            "list",
            (
                "Resource limits of each process, see C(getrlimit(2\\)), as V(NAME:SOFT:HARD) or V(NAME:BOTH), with "
                "V(unlimited) for no limit.",
                "Names are C(as), C(core), C(cpu), C(data), C(fsize), C(memlock), C(msgqueue), C(nice), C(nofile), "
                "C(nproc), C(rss), C(rtprio), C(rttime), C(sigpending) and C(stack). Units are those of the kernel, "
                "as a rule bytes.",
                "The other limits do not depend on the user that runs the module. They are those that the kernel gives "
                "the first process of a machine, with C(nofile:1024:524288) and C(core:1), or as near to that as root "
                "on the host may go.",
                "With C(core:1) the kernel writes no core dump, and does not run the program in the host's "
                "C(kernel.core_pattern), which would be root on the host. V(core:unlimited) allows both.",
            ),
            elements="str",
        ),
    )
    oom_score_adj: int = stored(
        0,
        kind=integer(-1000, 1000),
        parse=parse_oom_score_adj,
        option=Option(
            "int",
            (
                "Preference of the kernel's OOM killer, from V(-1000), never, to V(1000), first. See C(proc(5\\)).",
                "Less than V(0) requires the capability C(SYS_RESOURCE) on the host. Defaults to V(0).",
            ),
        ),
    )
    sysctls: tuple[tuple[str, str], ...] = stored(
        (),
        kind=map_of(text),
        parse=parse_sysctls,
        option=Option(
            "dict",
            (
                "Kernel settings for the container, see C(sysctl(8\\)): those of its network, like "
                "V(net.core.somaxconn), and C(fs.mqueue.*), C(kernel.msg*), C(kernel.sem) and C(kernel.shm*).",
                "The given settings replace all present ones.",
            ),
        ),
    )
    shm_size: int = stored(
        DEFAULT_SHM_SIZE,
        kind=integer(1, 1 << 62),
        parse=parse_shm_size,
        option=Option("str", ("Size of C(/dev/shm), like V(1g). Defaults to V(64m).",)),
    )
    stop_signal: int = stored(
        15,
        kind=integer(1, 64),
        applies=LIVE,
        parse=parse_signal,
        option=Option(
            "str",
            (
                "Signal that asks the first process to exit, by name or number. Defaults to V(SIGTERM), with O(init) "
                "to V(SIGRTMIN+3).",
                "A first process that does not handle it is killed at once, since the kernel would not deliver it.",
                "It is also sent when the host shuts down in order; other processes inside get C(SIGTERM) then.",
            ),
        ),
    )
    stop_timeout: float = stored(
        10.0,
        kind=number(0, _MAX),
        applies=LIVE,
        parse=parse_number(0, float),
        option=Option(
            "float", ("Seconds after the stop signal after which the container is killed. Defaults to V(10).",)
        ),
    )
    restart_policy: str = stored(
        "no",
        kind=one_of(*_POLICIES),
        applies=LIVE,
        parse=parse_choice,
        option=Option(
            "str",
            (
                "Whether the container is started again if its command exits.",
                "V(on-failure) does so if the exit status is not 0, at most O(restart_retries) times.",
                "V(always) and V(unless-stopped) do so at every exit. They differ only when the host boots, see "
                "O(autostart). A container that a task stopped is not started again before.",
                "The pause before a start is 0.1 seconds at first and is doubled each time, up to a minute. After a "
                "run of 10 seconds pauses and retries begin anew. A start that fails is tried again in the same way.",
                "Defaults to V(no).",
            ),
            choices=_POLICIES,
        ),
    )
    restart_retries: int = stored(
        0,
        kind=integer(0, _MAX),
        applies=LIVE,
        parse=parse_number(0, int),
        option=Option("int", ("Maximum number of restarts by V(on-failure). V(0) is no limit. Defaults to V(0).",)),
    )
    autostart: bool | None = stored(
        None,
        kind=nullable(boolean),
        applies=LIVE,
        parse=parse_flag,
        option=Option(
            "bool",
            (
                "Whether the container is started when the host boots, if it was running before: after a reboot, or "
                "after a power cut.",
                "A container that a task or the host command stopped stays stopped, except with "
                "O(restart_policy=always), as with docker. A container that has never run is not started.",
                "Requires role P(conductor.containers.host#role) on the host, which installs C(conductor.service).",
                "Defaults to V(true) with O(restart_policy=always) and O(restart_policy=unless-stopped), else to "
                "V(false).",
            ),
        ),
    )
    labels: tuple[tuple[str, str], ...] = stored(
        (),
        kind=map_of(text),
        applies=LIVE,
        parse=parse_labels,
        option=Option(
            "dict",
            (
                "Labels, texts by name. P(conductor.containers.conductor#inventory) makes groups of them; they have no "
                "other effect.",
                "The given labels replace all present ones.",
            ),
        ),
    )

    # Names of containers that a boot starts before, and the command for whose success it waits before it starts those
    # that depend on this one; recorded by a stack.
    depends_on: tuple[str, ...] = stored((), kind=list_of(text), applies=LIVE)
    wait: tuple[str, ...] = stored((), kind=list_of(text), applies=LIVE)

    @property
    def is_machine(self) -> bool:
        """Whether its init system gets the rights of a machine's, over what belongs to its own user namespace."""
        return self.init and self.userns != "host"

    @property
    def cgroup_writable(self) -> bool:
        """Whether processes inside may create cgroups in that of the container, as systemd does."""
        return self.init or self.privileged

    @property
    def starts_at_boot(self) -> bool:
        """Whether a boot of the host starts the container again: by default as docker does by its restart policy."""
        return self.restart_policy in ("always", "unless-stopped") if self.autostart is None else self.autostart

    @property
    def swap(self) -> int:
        """Bytes of swap that the container may use in addition to memory, or UNLIMITED."""
        if not self.memory or self.memory_swap == UNLIMITED:
            return UNLIMITED
        return max(0, self.memory_swap - self.memory)

    @property
    def bounding(self) -> frozenset[str]:
        """The capabilities that processes inside can have at most."""
        if self.privileged:
            return capabilities.ALL
        default = capabilities.MACHINE if self.is_machine else capabilities.DEFAULT
        return capabilities.bounding(default, self.capabilities_add, self.capabilities_drop)

    def to_json(self) -> dict[str, Any]:
        """The form in container.json."""
        texts = {name: [str(value) for value in getattr(self, name)] for name in ("devices", "ulimits")}
        return {**asdict(self), **texts, **{name: dict(getattr(self, name)) for name in _PAIRS}}

    def by_option(self) -> dict[str, Any]:
        """The values under the names of the options, for facts and diffs."""
        values = self.to_json()
        parts = {part: values.pop(name) for name, part in _CAPABILITIES.items()}
        return {**values, "capabilities": parts}

    @classmethod
    def from_json(cls, value: dict[str, Any], path: str) -> ContainerSpec:
        """The spec in container.json (`path` is for messages); unknown keys are ignored.

        An option that an older release did not have gets its default, or the value that had the same effect. Raises
        Damaged.
        """
        remedy = f"restore it, or remove {owner_of(path)} with state=absent and force=true"
        problem = find_problem(value, _KINDS, ("name", "image"))
        if problem:
            raise Damaged(f"{path} is damaged ({problem})", remedy)
        try:
            defaults = {field.name: field.default for field in fields(cls) if field.default is not MISSING}
            values = {field.name: value[field.name] for field in fields(cls) if field.name not in defaults}
            values.update(
                {name: value.get(name, default) for name, default in {**defaults, **_DEFAULTS_BEFORE}.items()}
            )
            for name in _PAIRS:
                values[name] = tuple(sorted(dict(values[name]).items()))
            known = {field.name for field in fields(Mount)}
            values["mounts"] = tuple(
                Mount(**{name: part for name, part in mount.items() if name in known}) for mount in values["mounts"]
            )
            values["devices"] = parse_devices(values["devices"], "devices")
            values["ulimits"] = parse_ulimits(values["ulimits"], "ulimits")
            for name in ("command", "capabilities_add", "capabilities_drop", "depends_on", "groups", "wait"):
                values[name] = tuple(values[name])
            if isinstance(values["userns"], dict):
                values["userns"] = IdRange(**values["userns"])
            return cls(**values)
        except (KeyError, TypeError, AttributeError, InvalidInput) as error:
            raise Damaged(f"{path} is damaged ({error})", remedy) from None

    def changed_by(self, wanted: ContainerSpec) -> list[str]:
        """Names of the options in which `wanted` differs."""
        differing = [name for name in FIELDS if getattr(self, name) != getattr(wanted, name)]
        return list(dict.fromkeys("capabilities" if name in _CAPABILITIES else name for name in differing))


# Fields that are together the option `capabilities`, with their names in it.
_CAPABILITIES = {"capabilities_add": "add", "capabilities_drop": "drop"}
# The fields by name, with their options.
FIELDS = stored_fields(ContainerSpec)
# Types of the values in container.json: the options, and the container's id, wanted state and id range.
_KINDS = {
    **{name: field.kind for name, field in FIELDS.items()},
    "id": text,
    "wanted": WANTED,
    "ids": nullable(RANGE_KIND),
}


def options() -> Mapping[str, Option]:
    """The options of the spec by name, in the order of the documentation."""
    found = {}
    for name, field in FIELDS.items():
        if field.option is not None:
            found[name] = field.option
        elif name in _CAPABILITIES:
            found["capabilities"] = capabilities.OPTION
    return found


def applies(name: str) -> str:
    """When a change of the option `name` takes effect: LIVE, RESTART or RECREATE."""
    return FIELDS["capabilities_add" if name == "capabilities" else name].applies
