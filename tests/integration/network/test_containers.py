"""Networks of real containers: over stop and start, names, and removal."""

import errno

import pytest
from attacks import patched
from netbox import HOST4, HOST6, INTERNET4, Inside, call, end_servers, is_refused, reaches, serve
from seams.faults import fail_with
from snapshot import take


@pytest.fixture
def start(host):
    """Start a container with a name; servers in it end before the container."""

    def started(name, **options):
        host.module("conductor_container", name=name, image="debian", state="started", **options)
        return Inside(host, name)

    yield started
    end_servers()


def run(host, name, *argv):
    return host.module("conductor_exec", container=name, argv=list(argv))["stdout"]


def test_network_is_kept_over_a_restart_and_removed_with_its_container(host, start):
    web = start("web")
    web.network(internet=True, expose=["8080-80"])
    addresses = web.addresses()
    for _ in range(2):
        serve(host.internet, 7000)
        serve(web, 8080)
        for address in (HOST4, HOST6):
            assert reaches(host.outside, address, 80)
        assert call(web, INTERNET4, 7000) == "192.0.2.10"
        end_servers()
        host.module("conductor_container", name="web", state="stopped", force=True)
        assert is_refused(host.outside, HOST4, 80)
        assert "cdtr-" not in host.run("ip", "link").stdout
        assert "conductor" not in host.run("nft", "list", "tables").stdout
        start("web")
        assert web.addresses() == addresses
        assert not web.network(internet=True, expose=["8080-80"])["changed"]
        assert not host.module("conductor_network", state="reconciled")["changed"]
    host.module("conductor_container", name="web", state="absent", force=True)
    start("other").network()
    assert Inside(host, "other").addresses() == addresses, "the address is free again"


def test_names_resolve_in_the_container(host, start):
    start("db", hostname="postgres").network()
    web = start("web", hostname="www")
    assert run(host, "web", "getent", "hosts", "www").startswith("127.0.1.1 ")
    web.network(internet=True)
    host.module("conductor_peer", container="web", peer="db")
    ipv4, ipv6 = Inside(host, "db").addresses()
    own = web.addresses()
    for name, address in (("www", own[0]), ("web", own[0]), ("db", ipv4), ("postgres", ipv4)):
        assert run(host, "web", "getent", "ahostsv4", name).startswith(f"{address} "), name
    assert run(host, "web", "getent", "ahostsv6", "db").startswith(f"{ipv6} ")
    host.module("conductor_container", name="web", state="stopped", force=True)
    start("web")
    assert run(host, "web", "getent", "ahostsv4", "db").startswith(f"{ipv4} ")


def test_name_servers_behind_the_uplinks_are_used_from_the_start_on(host, start):
    before = host.run("cat", "/etc/resolv.conf").stdout
    host.run("tee", "/etc/resolv.conf", stdin="nameserver 198.51.100.53\nnameserver 192.0.2.53\n")
    web = start("web")
    said = web.network(internet=True)
    assert "198.51.100.53 (reached through lan0, which has no default route)" in str(said["warnings"])
    for _ in range(2):
        lines = run(host, "web", "cat", "/etc/resolv.conf").splitlines()
        assert [line for line in lines if line.startswith("nameserver")] == ["nameserver 192.0.2.53"]
        host.module("conductor_container", name="web", state="stopped", force=True)
        start("web")
    host.run("tee", "/etc/resolv.conf", stdin=before)


def test_read_only_container_resolves_its_peers(host, start):
    web = start("web", read_only=True)
    web.network()
    start("db").network()
    host.module("conductor_peer", container="web", peer="db")
    assert run(host, "web", "getent", "ahostsv4", "db").startswith("10.87.0.3 ")


def test_a_container_without_a_network_reaches_nothing(host, start):
    lone, web = start("lone"), start("web")
    web.network()
    serve(host, 9090)
    assert is_refused(lone, "10.87.0.1", 9090)
    assert is_refused(lone, web.addresses()[0], 9090)
    assert lone.run("ip", "-o", "link").stdout.count("\n") == 1


def test_changed_hostname_is_written_to_hosts_of_callers(host, start):
    start("web")
    host.module("conductor_container", name="db", image="debian", state="present")
    for name in ("web", "db"):
        host.module("conductor_network", container=name)
    host.module("conductor_peer", container="web", peer="db", direction="to")
    change = {"name": "db", "state": "present", "hostname": "store.example"}
    predicted = host.module("conductor_container", check=True, **change)
    assert "store.example" not in run(host, "web", "cat", "/etc/hosts")
    done = host.module("conductor_container", **change)
    assert predicted["actions"] == done["actions"] == ["change hostname of container db", "write /etc/hosts in web"]
    assert "db store.example" in run(host, "web", "cat", "/etc/hosts")
    assert host.module("conductor_network", state="reconciled")["actions"] == []
    assert not host.module("conductor_container", **change)["changed"]
    gone = host.module("conductor_container", check=True, name="db", state="absent")["actions"]
    assert "write /etc/hosts in web" in gone
    assert host.module("conductor_container", name="db", state="absent")["actions"] == gone
    assert "store.example" not in run(host, "web", "cat", "/etc/hosts")


def test_check_mode_predicts_network_actions_of_start_and_stop(host):
    """Compares the host's state before and after with the actions of check mode."""
    host.module("conductor_container", name="web", image="debian", state="present")
    host.module("conductor_network", container="web", internet=True, expose=["8080-80"])
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
    link = Inside(host, "web").network(internet=True, expose=["8080-80"])["network"]["link"]

    def state() -> dict:
        return {
            f"connect web by {link}": link in host.run("ip", "link").stdout,
            "enable IPv4 forwarding": host.run("sysctl", "-n", "net.ipv4.ip_forward").stdout != "0\n",
            "enable IPv6 forwarding": host.run("sysctl", "-n", "net.ipv6.conf.all.forwarding").stdout != "0\n",
            "write the firewall table inet conductor": "conductor" in host.run("nft", "list", "tables").stdout,
        }

    before = state()
    predicted = host.module("conductor_container", check=True, name="web", state="started")["actions"]
    assert state() == before and not any(before.values())
    done = host.module("conductor_container", name="web", state="started")["actions"]
    assert done == predicted
    assert {action for action, holds in state().items() if holds} == set(state()) <= set(done)
    predicted = host.module("conductor_container", check=True, name="web", state="stopped")["actions"]
    assert host.module("conductor_container", name="web", state="stopped")["actions"] == predicted
    assert f"delete the link {link}" in predicted and "delete the firewall table inet conductor" in predicted
    assert not state()[f"connect web by {link}"]
    assert not state()["write the firewall table inet conductor"]


def test_check_mode_of_a_start_fails_if_required_forwarding_is_off(host):
    host.module("conductor_container", name="web", image="debian", state="present")
    host.module("conductor_network", container="web")
    host.run("tee", "/etc/conductor/conductor.json", stdin='{"forwarding": "require"}')
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    said = [
        host.module("conductor_container", check=check, fails=True, name="web", state="started")["msg"]
        for check in (True, False)
    ]
    assert said[0] == said[1] and "does not forward IPv4" in said[0]
    host.run("rm", "/etc/conductor/conductor.json")


def test_failed_start_removes_its_network(host):
    web = {"name": "web", "image": "debian", "command": ["/no/such/program"]}
    host.module("conductor_container", **web, state="present")
    host.module("conductor_network", container="web", internet=True, expose=["80-8080"])
    before = take(host)
    failed = host.module("conductor_container", **web, fails=True)
    assert not failed["changed"] and failed["actions"] == [] and "done before" not in failed["msg"]
    # Programs of ours, the log of the try, and the cgroup that supervisors have in common.
    left = [line for line in set(before) ^ set(take(host)) if not line.startswith(("file: ", "process: ", "cgroup: "))]
    assert left == []


def test_start_without_a_link_leaves_nothing_behind(host):
    web = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
    host.module("conductor_container", **web, state="present")
    host.module("conductor_network", container="web")
    refuse = fail_with("_network.veth:attach_guard", errno=errno.ENOSPC)
    failed = patched(host, "conductor_container", seams=[refuse], **web, fails=True)
    assert "container web: No space left" in failed["msg"] and not failed["changed"]
    assert "cdtr-" not in host.run("ip", "link").stdout and "conductor" not in host.run("nft", "list", "tables").stdout
    assert "web" not in host.run("ls", "/run/netns").stdout
    assert host.module("conductor_container", **web)["container"]["state"] == "running"
