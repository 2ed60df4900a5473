"""Who reaches whom on a real machine: from it by localhost, from outside by its card, and containers each other."""

import os
import urllib.request

import pytest
from outside import OUTSIDE, server_outside

WEB = ("http://127.0.0.1:8080/", "http://[::1]:8080/")


def call_from_outside():
    """What the exposed port says to a client beyond the machine's network card."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(f"http://127.0.0.1:{os.environ['CONDUCTOR_VM_WEB_PORT']}/", timeout=20).read().decode()


def test_an_exposed_port_answers_the_host_by_localhost_of_both_protocols(deployed):
    assert [said.split()[0] for said in deployed.calls(*WEB)] == ["web", "web"]
    assert deployed.calls("http://127.0.0.1:8000/", "http://[::1]:8000/") == ["refused", "refused"]


def test_an_exposed_port_answers_clients_outside_with_their_own_address(deployed):
    assert call_from_outside() == f"web ::ffff:{OUTSIDE}"


def test_a_peer_is_reached_by_name_and_by_nobody_else(deployed):
    four, six = deployed.containers()["backend"]["addresses"]
    urls = [f"http://{four}:8000/", f"http://[{six}]:8000/"]
    found = [said.split()[0] for said in deployed.calls_inside("web", "http://backend:8000/", *urls)]
    assert found == ["backend"] * 3
    assert deployed.calls_inside("lonely", *urls) == ["refused"] * 2
    four, six = deployed.containers()["web"]["addresses"]
    assert deployed.calls_inside("backend", f"http://{four}:8000/", f"http://[{six}]:8000/") == ["refused"] * 2


def test_only_a_container_with_internet_reaches_beyond_the_host(deployed):
    with server_outside() as url:
        assert deployed.calls(url) == deployed.calls_inside("web", url) == ["outside"]
        assert deployed.calls_inside("lonely", url) == ["refused"]


def test_the_route_that_a_router_announced_stays_though_the_host_forwards(deployed):
    host = deployed.host
    assert host.file("/proc/sys/net/ipv6/conf/all/forwarding").content_string != "0\n"
    assert host.check_output("ip -6 route show default proto ra")


def test_the_host_listens_to_a_router_that_was_silent_while_the_playbook_ran_after_the_next_boot_too(deployed):
    """A kernel that forwards listens to no router unless accept_ra is 2, and so would never learn the route again."""
    host = deployed.host
    host.check_output("ip -6 route del default proto ra dev ens3")
    try:
        deployed.role("host")
        assert host.file("/etc/sysctl.d/60-conductor.conf").contains("net.ipv6.conf.ens3.accept_ra = 2")
    finally:
        # Begun anew, the card asks for routers.
        host.check_output("for n in 1 0; do sysctl -q net.ipv6.conf.ens3.disable_ipv6=$n; done")
        host.check_output("timeout 60 sh -c 'until ip -6 route show default proto ra | grep -q via; do sleep 1; done'")
        deployed.role("host")


def test_loading_the_hosts_own_rules_takes_nothing_away(deployed):
    """Debian's /etc/nftables.conf begins with `flush ruleset`; the drop-in of role host reconciles after it."""
    deployed.host.check_output("systemctl restart nftables")
    assert [said.split()[0] for said in deployed.calls(*WEB)] == ["web", "web"]
    assert call_from_outside() == f"web ::ffff:{OUTSIDE}"
    assert not deployed.module("conductor_network", state="reconciled")["changed"]


@pytest.mark.parametrize("lost", ["nft flush ruleset", "nft delete table inet conductor"])
def test_reconciled_brings_back_what_was_taken_away(deployed, lost):
    deployed.host.check_output(lost)
    assert deployed.calls(*WEB) == ["refused", "refused"]
    assert deployed.module("conductor_network", state="reconciled")["changed"]
    assert [said.split()[0] for said in deployed.calls(*WEB)] == ["web", "web"]
    assert call_from_outside() == f"web ::ffff:{OUTSIDE}"
    assert not deployed.module("conductor_network", state="reconciled")["changed"]
