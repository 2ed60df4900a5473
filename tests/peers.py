"""script/peers: the attacks of support/surface.py as root inside, in our containers and in those of other runtimes.

All on one test host, on one root file system, one after the other: ours by default and with the host's ids, runc with
what `runc spec` writes, systemd-nspawn and podman with their defaults. A runtime is left out, with the reason, where it
is not installed or cannot run a program that does nothing. Each attack is also run on the test host itself: what gets
nowhere even there says nothing about containers, and is named below the table.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import surface
from attacks import execute, program, start
from image_cache import mount_image, test_image
from test_way_in import FIND_KEY, KEY, LEAK
from testhost import PYTHON, Host, module_environment

# A directory of the host's that each container has, at the same path, as a user's mount.
SHARED = "/run/peers/shared"
# A device that no runtime here gives to its containers; who has a node of it needs no capability to open it.
FUSE = (10, 229)
NOTHING = program('return "ran"')

# systemd-nspawn makes its cgroup below its caller's, which must therefore lie in what the test host can see.
JOIN = """
import os, sys
from ansible_collections.conductor.containers.plugins.module_utils._kernel.cgroup import Cgroup
group = Cgroup(f"peers-{os.getpid()}")
group.create()
for directory in group.directories:
    with open(os.path.join(directory, "cgroup.procs"), "w") as file:
        file.write("0")
os.execvp(sys.argv[1], sys.argv[1:])
"""


# Makes all inotify instances that it may have; how many those were.
USE_UP = """
import resource
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
count = 0
try:
    while True:
        kernel("inotify_init")
        count += 1
except OSError:
    return str(count)
"""
# Keeps one meanwhile, counted for the user that starts it.
KEEP_ONE = """
import ctypes, subprocess, sys
ctypes.CDLL(None).inotify_init()
sys.exit(subprocess.call(sys.argv[1:]))
"""


def got_nothing(outcome: str) -> bool:
    return re.fullmatch("E[A-Z0-9]+|closed|made, dead", outcome) is not None


def emphasized(outcome: str) -> str:
    """What an attack got hold of in bold; an error's name and the like as it is."""
    return outcome if got_nothing(outcome) else f"**{outcome}**"


def words(**known: str) -> Callable[[str], str]:
    """Tells the outcomes that are `known` in other words."""
    return lambda outcome: known.get(outcome) or emphasized(outcome)


def root_outside(outcome: str) -> str:
    return "yes" if outcome == "0" else f"no: {outcome}"


def inotify_instances(outcome: str) -> str:
    with open("/proc/sys/fs/inotify/max_user_instances", encoding="ascii") as file:
        return "its own" if outcome == file.read().strip() else "**the host's**"


def cgroup_paths(outcome: str) -> str:
    paths = {field.split(":", 2)[2] for field in outcome.split()}
    return "hidden" if paths == {"/"} else "**shown**"


@dataclass(frozen=True)
class Attack:
    """A row of the table."""

    title: str
    programs: list[str]
    tell: Callable[[str], str] = emphasized
    # What starts the runtime, and leaves it something that must not come in.
    starter: Sequence[str] = ()


def attacks() -> list[Attack]:
    # A directory that is no file system of its own in a container, and none of the machine's on a test host.
    node = surface.device_by_node(*FUSE, "/var/lib/conductor-test-node")
    return [
        Attack("root inside is root outside", [program(surface.ROOT_OUTSIDE)], root_outside),
        Attack("system calls are filtered", [program(surface.SECCOMP)], {"0": "no", "2": "yes"}.__getitem__),
        Attack("make a user namespace", [program(surface.USER_NAMESPACE)]),
        Attack('`fsopen("ext4")`', [program(surface.FILE_SYSTEM_CONTEXT)]),
        Attack("the same in a user namespace", [program(surface.FILE_SYSTEM_CONTEXT_IN_A_USER_NAMESPACE)]),
        Attack("mount a tmpfs", [program(surface.MOUNT)]),
        Attack("release_agent of a cgroup hierarchy", [program(surface.release_agent(uuid.uuid4().hex))]),
        Attack("open_by_handle_at", [program(surface.by_handle(SHARED, "O_RDONLY"))]),
        opening("core_pattern, /proc/sys/net", "/proc/sys/kernel/core_pattern", "/proc/sys/net/core/somaxconn"),
        opening("/sys", "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled"),
        Attack("make a device node, and use it", [program(node)]),
        Attack("read the kernel's log", [program(surface.KERNEL_LOG)]),
        Attack("set the clock", [program(surface.CLOCK)]),
        calling("bpf, perf_event_open", surface.BPF, surface.PERF_EVENT_OPEN),
        calling("userfaultfd", surface.USERFAULTFD),
        # Whose keys they are says the next row.
        calling("keyctl", surface.KEYCTL, tell=words(allowed="allowed")),
        Attack(
            "a key in the session of the caller",
            [FIND_KEY],
            words(ENOKEY="not found"),
            ["python3", "-c", KEY],
        ),
        Attack(
            "a descriptor of the caller", [program(surface.DESCRIPTOR)], starter=LEAK
        ),
        Attack(
            "inotify instances are counted as", [program(USE_UP)], inotify_instances, ["python3", "-c", KEEP_ONE]
        ),
        Attack("the cgroup's own path", [program(surface.CGROUP_PATHS)], cgroup_paths),
    ]  # fmt: skip


def opening(title: str, *paths: str) -> Attack:
    """Those of `paths` that this kernel has."""
    return Attack(title, [program(surface.open_for_writing(path)) for path in paths if os.path.exists(path)])


def calling(title: str, *calls: str, tell: Callable[[str], str] = emphasized) -> Attack:
    return Attack(title, [program(surface.allowed(call)) for call in calls], tell)


class DoesNotRun(Exception):
    """A runtime, for a reason that it told."""


class Uncontained:
    """The test host itself, in mounts of its own."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def run(self, code: str, starter: Sequence[str] = ()) -> str:
        own = ["unshare", "--mount", "--propagation", "private"]
        return self.host.run(*starter, *own, "python3", "-c", code).stdout.strip()


class Ours:
    """A container of ours that runs; each attack is a command in it."""

    def __init__(self, host: Host, title: str, name: str, **options) -> None:
        self.host, self.title, self.name = host, title, name
        start(host, name, mounts=[{"source": SHARED, "target": SHARED}], **options)

    def run(self, code: str, starter: Sequence[str] = ()) -> str:
        argv = ["/usr/bin/python3", "-c", code]
        return execute(self.host, argv, wrapper=starter, name=self.name)["stdout"]


class Peer(ABC):
    """Another runtime: each attack is the first process of a container of its own."""

    title = program = ""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.directory = f"/run/peers/{self.title}"
        self.root = f"{self.directory}/root"

    @abstractmethod
    def command(self, argv: list[str]) -> list[str]:
        """What runs `argv` in a container."""

    def prepare(self) -> None:
        """Give it the tests' image, with a layer of its own to write to."""
        if not shutil.which(self.program):
            raise DoesNotRun("not installed")
        own = [f"{self.directory}/{name}" for name in ("upper", "work", "root")]
        self.host.run("mkdir", "-p", *own)
        layers = f"lowerdir=/var/lib/conductor/images/debian/rootfs,upperdir={own[0]},workdir={own[1]}"
        self.host.run("mount", "-t", "overlay", "-o", layers, "overlay", self.root)

    def run(self, code: str, starter: Sequence[str] = ()) -> str:
        argv = [*starter, *self.command(["/usr/bin/python3", "-c", code])]
        done = self.host.run(PYTHON, "-c", JOIN, *argv, env=module_environment(), check=False)
        if done.returncode:
            raise DoesNotRun(" ".join(done.stderr.split()) or f"exited {done.returncode}")
        return done.stdout.strip()

    def version(self) -> str:
        return self.host.run(self.program, "--version").stdout.splitlines()[0]


class Runc(Peer):
    """Its specification is `runc spec`'s, but for the root and what is mounted."""

    title = program = "runc"

    def prepare(self) -> None:
        super().prepare()
        self.host.run("runc", "spec", "--bundle", self.directory)
        self.config = json.loads(self.host.run("cat", f"{self.directory}/config.json").stdout)
        self.config["root"] = {"path": self.root, "readonly": False}
        self.config["process"]["terminal"] = False
        # Raising a limit needs a right that not every machine grants to root.
        self.config["process"].pop("rlimits", None)
        self.config["mounts"].append({"destination": SHARED, "source": SHARED, "type": "bind", "options": ["bind"]})

    def command(self, argv: list[str]) -> list[str]:
        self.config["process"]["args"] = argv
        self.host.run("tee", f"{self.directory}/config.json", stdin=json.dumps(self.config))
        return ["runc", "run", "--bundle", self.directory, f"peer-{uuid.uuid4().hex}"]


class Nspawn(Peer):
    """Without the scope that it asks systemd for, as there is no systemd on the test host."""

    title, program = "nspawn", "systemd-nspawn"

    def command(self, argv: list[str]) -> list[str]:
        return ["systemd-nspawn", "-q", "-D", self.root, "--keep-unit", "--register=no", f"--bind={SHARED}", *argv]


class Podman(Peer):
    """All that it keeps lies in the test host, whose cgroups no systemd manages and whose networks are none."""

    title = program = "podman"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        own = f"{self.directory}/storage"
        self.podman = [
            "podman", "--root", f"{own}/root", "--runroot", f"{own}/run", "--tmpdir", f"{own}/tmp",
            "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
        ]  # fmt: skip

    def command(self, argv: list[str]) -> list[str]:
        # Raising a limit needs a right that not every machine grants to root.
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        mounts = ["--volume", f"{SHARED}:{SHARED}", "--rootfs", self.root]
        return [*self.podman, "run", "--rm", "--network", "none", *limits, *mounts, *argv]

    def version(self) -> str:
        runtime = self.host.run(*self.podman, "info", "--format", "{{.Host.OCIRuntime.Name}}").stdout.strip()
        return f"{super().version()} with {runtime}"


def main() -> int:
    with Host() as host:
        mount_image(host, test_image())
        # POSIX shared memory, where podman has its locks, is the machine's else.
        host.run("mount", "-t", "tmpfs", "tmpfs", "/dev/shm")
        host.run("mkdir", "-p", SHARED)
        peers = [peer for peer in (Runc(host), Nspawn(host), Podman(host)) if runs(peer)]
        ours = [Ours(host, "conductor", "default"), Ours(host, "conductor, `userns: host`", "hosts-ids", userns="host")]
        print(f"Linux {platform.release()}", *(peer.version() for peer in peers), sep="; ", end="\n\n")
        show(attacks(), [*ours, *peers], Uncontained(host))
    return 0


def runs(peer: Peer) -> bool:
    """Whether it can run a program here; says why not."""
    try:
        peer.prepare()
        peer.run(NOTHING)
        return True
    except DoesNotRun as reason:
        print(f"peers: without {peer.title}: {reason}", file=sys.stderr)
        return False


def show(rows: list[Attack], columns: Sequence[Ours | Peer], uncontained: Uncontained) -> None:
    """Print the table, row by row as it comes."""
    print("| Attack |", " | ".join(column.title for column in columns), "|")
    print("|---" * (len(columns) + 1) + "|")
    nowhere = []
    for attack in rows:
        print(f"| {attack.title} |", " | ".join(cell(attack, column) for column in columns), "|", flush=True)
        outcomes = [uncontained.run(code, attack.starter) for code in attack.programs]
        nowhere += [f"{attack.title}: {outcome} on the test host, too" for outcome in filter(got_nothing, outcomes)]
    print("", *nowhere, sep="\n")


def cell(attack: Attack, column: Ours | Peer) -> str:
    outcomes = [attack.tell(column.run(code, attack.starter)) for code in attack.programs]
    return ", ".join(dict.fromkeys(outcomes))


if __name__ == "__main__":
    sys.exit(main())
