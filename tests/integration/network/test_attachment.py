"""Network stages of starting, stopping and removing a container."""

import json

from attacks import patched
from netbox import HOST4, Box, is_refused, reaches, serve
from seams.interference import take_inner_name
from testhost import PYTHON, module_environment

CALLS = """
import os
from ansible_collections.conductor.containers.plugins.module_utils._network.hosts_files import inside_files
from ansible_collections.conductor.containers.plugins.module_utils._network.stages import (
    carry_out, detach_network, has_network)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.stages import (
    AttachNetwork, RemoveNameFromCallers)
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
settings = Settings()

def attach(name):
    if has_network(settings, name):
        carry_out(settings, AttachNetwork(name, name))

def detach(name):
    detach_network(settings, name)

def forget(name):
    carry_out(settings, RemoveNameFromCallers(name))
"""


def calls(host, text, python=PYTHON, check=True):
    """Run a line of Python with the network stages and the settings imported."""
    return host.run(python, "-c", f"{CALLS}\n{text}\n", env=module_environment(), check=check)


def test_attach_and_detach_are_idempotent(bare_host):
    web, db = Box(bare_host, "web"), Box(bare_host, "db")
    serve(web, 8080)
    web.network(expose=["8080-80"])
    db.network()
    for _ in range(2):
        calls(bare_host, "detach('web')")
        assert is_refused(bare_host.outside, HOST4, 80)
        assert bare_host.run("ip", "-o", "link").stdout.count("cdtr-") == 1
        assert "conductor-web" not in bare_host.run("ip", "netns").stdout
    web.stop()
    web.start()
    serve(web, 8080)
    for _ in range(2):
        calls(bare_host, "attach('web')")
        assert reaches(bare_host.outside, HOST4, 80)
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]


def test_detach_works_on_a_partial_network(bare_host):
    web, db = Box(bare_host, "web"), Box(bare_host, "db")
    db.network()
    for breakage in (
        ["ip", "netns", "del", "conductor-web"],
        ["rm", f"{web.directory}/network.json"],
        ["nft", "flush", "ruleset"],
        ["sh", "-c", "ip link del web-outside"],
        ["sh", "-c", f"echo '{{' > {web.directory}/network.json"],
        ["rm", "-r", f"{web.directory}/container.json"],
    ):
        web.network(expose=["8080-80"])
        bare_host.run(*breakage)
        calls(bare_host, "detach('web')")
        assert bare_host.run("ip", "-o", "link").stdout.count("cdtr-") == 1, breakage
        assert "8080" not in bare_host.run("nft", "list", "ruleset").stdout, breakage
        bare_host.run("umount", web.root)
        bare_host.run("rm", "-rf", web.directory)
        bare_host.run("ip", "netns", "del", "conductor-web", check=False)
        web = Box(bare_host, "web")


def test_container_without_a_network_changes_nothing(bare_host):
    web = Box(bare_host, "web")
    before = bare_host.run("nft", "list", "ruleset").stdout
    # Not even the library is needed.
    calls(bare_host, "import sys; sys.modules['pyroute2'] = None; attach('web'); detach('web')")
    assert bare_host.run("nft", "list", "ruleset").stdout == before
    root = f"os.open({web.root!r}, os.O_PATH)"
    files = calls(bare_host, f"print(inside_files(settings, 'web', 'www', {root}))").stdout
    assert "127.0.1.1 www web" in files and "resolv" not in files


def test_attach_reports_the_damaged_file(bare_host):
    web = Box(bare_host, "web")
    bare_host.run("tee", f"{web.directory}/network.json", stdin="{}")
    said = calls(bare_host, "attach('web')", check=False).stderr
    assert "Damaged" in said and "network.json" in said


def test_removed_container_is_removed_from_hosts_of_its_callers(bare_host):
    web, db = Box(bare_host, "web"), Box(bare_host, "db")
    web.network()
    db.network()
    bare_host.module("conductor_peer", container="web", peer="db")
    calls(bare_host, "detach('db')")
    db.stop()
    bare_host.run("rm", "-rf", db.directory)
    assert " db" in web.file("/etc/hosts")
    calls(bare_host, "forget('db')")
    assert " db" not in web.file("/etc/hosts")
    assert bare_host.module("conductor_network_info")["networks"][0]["drift"] == []


def test_name_that_is_taken_in_a_container_at_the_last_moment_concerns_it_alone(bare_host):
    boxes = [Box(bare_host, name) for name in ("evil", "web")]
    for box in boxes:
        box.network(expose=["8080-80"] if box.name == "web" else [])
    bare_host.run("sh", "-c", "ip link del evil-outside; ip link del web-outside")
    done = patched(bare_host, "conductor_network", seams=[take_inner_name], state="reconciled")
    (warning,) = done["warnings"]
    assert "container evil: the kernel refused a change of the network" in str(warning)
    serve(boxes[1], 8080)
    assert reaches(bare_host.outside, HOST4, 80)
    boxes[0].run("ip", "link", "del", "eth0")
    bare_host.module("conductor_network", state="reconciled")
    bare_host.run("ip", "link", "del", "evil-outside")
    said = patched(bare_host, "conductor_network", seams=[take_inner_name], container="evil", fails=True)["msg"]
    assert "container evil: the kernel refused a change of the network" in said


def test_link_that_cannot_be_replaced_concerns_its_container_alone(bare_host):
    """Root inside renames the interface and makes another one with its name."""
    evil, web = (Box(bare_host, name) for name in ("evil", "web"))
    evil.network(expose=["8080-81"])
    web.network(expose=["8080-80"])
    for change in ("set eth0 down", "set eth0 name eth1", "add eth0 type veth peer name eth2"):
        evil.run("ip", "link", *change.split())
    bare_host.run("ip", "link", "del", "web-outside")
    done = bare_host.module("conductor_network", state="reconciled")
    (warning,) = done["warnings"]
    assert "container evil: " in str(warning) and "already has an interface eth0" in str(warning)
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]
    assert not web.network(expose=["8080-80"])["changed"]
    serve(web, 8080)
    assert reaches(bare_host.outside, HOST4, 80)
    evil.run("ip", "link", "del", "eth0")
    assert "warnings" not in bare_host.module("conductor_network", state="reconciled")
    assert bare_host.module("conductor_network_info")["networks"][0]["drift"] == []


def test_info_shows_networks_and_changes_nothing(bare_host):
    web, db = Box(bare_host, "web"), Box(bare_host, "db")
    web.network(internet=True, expose=["8080-80"])
    db.network()
    Box(bare_host, "lone")
    bare_host.module("conductor_peer", container="web", peer="db", direction="to", ports=["5432/tcp"])
    before = bare_host.run("nft", "list", "ruleset").stdout
    found = bare_host.module("conductor_network_info")
    assert not found["changed"] and found["table_present"] and found["drift"] == [] and found["blocked_by"] == []
    assert [network["container"] for network in found["networks"]] == ["db", "web"]
    shown = found["networks"][1]
    assert (shown["ipv4"], shown["ipv6"]) == web.addresses()
    assert shown["link"] in bare_host.run("ip", "link").stdout
    assert shown["peers"] == [{"peer": "db", "ports": ["5432/tcp"]}]
    assert shown["expose"] == [{"container_port": 8080, "host_port": 80, "protocol": "tcp", "host_ip": None}]
    assert json.loads(json.dumps(shown))["attached"] is True
    assert bare_host.module("conductor_network_info", name=["web"])["networks"] == [shown]
    assert bare_host.module("conductor_network_info", name=["nobody"])["networks"] == []
    assert bare_host.run("nft", "list", "ruleset").stdout == before
