"""Connection tracking entries of UDP flows to addresses: those are deleted, and no others."""

import json

from netbox import Inside, call, end_servers, serve
from testhost import PYTHON, module_environment

# Prints the number of flows to ADDRESS..., then of all, after a deletion of those.
DELETE = """
import json, socket, sys
from ansible_collections.conductor.containers.plugins.module_utils._kernel import conntrack
addresses = sys.argv[1:]
def count(ports, found):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.bind((0, 0))
        return len(conntrack.find_flows(netlink, ports, found))
before = count([], addresses), count([(0, 65535)], [])
conntrack.delete_flows([], addresses)
print(json.dumps([*before, count([], addresses), count([(0, 65535)], [])]))
"""


def test_flows_to_an_address_are_deleted(host):
    peers = [{"peer": name, "direction": "to", "ports": ["53/udp"]} for name in ("web", "other")]
    containers = {"web": {}, "other": {}, "caller": {"peers": peers}}
    defaults = {"image": "debian", "command": ["sleep", "infinity"]}
    host.module("conductor_stack", name="shop", defaults=defaults, containers=containers)
    for name in ("web", "other"):
        box = Inside(host, name)
        serve(box, 53, "udp")
        assert all(call(Inside(host, "caller"), address, 53, "udp") for address in box.addresses())
    done = host.run(PYTHON, "-c", DELETE, *Inside(host, "web").addresses(), env=module_environment())
    to_web, all_before, to_web_after, all_after = json.loads(done.stdout)
    assert (to_web, to_web_after) == (2, 0) and all_after == all_before - 2
    end_servers()
    host.module("conductor_stack", name="shop", state="absent")
