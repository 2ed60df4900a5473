"""What role deploy leaves on the host, seen from the host, from containers and from outside."""

import os
from pathlib import Path

SCENARIO = Path(__file__).parents[1]
CALL = (
    "import sys, urllib.request as u; "
    "print(u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=float(sys.argv[2])).read().decode())"
)
OUTSIDE = f"nsenter --net=/proc/{os.environ['CONDUCTOR_OUTSIDE_PID']}/ns/net"


def call(host, url, where="", patience=5):
    """What the web server at `url` says to a client at `where`; None where it does not answer."""
    done = host.run(f"{where} python3 -c %s %s %s", CALL, url, str(patience))
    return done.stdout if done.succeeded else None


def inside(name):
    return f"ip netns exec conductor-{name}"


def address(host, name):
    return host.check_output("ip -n %s -4 -o address show dev eth0", f"conductor-{name}").split()[3].split("/")[0]


def test_the_host_has_what_its_role_installs(host):
    for package in ("python3-pyroute2", "nftables", "mmdebstrap"):
        assert host.package(package).is_installed
    assert '"forwarding": "enable"' in host.file("/etc/conductor/conductor.json").content_string
    assert host.file("/etc/sysctl.d/60-conductor.conf").contains("net.ipv4.ip_forward = 1")
    assert host.file("/proc/sys/net/ipv4/ip_forward").content_string.strip() == "1"


def test_containers_run_their_commands(host):
    assert sorted(host.file("/var/lib/conductor/containers").listdir()) == ["backend", "lonely", "web"]
    assert len(host.process.filter(comm="python3", args="/usr/bin/python3 -m http.server 8000 --bind ::")) == 2


def test_the_exposed_port_answers_the_host_and_the_outside(host):
    for url in ("http://127.0.0.1:8080/hostname", "http://198.51.100.1:8080/hostname", "http://[::1]:8080/hostname"):
        assert call(host, url).strip() == "web"
    assert call(host, "http://198.51.100.1:8080/hostname", OUTSIDE).strip() == "web"


def test_the_backend_is_for_its_peer_only(host):
    backend = f"http://{address(host, 'backend')}:8000/"
    assert call(host, backend, inside("web")) is not None
    assert call(host, backend, inside("lonely"), 1) is None
    assert call(host, backend, OUTSIDE, 1) is None
    assert call(host, f"http://{address(host, 'web')}:8000/", inside("backend"), 1) is None


def test_check_mode_says_what_would_change_and_changes_nothing(host):
    before = host.check_output("cat /var/lib/conductor/containers/*/*.json; nft -s list table inet conductor")
    done = host.run(
        "ansible-playbook --check -i %s %s", os.environ["MOLECULE_INVENTORY_FILE"], str(SCENARIO / "check.yml")
    )
    assert done.succeeded, done.stdout
    assert "would be created, connected and started: fresh" in done.stdout
    assert "changed: [localhost] => (item=lonely)" in done.stdout
    assert host.check_output("cat /var/lib/conductor/containers/*/*.json; nft -s list table inet conductor") == before
    assert not host.file("/var/lib/conductor/containers/fresh").exists
