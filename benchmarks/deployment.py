"""A deployment of many containers by Ansible: created, again without a change, and removed.

Each container has a network and one exposed port, and ends when it is asked to. Measured is the whole run of
ansible-playbook with one play: a task of conductor_stack, a loop of conductor_container, a loop of podman_container, a
task of podman_containers, and one of podman_play (`podman kube play`) with a pod for each container. All of them find
their image on the host.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import peers
import podman
from comparison import Comparison
from options import Options
from turns import seconds, take_turns

ROOT = Path(__file__).parents[1]
OURS, PODMAN = "conductor.containers.", "containers.podman."
IMAGE = "localhost/debian"
# Else removal measures how long each waits before it kills.
OBEY = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
# Where the first containers are exposed; each contestant has removed its own before the next one begins.
FIRST_PORT = 20000
STEPS = ("created", "unchanged", "removed")


@dataclass(frozen=True)
class Way:
    """Tasks that deploy, and those that remove."""

    deploy: list[dict]
    remove: list[dict]


def ways(count: int, directory: Path) -> dict[str, Way]:
    """Return the plays of all contestants for `count` containers; `directory` is for files that they need."""
    ports = {f"c{number}": FIRST_PORT + number for number in range(count)}
    return {**_ours(ports), **_podman(ports, directory)}


def _ours(ports: dict[str, int]) -> dict[str, Way]:
    options = {name: {"image": "debian", "command": OBEY} for name in ports}
    members = {name: {**options[name], "expose": [f"80-{port}"]} for name, port in ports.items()}
    each = [{"name": name, **options[name], "network": {"expose": [f"80-{port}"]}} for name, port in ports.items()]
    container = f"{OURS}conductor_container"
    return {
        "conductor_stack": Way(
            [{f"{OURS}conductor_stack": {"name": "bench", "containers": members}}],
            [{f"{OURS}conductor_stack": {"name": "bench", "state": "absent"}}],
        ),
        "conductor_container, loop": Way(
            [{container: {"_options": "{{ item }}"}, "loop": each}],
            [{container: {"name": "{{ item }}", "state": "absent"}, "loop": list(ports)}],
        ),
    }


def _podman(ports: dict[str, int], directory: Path) -> dict[str, Way]:
    each = [
        {"name": name, "image": IMAGE, "command": OBEY, "ports": [f"{port}:80"], "state": "started"}
        for name, port in ports.items()
    ]
    gone = {"state": "absent"}
    container = f"{PODMAN}podman_container"
    kube = directory / "pods.yml"
    kube.write_text("\n---\n".join(json.dumps(pod(name, port)) for name, port in ports.items()))
    return {
        "podman_container, loop": Way(
            [{container: {key: f"{{{{ item.{key} }}}}" for key in each[0]}, "loop": each}],
            [{container: {"name": "{{ item }}", **gone}, "loop": list(ports)}],
        ),
        "podman_containers": Way(
            [{f"{PODMAN}podman_containers": {"containers": each}}],
            [{f"{PODMAN}podman_containers": {"containers": [{"name": name, **gone} for name in ports]}}],
        ),
        "podman kube play": Way(
            [{f"{PODMAN}podman_play": {"kube_file": str(kube), "state": "started"}}],
            [{f"{PODMAN}podman_play": {"kube_file": str(kube), "state": "absent"}}],
        ),
    }


def pod(name: str, port: int) -> dict:
    """Return a pod of Kubernetes with one container, whose port 80 is `port` of the host."""
    container = {
        "name": "main", "image": f"{IMAGE}:latest", "imagePullPolicy": "Never", "command": OBEY,
        "ports": [{"containerPort": 80, "hostPort": port}],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


def measure(options: Options) -> Iterator[Comparison]:
    """Deploy each of the counts by all, in turns. The first attempt that shows who works here fills the caches."""
    from image_cache import mount_image, test_image
    from testhost import Host

    with Host(size="8g") as host, tempfile.TemporaryDirectory() as directory:
        peers.add_to(host)
        podman.configure(host)
        mount_image(host, test_image())
        # Those of other programs cost us a run of nft.
        host.run("nft", "flush", "ruleset")
        left_out = {}
        reason = podman.import_image(host, "/var/lib/conductor/images/debian/rootfs", IMAGE)
        for name, way in ways(1, Path(directory)).items():
            if failure := (reason if "podman" in name else None) or attempt(host, way, Path(directory)):
                left_out[name] = failure
        unchanged = {}

        def turn(name: str, way: Way) -> dict[str, float]:
            """Return the seconds of each step, {} for another program that works no longer with so many."""
            try:
                ours = name.startswith("conductor")
                return {} if name in left_out else cycle(host, way, Path(directory), ours)
            except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
                if ours:
                    raise
                left_out[name] = " ".join(str(error).split())[-400:]
                play_on(host, way.remove, Path(directory))
                return {}

        for count in options.counts:
            contestants = {
                name: lambda name=name, way=way: turn(name, way) for name, way in ways(count, Path(directory)).items()
            }
            rounds = options.rounds if count <= 10 else max(1, options.rounds // 3)
            taken = take_turns(rounds, contestants, warm_up=0)
            unchanged[_containers(count)] = taken["unchanged"]["conductor_stack"]
            for step in STEPS:
                title = f"{_containers(count)} {step} by Ansible"
                changed = {name: "its second run changes something" for name in taken["created"].keys() - taken[step]}
                yield Comparison(title, "s", "conductor_stack", taken[step], left_out={**left_out, **changed})
        yield Comparison("conductor_stack without a change", "s", _containers(options.counts[0]), unchanged)


def _containers(count: int) -> str:
    return "1 container" if count == 1 else f"{count} containers"


def cycle(host, way: Way, directory: Path, ours: bool = False) -> dict[str, float]:
    """How long each step takes, without a second run of another program that changed something."""
    taken = {}
    for step in STEPS:
        tasks = way.remove if step == "removed" else way.deploy
        output = []
        taken[step] = seconds(lambda tasks=tasks, output=output: output.append(play_on(host, tasks, directory)))
        if ("changed=0" in output[0]) != (step == "unchanged"):
            if ours or step != "unchanged":
                raise RuntimeError(f"deployment: {step} did not report it: {output[0]}")
            # It did more than to look, so that there is nothing to compare.
            del taken[step]
    return taken


def attempt(host, way: Way, directory: Path) -> str | None:
    """Return why `way` does not work here, if it does not."""
    try:
        cycle(host, way, directory)
    except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
        return " ".join(str(error).split())[-400:]
    return None


def play_on(host, tasks: list[dict], directory: Path) -> str:
    """Run a play on the test host itself; its output. Raises AssertionError if it fails."""
    play = directory / "play.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.venv/collections:{peers.COLLECTIONS}",
        "ANSIBLE_LOCALHOST_WARNING": "no",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{ROOT}/.venv/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    python = ["-e", f"ansible_python_interpreter={ROOT}/.venv/bin/python"]
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", *python, str(play)]
    return host.run(*command, env=environment, timeout=3600).stdout
