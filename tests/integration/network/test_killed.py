"""kill -9 before every effect of a run: the next run converges to the state of an uninterrupted one."""

import pytest
from dying import dies
from netbox import HOST4, HOST6, Box, reaches, serve
from strides import spread

NETWORK = {
    "container": "web", "state": "present", "internet": True, "uplink": None, "expose": ["8080-80", "8080-80/udp"],
    "host_access": True, "metadata": False, "ipv4": None, "ipv6": None, "mac": None, "mtu": 1500, "dns": None,
}  # fmt: skip
PEER = {"container": "web", "peer": "db", "state": "present", "ports": None, "direction": "both"}


def settled(host):
    found = host.module("conductor_network_info")
    return found["drift"] == [] and all(network["drift"] == [] for network in found["networks"])


@spread(7)
def test_killed_run_converges_on_next_run(bare_host, stride):
    box = Box(bare_host, "web")
    serve(box, 8080)
    step = stride - 1
    while dies(bare_host, step, "network", **NETWORK):
        bare_host.module("conductor_network", **NETWORK)
        assert settled(bare_host), step
        bare_host.module("conductor_network", container="web", state="absent")
        assert "cdtr-" not in bare_host.run("ip", "link").stdout
        step += stride
    assert step > 20, "every effect was counted"
    assert reaches(bare_host.outside, HOST4, 80)
    assert reaches(bare_host.outside, HOST6, 80)


def test_killed_removal_converges_on_next_run(bare_host):
    Box(bare_host, "web")
    other = Box(bare_host, "other")
    other.network()
    step = 0
    bare_host.module("conductor_network", **NETWORK)
    while dies(bare_host, step, "network", **{**NETWORK, "state": "absent"}):
        bare_host.module("conductor_network", container="web", state="absent")
        assert settled(bare_host), step
        assert bare_host.run("ip", "-o", "link").stdout.count("cdtr-") == 1
        bare_host.module("conductor_network", **NETWORK)
        step += 1
    assert step >= 3


@pytest.mark.parametrize("state", ["present", "absent"])
def test_killed_peer_run_converges_on_next_run(bare_host, state):
    boxes = [Box(bare_host, name) for name in ("web", "db")]
    for box in boxes:
        box.network()
    before = "absent" if state == "present" else "present"
    step = 0
    bare_host.module("conductor_peer", **{**PEER, "state": before})
    while dies(bare_host, step, "peer", **{**PEER, "state": state}):
        bare_host.module("conductor_peer", **{**PEER, "state": state})
        assert settled(bare_host), step
        assert not bare_host.module("conductor_peer", **{**PEER, "state": state})["changed"]
        bare_host.module("conductor_peer", **{**PEER, "state": before})
        step += 1
    assert step >= 4
