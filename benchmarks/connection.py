#!/usr/bin/env python3
"""What a task in a container costs over our connection, next to the same task on the host itself over plain ssh.

usage: benchmarks/connection.py [ROUNDS]      as root

The image is of the host's release: on both sides the same Python runs the modules. `raw` needs none, and shows the way
alone. "loaded once" is what our inventory plugin and conductor_target make of it: they load the connection plugin where
Ansible is one process yet; else each task loads it anew. sudo on the host is once in a run for us, and for plain ssh in
each task. root's shell there reads no file when it starts.

Then the same on the controller itself, next to those connections of others that are there, with pipelining where they
have it: containers.podman.podman with podman, and community.docker.nsenter, which enters a container of ours that has
no user namespace, as it knows none. peers.py downloads podman and both collections.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import peers
import podman
from comparison import Comparison
from report import show
from turns import task_seconds

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration/support"))

KINDS = {"raw": {"ansible.builtin.raw": "true"}, "ping": {"ansible.builtin.ping": {}}}
# That it is read is enough, though there is no such container.
LISTING = {"plugin": "conductor.containers.conductor", "hosts": ["ssh"], "states": ["exited"]}
SAME_PYTHON = {"ansible_python_interpreter": "/usr/bin/python3", "ansible_pipelining": True}


def main() -> None:
    """Measure and print."""
    from controller import Controller
    from image_cache import RECIPE, mount_image, test_image
    from testhost import Host

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    peers.install()
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    # Without it root's become to root would be no sudo.
    os.environ["ANSIBLE_BECOME_ALLOW_SAME_USER"] = "1"
    # Ansible looks for collections on Python's path, too.
    os.environ["PYTHONPATH"] = str(peers.COLLECTIONS)
    with tempfile.TemporaryDirectory() as directory, Host() as host:
        mount_image(host, test_image({**RECIPE, "suite": suite}))
        host.module("conductor_container", name="box", image="debian")
        controller = Controller(Path(directory))
        over_ssh(controller, host, rounds)
        controller.inventory.clear()
        on_itself(controller, host, rounds)


def over_ssh(controller, host, rounds: int) -> None:
    """A container of `host`, and `host` as a target of its own."""
    managed = controller.let_in(host)
    plain = {"ansible_connection": "ssh", "ansible_ssh_use_tty": False, **SAME_PYTHON}
    controller.add_host("ssh", host, **plain)
    controller.add("conductor", "box", ansible_user="root", **managed)
    controller.add_host("ssh-sudo", host, ansible_become=True, **plain)
    controller.add("conductor-sudo", "box", ansible_user="root", conductor_host_become=True, **managed)
    (controller.directory / "loaded.conductor.yml").write_text(json.dumps(LISTING))
    for kind, task in KINDS.items():
        # The first time opens the connections and fills the caches.
        task_seconds(controller, task)
        # Next to what ssh took in the same plays: only within one do targets take turns.
        for how, options in {"": [], ", loaded once": ["-i", "loaded.conductor.yml"]}.items():
            times = defaultdict(list)
            for _ in range(rounds):
                for name, taken in task_seconds(controller, task, *options).items():
                    times[name] += taken
            for sudo in ("", "-sudo"):
                pair = {name: times[name] for name in (f"ssh{sudo}", f"conductor{sudo}")}
                show(Comparison(f"A task {kind} over ssh{how}", "s", f"ssh{sudo}", pair))


def on_itself(controller, host, rounds: int) -> None:
    """Containers of the machine that Ansible runs on, which is `host`."""
    controller.inventory["local"] = {"ansible_connection": "local", **SAME_PYTHON}
    controller.add("conductor", "box")
    host.module("conductor_container", name="bare", image="debian", userns="host")
    pid = json.loads(host.run("cat", "/run/conductor/containers/bare.json").stdout)["pid"]
    nsenter = {"ansible_connection": "community.docker.nsenter", "ansible_nsenter_pid": pid}
    controller.inventory["nsenter"] = {**nsenter, **SAME_PYTHON}
    if way := with_podman(host):
        controller.inventory["podman"] = {**way, **SAME_PYTHON}
    for kind, task in KINDS.items():
        times = defaultdict(list)
        for number in range(rounds + 1):
            for name, taken in task_seconds(controller, task, on=host).items():
                times[name] += taken if number else []
        show(Comparison(f"A task {kind} on the machine itself", "s", "conductor", times))


def with_podman(host) -> dict | None:
    """A container of podman's on `host`: variables for the way there. None where it does not run there; it says why."""
    peers.add_to(host)
    podman.configure(host)
    root = "/run/peer/root"
    host.run("mkdir", "-p", root, "/run/peer/upper", "/run/peer/work")
    layers = "lowerdir=/var/lib/conductor/images/debian/rootfs,upperdir=/run/peer/upper,workdir=/run/peer/work"
    host.run("mount", "-t", "overlay", "-o", layers, "overlay", root)
    started = host.run(
        *podman.run_command("podman", root, ["/bin/sleep", "infinity"], "--network", "none"), check=False
    )
    if started.returncode:
        print(f"without podman: {' '.join(started.stderr.split())}", file=sys.stderr)
        return None
    return {"ansible_connection": "containers.podman.podman", "ansible_host": "podman"}


if __name__ == "__main__":
    main()
