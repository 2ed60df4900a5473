#!/usr/bin/env python3
"""Time from the call to the first instruction of the first process, for us and for others, on one root file system.

usage: benchmarks/start.py [ROUNDS]      as root; crun, runc and systemd-nspawn are measured if they are installed

"userns: host" is ours without a user namespace. All take turns in one run, inside a test host, so that what else the
machine does hits all alike; read the ratios. The first process writes to a FIFO that is mounted into each container.
Ours is called from a Python that runs already, as a module's is; what a whole Ansible task costs is what
benchmarks/task.py measures. Also: a command in a running container, by a module that runs already, by the program
`conductor exec`, and by the connection plugin's way ("client"), against `crun exec`, `runc exec` and `podman exec`; and
the memory that stays for each idle container.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import podman
from report import show

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/integration/support"), str(ROOT / ".venv/collections")]

IMAGES, BENCH, PEER_ROOT = "/var/lib/conductor/images", "/run/bench", "/run/peers/root"
SIGNAL = ["/bin/sh", "-c", "echo > /bench/fifo"]
IDLE = ["/bin/sleep", "infinity"]
PROGRAM = "/usr/local/bin/conductor"


def main() -> None:
    """Build the test host and run the measuring part inside it."""
    from image_cache import mount_image, test_image
    from testhost import Host, module_environment

    rounds = sys.argv[1] if len(sys.argv) > 1 else "20"
    with Host() as host:
        mount_image(host, test_image())
        host.module("conductor_command")
        done = host.run(
            sys.executable, __file__, "--inside", rounds, env=module_environment(), check=False, timeout=900
        )
        print(done.stdout, end="")
        if done.returncode:
            sys.exit(done.stderr)


# Tells when something was written, however late the process that asked for it comes to look.
CLOCK = "import os, time\nwhile os.read(0, 64): print(time.perf_counter(), flush=True)"


class Fifo:
    """What the first process writes to when it runs."""

    def __init__(self) -> None:
        os.makedirs(BENCH, exist_ok=True)
        os.mkfifo(f"{BENCH}/fifo")
        # Open for both, so that neither side ever waits for the other to open.
        fd = os.open(f"{BENCH}/fifo", os.O_RDWR)
        self.clock = subprocess.Popen([sys.executable, "-c", CLOCK], stdin=fd, stdout=subprocess.PIPE, text=True)
        os.close(fd)

    def seconds_until_written(self, start) -> float:
        begin = time.perf_counter()
        start()
        return float(self.clock.stdout.readline()) - begin


class Conductor:
    """Ours, through the same functions that the modules call."""

    def __init__(self) -> None:
        from ansible_collections.conductor.containers.plugins.module_utils._container import use_case as container
        from ansible_collections.conductor.containers.plugins.module_utils._container.exec import use_case as exec_
        from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings

        self.container, self.exec, self.settings = container, exec_, Settings()

    def case(self, state: str, name: str = "bench", **more):
        from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import perform

        params = {"name": name, "state": state, "wait_timeout": 60.0, **more}
        return perform(self.container.ContainerCase(params, self.settings))

    def create(self, name: str, command: list[str], **more) -> None:
        mounts = [{"source": BENCH, "target": "/bench"}]
        self.case("present", name, image="debian", command=command, mounts=mounts, **more)

    def start(self, name: str = "bench") -> None:
        container = self.container
        paths = container.ContainerPaths.of(self.settings.container_dir, name)
        container.start.start(self.settings, paths, container.store.read_spec(paths))

    def run(self, argv: list[str]) -> None:
        from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import perform

        names = ("cmd", "stdin", "env", "chdir", "user", "creates", "removes", "timeout")
        params = {"container": "idle", "argv": argv, "detach": False, **dict.fromkeys(names)}
        perform(self.exec.ExecCase(params, self.settings))

    def pss(self) -> float:
        """KiB of the supervisor, shared pages divided, that each of fifty further idle containers adds."""
        sizes = {}
        for number in range(1, 61):
            self.create(f"idle{number}", IDLE)
            self.start(f"idle{number}")
            if number in (10, 60):
                sizes[number] = self._pss()
        for number in range(1, 61):
            self.case("absent", f"idle{number}")
        return (sizes[60] - sizes[10]) / 50

    def _pss(self) -> float:
        """KiB of the supervisor of this host."""
        (found,) = (
            path.with_name("smaps_rollup")
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if path.read_bytes().endswith(b"\0supervise\0")
        )
        return next(int(line.split()[1]) for line in found.read_text().splitlines() if line.startswith("Pss:"))


class Podman:
    """podman with the same root file system."""

    def __init__(self) -> None:
        command = podman.run_command("idle", PEER_ROOT, IDLE)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.works = done.returncode == 0
        if not self.works:
            print(f"without podman: {' '.join(done.stderr.split())}")

    def exec(self) -> None:
        subprocess.run(["podman", *podman.OPTIONS, "exec", "idle", "/bin/true"], check=True)

    def clean(self) -> None:
        command = ["podman", *podman.OPTIONS, "rm", "--force", "--time", "0", "idle"]
        subprocess.run(command, check=False, capture_output=True)


class OciRuntime:
    """runc or crun with a bundle of the same root file system, and the specification that `runc spec` writes."""

    def __init__(self, program: str) -> None:
        self.program, self.bundle_directory, self.number = program, f"/run/bundle-{program}", 0
        os.makedirs(self.bundle_directory, exist_ok=True)
        subprocess.run([program, "spec"], cwd=self.bundle_directory, check=True)
        self.config = json.loads(Path(self.bundle_directory, "config.json").read_text())
        self.config["root"] = {"path": PEER_ROOT, "readonly": False}
        self.config["process"]["terminal"] = False
        # Raising a limit needs a right that not every machine grants to root.
        self.config["process"].pop("rlimits", None)
        self.config["mounts"].append(
            {"destination": "/bench", "source": BENCH, "type": "bind", "options": ["bind", "rw"]}
        )

    @property
    def name(self) -> str:
        """The container that was started last."""
        return f"{self.program}{self.number}"

    def write_bundle(self, command: list[str]) -> None:
        self.config["process"]["args"] = command
        Path(self.bundle_directory, "config.json").write_text(json.dumps(self.config))

    def start(self) -> None:
        self.number += 1
        subprocess.run(
            [self.program, "run", "--detach", "--bundle", self.bundle_directory, self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def exec(self) -> None:
        subprocess.run([self.program, "exec", self.name, "/bin/true"], check=True)

    def clean(self) -> None:
        subprocess.run([self.program, "delete", "--force", self.name], check=True, stderr=subprocess.DEVNULL)


def nspawn() -> None:
    subprocess.run(
        ["systemd-nspawn", "-q", "-D", PEER_ROOT, "--keep-unit", "--register=no", "--private-network",
         f"--bind={BENCH}:/bench", *SIGNAL],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip


def shell() -> None:
    """The least that a shell can do: namespaces, overlay, /proc, chroot; no cgroup, no pivot_root, no supervisor."""
    script = f"""
mount -t overlay -o lowerdir={IMAGES}/debian/rootfs,upperdir=/run/sh/upper,workdir=/run/sh/work overlay /run/sh/root
mkdir -p /run/sh/root/bench; mount --bind {BENCH} /run/sh/root/bench; mount -t proc proc /run/sh/root/proc
mount -t sysfs sysfs /run/sh/root/sys; exec chroot /run/sh/root {SIGNAL[0]} -c '{SIGNAL[2]}'
"""
    subprocess.run(["unshare", "-mpnui", "--fork", "sh", "-ec", script], check=True)


def inside(rounds: int) -> None:
    """All measurements; prints them."""
    from ansible_collections.conductor.containers.plugins.module_utils._kernel.cgroup import Cgroup

    # systemd-nspawn makes its cgroup below its caller's, which must therefore lie in what the test host can see.
    caller = Cgroup("benchmark")
    caller.create()
    for directory in caller.directories:
        Path(directory, "cgroup.procs").write_text("0")
    fifo, ours = Fifo(), Conductor()
    ours.create("bench", SIGNAL)
    ours.create("bare", SIGNAL, userns="host")
    for directory in ("sh/upper", "sh/work", "sh/root", "peers/upper", "peers/work", "peers/root"):
        os.makedirs(f"/run/{directory}")
    # Ready beforehand, for those that do not make it themselves: that is to their favour.
    layers = f"lowerdir={IMAGES}/debian/rootfs,upperdir=/run/peers/upper,workdir=/run/peers/work"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", PEER_ROOT], check=True)
    runtimes = [OciRuntime(program) for program in ("crun", "runc") if shutil.which(program)]
    contestants = {
        "conductor": (ours.start, lambda: ours.case("stopped")),
        "userns: host": (lambda: ours.start("bare"), lambda: ours.case("stopped", "bare")),
        "shell": (shell, lambda: None),
    }
    for runtime in runtimes:
        runtime.write_bundle(SIGNAL)
        contestants[f"{runtime.program} run"] = (runtime.start, runtime.clean)
    if shutil.which("systemd-nspawn"):
        contestants["systemd-nspawn"] = (nspawn, lambda: None)
    times = take_turns(rounds, contestants, fifo.seconds_until_written)
    fifo.clock.kill()
    show("start to first process", times, "conductor")
    ours.case("absent")
    ours.case("absent", "bare")

    ours.create("idle", IDLE)
    ours.start("idle")
    from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import command_request
    from ansible_collections.conductor.containers.plugins.plugin_utils.host_bundle import install_command
    from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import Client

    put, content = install_command(sys.executable)
    subprocess.run(put, shell=True, input=content, check=True)
    client = Client(["own", *command_request("idle", "root", "exec /bin/true")], sys.executable).command
    # Its own streams are pipes, as those of ssh are.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    contestants = {
        "conductor": (lambda: ours.run(["/bin/true"]), lambda: None),
        "conductor exec": (
            lambda: subprocess.run([PROGRAM, "exec", "idle", "--", "/bin/true"], check=True),
            lambda: None,
        ),
        "client": (lambda: subprocess.run(client, shell=True, check=True, **pipes), lambda: None),
    }
    for runtime in runtimes:
        runtime.write_bundle(IDLE)
        runtime.start()
        contestants[f"{runtime.program} exec"] = (runtime.exec, lambda: None)
    peer = Podman() if shutil.which("podman") else None
    if peer and peer.works:
        contestants["podman exec"] = (peer.exec, lambda: None)
    show("exec of /bin/true in a running container", take_turns(rounds, contestants, seconds), "conductor")
    for runtime in runtimes:
        runtime.clean()
    if peer:
        peer.clean()
    ours.case("absent", "idle")
    print(f"memory that each further idle container adds to the supervisor: {ours.pss():.1f} KiB (Pss)")


def seconds(action) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def take_turns(rounds: int, contestants: dict, measure) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 2):
        for name, (start, clean) in contestants.items():
            taken = measure(start)
            clean()
            # The first two rounds fill the caches.
            if number >= 2:
                times[name].append(taken)
    return times


if __name__ == "__main__":
    inside(int(sys.argv[2])) if sys.argv[1:2] == ["--inside"] else main()
