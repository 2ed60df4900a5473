"""What workers do to a host: calls of modules as users make them, and accidents. All of it drawn from one Random."""

from __future__ import annotations

import contextlib
import json
from random import Random

import hostile
import model
from supervision import supervisor_pid

NAMES = [f"box{number}" for number in range(7)] + ["a-name-that-is-longer-than-what-an-interface-may-have"]
# None ends by itself: what does not run at the end was ended by an accident, and must run again.
COMMANDS = [["/bin/sleep", "infinity"], ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"]]
# Plays tricks against whoever looks after it. No accident is meant for it: each round begins and ends with it.
HOSTILE = "hostile"
TRICKS = {
    "name": HOSTILE, "image": "debian", "state": "started", "stop_timeout": 1, "restart": True,
    "recreate": True, "cpus": 0.2,
    "command": hostile.program(hostile.LEASES, hostile.FILES, hostile.STORM),
}  # fmt: skip
DAY = 86400


def call(random: Random) -> tuple[str, dict]:
    """A module with parameters that may, or may not, be right for what there is by then."""
    kinds = {
        _started: 8, _stopped: 3, _present: 2, _absent: 3, _anew: 2, _limits: 2, _exec: 5, _network: 6, _no_network: 1,
        _peer: 5, _no_peer: 2, _reconciled: 2, _info: 1, _hostile: 3,
    }  # fmt: skip
    kind = random.choices(list(kinds), list(kinds.values()))[0]
    module, given = kind(random)
    params = dict(given)
    if kind is not _hostile and random.random() < 0.2:
        # Some die of it in the middle, others had ended before.
        params["kill_after"] = random.choice([random.uniform(0, 0.05), random.uniform(0, 0.4)])
    if random.random() < 0.1:
        params["clock"] = random.choice([-DAY, -60, -1, 1, 60, DAY])
    return module, params


def _container(random: Random, state: str, **more) -> tuple[str, dict]:
    return "conductor_container", {"name": random.choice(NAMES), "state": state, "stop_timeout": 1, **more}


def _started(random: Random):
    return _container(random, "started", image="debian")


def _stopped(random: Random):
    return _container(random, "stopped")


def _present(random: Random):
    policy = random.choice(["no", "on-failure", "always", "unless-stopped"])
    return _container(random, "present", image="debian", restart_policy=policy)


def _absent(random: Random):
    return _container(random, "absent")


def _anew(random: Random):
    return _container(random, "started", image="debian", restart=True, command=random.choice(COMMANDS))


def _limits(random: Random):
    return _container(random, "present", memory=random.choice(["0", "64m"]), pids=random.choice([0, 50]))


def _exec(random: Random):
    argv = random.choice([["/bin/true"], ["/bin/sh", "-c", "echo hello > /tmp/file"], ["/bin/sleep", "0.2"]])
    return "conductor_exec", {"container": random.choice(NAMES), "argv": argv}


def _network(random: Random):
    return "conductor_network", {
        "container": random.choice(NAMES),
        "internet": random.random() < 0.5,
        "host_access": random.random() < 0.5,
        "dns": random.choice([None, [], ["192.0.2.53"]]),
        "expose": random.sample(["80-8080", "53-5353/udp", "90-9090", "91-9091"], random.randrange(3)),
        "mtu": random.choice([1500, 1400]),
    }


def _no_network(random: Random):
    return "conductor_network", {"container": random.choice(NAMES), "state": "absent"}


def _peer(random: Random):
    container, peer = random.sample(NAMES, 2)
    ports = random.choice([None, ["80/tcp"], ["53/udp", "8000-8010/tcp"]])
    direction = random.choice(["both", "to"])
    return "conductor_peer", {"container": container, "peer": peer, "ports": ports, "direction": direction}


def _no_peer(random: Random):
    container, peer = random.sample(NAMES, 2)
    return "conductor_peer", {"container": container, "peer": peer, "state": "absent"}


def _reconciled(_random: Random):
    return "conductor_network", {"state": "reconciled"}


def _info(random: Random):
    return random.choice(["conductor_container_info", "conductor_network_info"]), {}


def _hostile(random: Random):
    """What goes to the container that plays tricks."""
    return random.choice(
        [
            ("conductor_container", TRICKS),
            ("conductor_container", {"name": HOSTILE, "state": "stopped"}),
            ("conductor_exec", {"container": HOSTILE, "argv": ["/bin/true"], "timeout": 1}),
            ("conductor_network", {"container": HOSTILE, "internet": True, "dns": ["192.0.2.53"]}),
            ("conductor_peer", {"container": HOSTILE, "peer": random.choice(NAMES)}),
            ("conductor_peer", {"container": random.choice(NAMES), "peer": HOSTILE}),
        ]
    )


def accident(random: Random, host) -> str:
    """Have one happen; what it was."""
    name = random.choice(NAMES)
    what = random.choice(["first process", "supervisor", "flush", "delete table", "link", "link inside"])
    if what == "supervisor":
        pid = supervisor_pid(host)
        if pid:
            host.run("kill", "-9", str(pid), check=False)
    elif what == "first process":
        state = {}
        with contextlib.suppress(ValueError):
            state = json.loads(host.run("cat", f"/run/conductor/containers/{name}.json", check=False).stdout)
        pid = state.get("pid")
        # Of an old run state it may be the pid of another by now: only what was started for this container dies.
        shown = host.run("cat", f"/proc/{pid}/cgroup", check=False).stdout
        if pid and pid > 1 and f"/conductor/{name}\n" in shown:
            host.run("kill", "-9", str(pid), check=False)
    elif what == "flush":
        host.run("nft", "flush", "table", "inet", "conductor", check=False)
    elif what == "delete table":
        host.run("nft", "delete", "table", "inet", "conductor", check=False)
    elif what == "link":
        host.run("ip", "link", "delete", model.link_of(name), check=False)
    else:
        host.run("ip", "-n", f"conductor-{name}", "link", "delete", "eth0", check=False)
    return f"{what} of {name}"


BALLAST = "/var/lib/conductor/ballast"


def fill_disk(host) -> None:
    """No byte is free where images and containers lie."""
    host.run("dd", "if=/dev/zero", f"of={BALLAST}", "bs=4k", check=False)


def free_disk(host) -> None:
    """It is as large as before."""
    host.run("rm", "-f", BALLAST)
