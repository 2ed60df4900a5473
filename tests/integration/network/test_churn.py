"""A host whose links, addresses and routes change all the time: dumps are complete, and runs succeed."""

import json
import subprocess

import pytest
from netbox import Box
from seams import build_command, build_environment
from seams.audits import count_interrupted_dumps

# Links with an address, made and deleted without end; and routes at the head of the table, so that a dump that goes
# on after a change begins at another place than where it was.
CHURN = """
import os, subprocess, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print("ready", flush=True)
routes = [f"2001:db8:8:{i}::/64 dev lan0" for i in range(10)]
changes = [f"route {verb} {route}" for verb in ("add", "del") for route in routes]
changes += ["addr add 172.20.1.1/24 dev churn", "addr del 172.20.1.1/24 dev churn"]
lines = ["link add churn type veth peer name churnp", "link set churn up", *changes * 20, "link del churn"]
while True:
    subprocess.run(["ip", "-batch", "-"], input="\\n".join(lines), text=True, check=True, stdout=subprocess.DEVNULL)
"""
LASTING = 400
LOOKS = """
import json, os
from ansible_collections.conductor.containers.plugins.module_utils._errors import ConductorError
from ansible_collections.conductor.containers.plugins.module_utils._kernel.interfaces import open_rtnetlink
wanted = {f"2001:db8:9:{i:x}::/64" for i in range(1, 401)}
links = {f"still{i}" for i in range(60)}
failed, torn = [], 0
for number in range(1000):
    if number >= 30 and os.path.exists("/run/repeated"):
        break
    try:
        with open_rtnetlink() as host:
            torn += bool(wanted - {network for network, _link in host.networks()})
            torn += set(host.names("still")) != links
            torn += host.index("lan0") is None or "198.51.100.1/24" not in host.interface("lan0").addresses
            host.router_advertisement_interfaces()
    except ConductorError as error:
        failed.append(str(error))
print(json.dumps({"failed": failed, "torn": torn, "repeated": os.path.exists("/run/repeated")}))
"""


@pytest.fixture
def restless(bare_host):
    """A host with permanent links and routes, while others are added and removed during the test."""
    lines = [f"route add 2001:db8:9:{i:x}::/64 dev lan0" for i in range(1, LASTING + 1)]
    lines += [f"link add still{i} type veth peer name still{30 + i}" for i in range(30)]
    bare_host.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")
    churn = bare_host.popen("python3", "-c", CHURN, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert churn.stdout.readline() == b"ready\n"
    yield bare_host
    assert churn.poll() is None, "the links came and went until the end"
    churn.communicate()


def test_dumps_are_complete_while_links_change(restless):
    program = build_command([count_interrupted_dumps(path="/run/repeated")], "python", LOOKS)
    found = json.loads(restless.run(*program, env=build_environment()).stdout)
    assert found == {"failed": [], "torn": 0, "repeated": True}


def besides_the_fence(lines):
    """`lines` without those about the fence, which follows the changing interfaces and routes."""
    of_the_fence = (
        "block other forwarding between",
        "the routing rules that keep this host",
        "sets fenced",
        "set fenced",
    )
    return [line for line in lines if not any(words in line for words in of_the_fence)]


def test_modules_succeed_while_links_change(restless):
    boxes = [Box(restless, name) for name in ("one", "two")]
    for box in boxes:
        assert box.network()["changed"]
        assert not besides_the_fence(box.network()["actions"])
    for _ in range(3):
        seen = restless.module("conductor_network_info")
        assert [network["drift"] for network in seen["networks"]] == [[], []]
        assert not besides_the_fence(seen["drift"])
    assert not besides_the_fence(restless.module("conductor_network", state="reconciled")["actions"])
