"""Result of role deploy, seen from the host, from containers and from outside."""

import json
import os
from pathlib import Path

import yaml

SCENARIO = Path(__file__).parents[1]
LISTED = yaml.safe_load((SCENARIO / "vars/containers.yml").read_text())["listed"]
CALL = (
    "import sys, urllib.request as u; "
    "print(u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=float(sys.argv[2])).read().decode())"
)
OUTSIDE = f"nsenter --net=/proc/{os.environ['CONDUCTOR_OUTSIDE_PID']}/ns/net"


def call(host, url, where="", patience=5):
    """Answer of the web server at `url` to a client at `where`, or None if it does not answer."""
    done = host.run(f"{where} python3 -c %s %s %s", CALL, url, str(patience))
    return done.stdout if done.succeeded else None


def deploy(host, containers, *options):
    """Converge with another list. Returns the output of ansible-playbook."""
    inventory, playbook = os.environ["MOLECULE_INVENTORY_FILE"], str(SCENARIO / "converge.yml")
    variables = json.dumps({"listed": containers})
    done = host.run(f"ansible-playbook {' '.join(options)} -i %s -e %s %s", inventory, variables, playbook)
    assert done.succeeded, done.stdout
    return done.stdout


def inside(name):
    return f"ip netns exec conductor-{name}"


def address(host, name):
    return host.check_output("ip -n %s -4 -o address show dev eth0", f"conductor-{name}").split()[3].split("/")[0]


def test_host_has_packages_and_settings(host):
    for package in ("python3-pyroute2", "nftables", "mmdebstrap"):
        assert host.package(package).is_installed
    assert '"forwarding": "enable"' in host.file("/etc/conductor/conductor.json").content_string
    # The reasons are in its comments.
    assert not host.file("/etc/sysctl.d/60-conductor.conf").contains("^[^#]*forward")
    assert host.file("/proc/sys/net/ipv4/ip_forward").content_string.strip() != "0"
    assert host.file("/etc/systemd/system/nftables.service.d/conductor.conf").contains("conductor reconcile")


def test_log_is_rotated_while_the_container_runs(host):
    log = "/var/lib/conductor/containers/web/console.log"
    assert call(host, "http://127.0.0.1:8080/hostname") and host.file(log).size > 0
    host.check_output("logrotate --force --state /run/logrotate.state /etc/logrotate.d/conductor")
    assert host.file(log).size == 0 and host.file(f"{log}.1").size > 0
    assert call(host, "http://127.0.0.1:8080/hostname") and b"\0" not in host.file(log).content != b""


def test_containers_run_their_commands(host):
    assert sorted(host.file("/var/lib/conductor/containers").listdir()) == ["backend", "lonely", "web"]
    assert len(host.process.filter(comm="python3", args="/usr/bin/python3 -m http.server 8000 --bind ::")) == 2


def test_the_exposed_port_answers_the_host_and_the_outside(host):
    for url in ("http://127.0.0.1:8080/hostname", "http://198.51.100.1:8080/hostname", "http://[::1]:8080/hostname"):
        assert call(host, url).strip() == "web"
    assert call(host, "http://198.51.100.1:8080/hostname", OUTSIDE).strip() == "web"


def test_only_the_peer_reaches_the_backend(host):
    backend = f"http://{address(host, 'backend')}:8000/"
    assert call(host, backend, inside("web")) is not None
    assert call(host, backend, inside("lonely"), 1) is None
    assert call(host, backend, OUTSIDE, 1) is None
    assert call(host, f"http://{address(host, 'web')}:8000/", inside("backend"), 1) is None


def test_check_mode_reports_changes_and_makes_none(host):
    before = host.check_output("cat /var/lib/conductor/containers/*/*.json; nft -s list table inet conductor")
    changed = {"fresh": {"peers": ["web"]}, "lonely": {"memory": "64m", "network": {}}}
    said = deploy(host, {**LISTED, **changed}, "--check", "--diff")
    assert "changed: [localhost] => (item=site)" in said and "fresh" in said and "67108864" in said
    assert host.check_output("cat /var/lib/conductor/containers/*/*.json; nft -s list table inet conductor") == before
    assert not host.file("/var/lib/conductor/containers/fresh").exists


def test_networks_and_peers_that_are_no_longer_listed_are_removed(host):
    without = {name: {key: v for key, v in item.items() if key != "peers"} for name, item in LISTED.items()}
    deploy(host, {**without, "backend": {**without["backend"], "network": {}}, "lonely": {}})
    assert call(host, f"http://{address(host, 'backend')}:8000/", inside("web"), 1) is None
    assert call(host, "http://127.0.0.1:8080/hostname").strip() == "web"
    assert host.run("ip -n conductor-lonely link show dev eth0").failed
    deploy(host, LISTED)
    assert call(host, f"http://{address(host, 'backend')}:8000/", inside("web")) is not None
