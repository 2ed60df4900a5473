"""Contestants of start.py: each starts, enters and stops a container on the same root file system.

They run inside a test host. A container is given a directory of the host, in which its first process writes to a FIFO.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

import podman

IMAGE, BENCH, PEERS = "/var/lib/conductor/images/debian/rootfs", "/run/bench", "/run/peers"
# Says that it runs, and that it can be stopped.
READY = ["/bin/sh", "-c", "trap 'exit 0' TERM; echo > /bench/fifo; sleep infinity & wait"]
IDLE = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
PROGRAM = "/usr/local/bin/conductor"
_QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Runtime(ABC):
    """A way to run containers. `start` and `stop` are measured, `clean` is not."""

    _labels = itertools.count(1)

    def __init__(self) -> None:
        self.label = f"bench{next(self._labels)}"
        # How many containers were started; it is part of their names.
        self.number = 0

    @property
    def name(self) -> str:
        """The container that was started last."""
        return f"{self.label}-{self.number}"

    @abstractmethod
    def start(self, command: list[str]) -> None:
        """Start the next container."""

    @abstractmethod
    def stop(self) -> None:
        """Send SIGTERM to the container that was started last; it is gone when this returns."""

    def clean(self) -> None:  # noqa: B027
        """Remove what a stopped container leaves; nothing, for most."""


class Conductor(Runtime):
    """Ours, by the functions that modules call in a process that has them loaded."""

    def __init__(self, **options) -> None:
        from ansible_collections.conductor.containers.plugins.module_utils._container import use_case as container
        from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings

        super().__init__()
        self.container, self.settings, self.options = container, Settings(), options

    def case(self, state: str, name: str, **more):
        from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import perform

        params = {"name": name, "state": state, "wait_timeout": 60.0, **more}
        return perform(self.container.ContainerCase(params, self.settings))

    def create(self, command: list[str]) -> None:
        """Create the container, or give it another command; it is not started."""
        mounts = [{"source": BENCH, "target": "/bench"}]
        self.case("present", self.name, image="debian", command=command, mounts=mounts, **self.options)

    def start(self, command: list[str]) -> None:
        paths = self.container.ContainerPaths.of(self.settings.container_dir, self.name)
        self.container.start.start(self.settings, paths, self.container.store.read_spec(paths))

    def stop(self) -> None:
        self.case("stopped", self.name)

    def exec(self) -> None:
        """Run a command that does nothing, as conductor_exec does."""
        from ansible_collections.conductor.containers.plugins.module_utils._container.exec import use_case
        from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import perform

        names = ("cmd", "stdin", "env", "chdir", "user", "creates", "removes", "timeout")
        params = {"container": self.name, "argv": ["/bin/true"], "detach": False, **dict.fromkeys(names)}
        perform(use_case.ExecCase(params, self.settings))


class Program(Conductor):
    """Ours, by the host command: a process each time, as the others have it."""

    def start(self, command: list[str]) -> None:
        subprocess.run([PROGRAM, "start", self.name], check=True, **_QUIET)

    def stop(self) -> None:
        subprocess.run([PROGRAM, "stop", "--keep", self.name], check=True, **_QUIET)

    def exec(self) -> None:
        """Run a command that does nothing."""
        subprocess.run([PROGRAM, "exec", self.name, "--", "/bin/true"], check=True)


class OciRuntime(Runtime):
    """runc or crun with a bundle of the same root file system, and the specification that `runc spec` writes.

    With `complete`, it is measured with what ours does in a start: an overlay is mounted, and a user namespace made,
    whose IDs are the container's own. Files of the image stay root's outside, which is less than ours does.
    """

    def __init__(self, program: str, complete: bool = False) -> None:
        super().__init__()
        self.program, self.complete, self.directory = program, complete, f"{PEERS}/{self.label}"
        self.root = f"{self.directory}/root"
        make_overlay(self.directory, mount=not complete)
        subprocess.run([program, "spec"], cwd=self.directory, check=True)
        self.config = json.loads(Path(self.directory, "config.json").read_text())
        self.config["root"] = {"path": self.root, "readonly": False}
        self.config["process"]["terminal"] = False
        # Raising a limit needs a right that not every machine grants to root.
        self.config["process"].pop("rlimits", None)
        self.config["mounts"].append(
            {"destination": "/bench", "source": BENCH, "type": "bind", "options": ["bind", "rw"]}
        )
        if complete:
            # Root of the user namespace may not make it.
            os.makedirs(f"{self.directory}/upper/bench")
            linux = self.config["linux"]
            linux["namespaces"].append({"type": "user"})
            for kind in ("uidMappings", "gidMappings"):
                linux[kind] = [{"containerID": 0, "hostID": 100000, "size": 65536}]

    def start(self, command: list[str]) -> None:
        self.number += 1
        if self.complete:
            mount_overlay(self.directory)
        self.config["process"]["args"] = command
        Path(self.directory, "config.json").write_text(json.dumps(self.config))
        command = [self.program, "run", "--detach", "--bundle", self.directory, self.name]
        # No pipe, for the container keeps it.
        with tempfile.TemporaryFile("w+") as errors:
            if subprocess.run(command, **{**_QUIET, "stderr": errors}, check=False).returncode:
                errors.seek(0)
                raise RuntimeError(" ".join(errors.read().split()))

    def stop(self) -> None:
        state = subprocess.run([self.program, "state", self.name], check=True, capture_output=True).stdout
        process = os.pidfd_open(json.loads(state)["pid"])
        subprocess.run([self.program, "kill", self.name, "TERM"], check=True)
        # pidfd_open(2): readable when the process is gone.
        select.select([process], [], [], 10)
        os.close(process)
        subprocess.run([self.program, "delete", self.name], check=True)

    def exec(self) -> None:
        """Run a command that does nothing."""
        subprocess.run([self.program, "exec", self.name, "/bin/true"], check=True)

    def clean(self) -> None:
        if self.complete:
            subprocess.run(["umount", self.root], check=True)


class Nspawn(Runtime):
    """systemd-nspawn, without the scope that it asks systemd for, as there is no systemd on the test host."""

    def __init__(self) -> None:
        super().__init__()
        self.root = make_overlay(f"{PEERS}/{self.label}")

    def start(self, command: list[str]) -> None:
        self.number += 1
        self.process = subprocess.Popen(
            ["systemd-nspawn", "-q", "-D", self.root, "-M", self.name, "--keep-unit", "--register=no",
             "--private-network", "--kill-signal=SIGTERM", f"--bind={BENCH}:/bench", *command],
            **_QUIET,
        )  # fmt: skip

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Podman(Runtime):
    """podman with the same root file system."""

    def __init__(self) -> None:
        super().__init__()
        self.root = make_overlay(f"{PEERS}/{self.label}")

    def start(self, command: list[str]) -> None:
        self.number += 1
        options = ["--network", "none", "--volume", f"{BENCH}:/bench"]
        done = subprocess.run(
            podman.run_command(self.name, self.root, command, *options), check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(" ".join(done.stderr.split()))

    def stop(self) -> None:
        subprocess.run(["podman", "stop", self.name], check=True, **_QUIET)

    def exec(self) -> None:
        """Run a command that does nothing."""
        subprocess.run(["podman", "exec", self.name, "/bin/true"], check=True)

    def clean(self) -> None:
        subprocess.run(["podman", "rm", "--force", "--time", "0", self.name], check=True, **_QUIET)


class Shell(Runtime):
    """The least that a shell can do: namespaces, overlay, /proc, chroot; no cgroup, no pivot_root, no supervisor."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = f"{PEERS}/{self.label}"
        self.root = make_overlay(self.directory, mount=False)

    def start(self, command: list[str]) -> None:
        layers = f"lowerdir={IMAGE},upperdir={self.directory}/upper,workdir={self.directory}/work"
        script = f"""
mount -t overlay -o {layers} overlay {self.root}
mkdir -p {self.root}/bench; mount --bind {BENCH} {self.root}/bench; mount -t proc proc {self.root}/proc
mount -t sysfs sysfs {self.root}/sys; exec chroot {self.root} "$@"
"""
        # It is the first process of its namespace, so that SIGTERM gets to the trap.
        unshare = ["unshare", "-mpnui", "--fork", "sh", "-ec", script, "sh"]
        self.process = subprocess.Popen([*unshare, *command], **_QUIET)

    def stop(self) -> None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        self.process.wait(10)


def prepare() -> None:
    """Make what the runtimes need of this process, on the test host."""
    from ansible_collections.conductor.containers.plugins.module_utils._kernel.cgroup import Cgroup

    # systemd-nspawn makes its cgroup below its caller's, which must therefore lie in what the test host can see.
    caller = Cgroup("benchmark")
    caller.create()
    for directory in caller.directories:
        Path(directory, "cgroup.procs").write_text("0")
    os.makedirs(BENCH, exist_ok=True)


def make_overlay(directory: str, mount: bool = True) -> str:
    """Make the directories of an overlay over the image, and mount it unless `mount` is false; return its root.

    Ready beforehand, for those that do not make it themselves: that is to their favor.
    """
    for name in ("upper", "work", "root"):
        os.makedirs(f"{directory}/{name}", exist_ok=True)
    if mount:
        mount_overlay(directory)
    return f"{directory}/root"


def mount_overlay(directory: str) -> None:
    """Mount what make_overlay() has made, without a process of its own."""
    from ansible_collections.conductor.containers.plugins.module_utils._kernel import overlayfs

    overlayfs.mount_overlay(f"{directory}/root", [IMAGE], f"{directory}/upper", f"{directory}/work")
