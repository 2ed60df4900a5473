"""kill -9 before each effect of a stack's run: the next run converges, and no packet passes that is not declared."""

import subprocess

import pytest
from dying import dies, jobs_die
from netbox import Inside, end_servers, is_refused, reaches, serve
from strides import spread

SLEEP = ["/bin/sleep", "infinity"]
# db may be called by web on one port only; lone has a network and no peer.
SHOP = {
    "name": "shop",
    "defaults": {"image": "debian", "command": SLEEP},
    "containers": {
        "web": {"peers": [{"peer": "db", "direction": "to", "ports": ["5432/tcp"]}], "depends_on": ["db"]},
        "db": {"wait": ["true"], "expose": ["5432-15432"]},
        "lone": {"network": {"host_access": False}},
    },
}
# One echo request to each address; prints those that answer. Replies are told apart by their source address.
PING_ALL = """
import select, socket, sys
sockets = {}
for address in sys.argv[1:]:
    six = ":" in address
    raw = socket.socket(*((socket.AF_INET6, 3, 58) if six else (socket.AF_INET, 3, 1)))
    sockets[raw] = address
    try:
        raw.sendto(bytes.fromhex("8000000000010001" if six else "0800f7fd00010001"), (address, 0))
    except OSError:
        pass
while ready := select.select(list(sockets), [], [], 0.7)[0]:
    for raw in ready:
        data, source = raw.recvfrom(1000)
        six = ":" in sockets[raw]
        if source[0] == sockets[raw] and data[0 if six else 20] == (129 if six else 0):
            print(sockets.pop(raw))
"""
ALL = ("web", "db", "lone")


def stack(host, state="started", **options):
    return host.module("conductor_stack", **{**SHOP, "state": state, **options})


def states(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


def answered(host):
    """Pairs of containers of which the first gets an answer of the second to an ICMP echo request, which none may."""
    connected = set(host.run("ls", "/run/netns").stdout.split())
    boxes = [Inside(host, name) for name in ALL if f"conductor-{name}" in connected]
    boxes = [
        box for box in boxes if host.run("test", "-e", f"{box.directory}/network.json", check=False).returncode == 0
    ]
    owners = {address: box.name for box in boxes for address in box.addresses()}
    pings = {
        box.name: box.popen("python3", "-c", PING_ALL, *owners, stdout=subprocess.PIPE, text=True) for box in boxes
    }
    found = {(name, owners[address]) for name, ping in pings.items() for address in ping.communicate()[0].split()}
    return {(one, other) for one, other in found if one != other}


def assert_converged(host, step):
    assert states(host) == dict.fromkeys(ALL, "running"), step
    assert not stack(host)["changed"], step
    found = host.module("conductor_network_info")
    assert found["drift"] == [] and [one["drift"] for one in found["networks"]] == [[]] * 3, step
    assert host.run("pgrep", "-fc", "^/bin/sleep infinity", check=False).stdout.strip() == "3", step


def assert_only_declared_packets_pass(host):
    boxes = {name: Inside(host, name) for name in ALL}
    for name, box in boxes.items():
        for port in (5432, 5433):
            serve(box, port)
        for address in box.addresses():
            for caller in set(ALL) - {name}:
                declared = (caller, name) == ("web", "db")
                assert not declared or reaches(boxes[caller], address, 5432)
                assert is_refused(boxes[caller], address, 5433 if declared else 5432), (caller, name)
    end_servers()


@spread(101)
def test_killed_start_converges_on_next_run(host, stride):
    step = 0
    while dies(host, step, "stack", **SHOP, state="started"):
        assert answered(host) == set(), step
        stack(host)
        assert_converged(host, step)
        stack(host, "absent")
        assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == "", step
        # Rounds begin alternately with no container and with stopped ones.
        if step // stride % 2:
            stack(host, "stopped")
        step += stride
    assert step > 100, "every effect was counted"
    assert_converged(host, step)
    assert_only_declared_packets_pass(host)
    assert answered(host) == set()
    wide = {**SHOP["containers"], "lone": {"peers": ["web"]}}
    stack(host, containers=wide)
    assert answered(host) == {("lone", "web")}, "pings show what is allowed"


@spread(17)
def test_killed_removal_converges_on_next_run(host, stride):
    step = 0
    stack(host)
    while dies(host, step, "stack", **SHOP, state="absent"):
        assert answered(host) == set(), step
        stack(host, "absent")
        assert states(host) == {}, step
        assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == "", step
        assert "cdtr-" not in host.run("ip", "link").stdout, step
        assert not stack(host, "absent")["changed"], step
        stack(host)
        step += stride
    assert step > 30, "every effect was counted"


@spread(13)
def test_killed_change_of_peers_allows_no_more_than_the_old_and_the_new_ones(host, stride):
    """web and lone change places: before, web was a peer of lone."""
    before = {**SHOP["containers"], "lone": {"peers": ["web"]}}
    both_ways = {("lone", "web"), ("web", "lone")}
    step = 0
    while True:
        stack(host, containers=before)
        if not dies(host, step, "stack", **SHOP, state="started"):
            break
        assert answered(host) <= both_ways, step
        stack(host)
        assert answered(host) == set(), step
        assert_converged(host, step)
        step += stride
    assert step > 10, "every effect was counted"


@spread(19)
@pytest.mark.parametrize("state", ["started", "absent"])
def test_killed_jobs_are_reported_and_the_next_run_converges(host, stride, state):
    """The processes that create, start, stop and remove containers are killed; the run itself goes on."""
    step = 0
    if state == "absent":
        stack(host)
    while error := jobs_die(host, step, "stack", **SHOP, state=state):
        assert "its process was killed" in error, step
        assert answered(host) == set(), step
        stack(host, state)
        if state == "started":
            assert_converged(host, step)
        stack(host, "absent")
        assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == "", step
        assert host.run("ls", "/run/netns").stdout.split() == ["bystander"], step
        if state == "absent":
            stack(host)
        step += stride
    assert step > 10, "every effect was counted"
