"""No forbidden packet arrives while a stack is deployed, restarted and changed, or its run dies."""

import json

import pytest
from crossfire import CANNON, EVIL4, EVIL6, OTHER4, OTHER6, Field, shots
from dying import dies
from netbox import Box
from strides import spread

SLEEP = ["/bin/sleep", "infinity"]


@pytest.fixture
def field(host):
    """A watched host, and a container of nobody's stack, which is watched too and no peer."""
    field = Field(host)
    field.other = Box(host, "other")
    field.watch("other", field.other)
    field.other.network(ipv4=OTHER4, ipv6=OTHER6, host_access=False)
    yield field
    field.end()


def evil(**network):
    """Options of a stack, whose container evil floods the others and the host from its first moment on."""
    packets = json.dumps(shots(EVIL4, EVIL6, OTHER4, OTHER6))
    script = CANNON.replace("sys.argv[1], json.loads(sys.argv[2])", f"'eth0', json.loads('''{packets}''')")
    script = script.replace("ended.append(sys.stdin.read())", "None")
    entry = {
        "command": ["/usr/bin/python3", "-c", script], "capabilities": {"add": ["NET_RAW", "NET_ADMIN"]},
        "stop_timeout": 0.1, "network": {"ipv4": EVIL4, "ipv6": EVIL6, **network},
    }  # fmt: skip
    containers = {"evil": entry, "db": {"network": {"host_access": False}, "depends_on": ["evil"]}}
    return {"name": "shop", "defaults": {"image": "debian", "command": SLEEP}, "containers": containers}


def assert_cannon_is_loaded(field):
    """The same packets get through if they are permitted, so the network blocked them before."""
    field.host.module("conductor_stack", **evil())
    for _ in range(100):
        field.host.run("true")
        seen = field.arrived()
        if seen:
            break
    assert set(seen) == {"host"}


def test_restarts_and_changes_of_a_stack_open_nothing(field):
    for _ in range(3):
        field.host.module("conductor_stack", **evil(host_access=False), state="restarted")
        field.host.module("conductor_stack", **evil(host_access=False, mtu=1400))
    field.host.module("conductor_stack", name="shop", state="absent")
    assert field.arrived() == {}
    assert_cannon_is_loaded(field)


@spread(29)
def test_no_packet_passes_after_a_run_of_a_stack_died_at_any_step(field, stride):
    step, wish = stride - 1, evil(host_access=False)
    while dies(field.host, step, "stack", **wish, state="restarted"):
        assert field.arrived() == {}, step
        field.host.module("conductor_stack", **wish)
        assert field.arrived() == {}, step
        step += stride
    assert step > 40, "every effect was counted"
    assert_cannon_is_loaded(field)
