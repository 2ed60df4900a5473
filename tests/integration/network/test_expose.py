"""Exposed ports: from other hosts, from the host by its addresses and localhost, and from containers."""

import pytest
from netbox import (
    GATEWAY4,
    GATEWAY6,
    HOST4,
    HOST6,
    OUTSIDE4,
    OUTSIDE6,
    Box,
    call,
    end_servers,
    is_refused,
    reaches,
    serve,
)

PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])


@pytest.fixture
def web(bare_host):
    """A container with an echo server on its port 8080, TCP and UDP."""
    # Another one first, so that nothing holds for the first container only.
    Box(bare_host, "first").network()
    box = Box(bare_host, "web")
    serve(box, 8080)
    serve(box, 8080, "udp")
    return box


def expose(protocol):
    return [f"8080-80/{protocol}"]


@PROTOCOLS
def test_expose_alone_answers_clients_outside_with_their_own_address(bare_host, web, protocol):
    web.network(expose=expose(protocol))
    assert call(bare_host.outside, HOST4, 80, protocol) == OUTSIDE4
    assert call(bare_host.outside, HOST6, 80, protocol) == OUTSIDE6
    assert is_refused(bare_host.outside, HOST4, 8080, protocol)
    other = "udp" if protocol == "tcp" else "tcp"
    assert is_refused(bare_host.outside, HOST4, 80, other)


@PROTOCOLS
@pytest.mark.parametrize("address", [HOST4, HOST6, "127.0.0.1", "127.0.0.5", "::1", GATEWAY4, GATEWAY6])
def test_host_reaches_exposed_ports_by_its_addresses_and_localhost(bare_host, web, protocol, address):
    web.network(expose=expose(protocol))
    assert reaches(bare_host, address, 80, protocol)


@PROTOCOLS
@pytest.mark.parametrize("address", [HOST4, HOST6, GATEWAY4, GATEWAY6])
def test_container_reaches_its_own_exposed_port_by_host_address(web, protocol, address):
    web.network(expose=expose(protocol))
    assert reaches(web, address, 80, protocol)


@PROTOCOLS
def test_other_container_reaches_it_by_host_address_only(bare_host, web, protocol):
    web.network(expose=expose(protocol))
    other = Box(bare_host, "other")
    other.network()
    for address, host, own in zip(web.addresses(), (HOST4, HOST6), other.addresses()):
        assert call(other, host, 80, protocol) == own
        assert is_refused(other, address, 8080, protocol)
    other.network(host_access=False)
    assert is_refused(other, HOST4, 80, protocol)


def test_two_containers_on_different_ports_both_answer_on_localhost(bare_host, web):
    web.network(expose=["8080-80"])
    second = Box(bare_host, "second")
    serve(second, 8080)
    second.network(expose=["8080-81"])
    for address in ("127.0.0.1", "::1"):
        assert reaches(bare_host, address, 80)
        assert reaches(bare_host, address, 81)
    second.network()
    assert is_refused(bare_host, "::1", 81)
    assert reaches(bare_host, "::1", 80)


def test_host_ip_restricts_to_one_address(bare_host, web):
    web.network(
        expose=[
            {"container_port": 8080, "host_port": 80, "host_ip": HOST4},
            {"container_port": 8080, "host_port": 81, "host_ip": "127.0.0.1"},
            {"container_port": 8080, "host_port": 82, "host_ip": "::"},
        ]
    )
    assert reaches(bare_host.outside, HOST4, 80)
    assert is_refused(bare_host.outside, HOST6, 80)
    assert is_refused(bare_host, "127.0.0.1", 80)
    assert reaches(bare_host, "127.0.0.1", 81)
    assert is_refused(bare_host.outside, HOST4, 81)
    assert reaches(bare_host.outside, HOST6, 82)
    assert is_refused(bare_host.outside, HOST4, 82)


def test_a_range_keeps_its_offset(bare_host, web):
    serve(web, 8085)
    web.network(expose=[{"container_port": "8080-8090", "host_port": "9080-9090"}])
    assert reaches(bare_host.outside, HOST4, 9080)
    assert reaches(bare_host.outside, HOST6, 9085)
    assert is_refused(bare_host.outside, HOST4, 9081)


@PROTOCOLS
def test_range_of_ten_thousand_ports_is_exposed_unchanged(bare_host, web, protocol):
    serve(web, 10000, protocol)
    serve(web, 20000, protocol)
    serve(web, 20001, protocol)
    result = web.network(expose=[f"10000-20000:10000-20000/{protocol}", "8080-80"])
    assert "warnings" not in result
    listed = bare_host.run("nft", "-n", "list", "table", "inet", "conductor").stdout
    assert len(listed.splitlines()) < 300
    for port in (10000, 20000):
        assert call(bare_host.outside, HOST4, port, protocol) == OUTSIDE4
        assert call(bare_host.outside, HOST6, port, protocol) == OUTSIDE6
        assert reaches(bare_host, "127.0.0.1", port, protocol)
    assert is_refused(bare_host.outside, HOST4, 20001, protocol)
    assert reaches(bare_host.outside, HOST4, 80)
    assert not web.network(expose=[f"10000-20000:10000-20000/{protocol}", "8080-80"])["changed"]
    web.network(expose=[f"10000-10010:10000-10010/{protocol}"])
    assert reaches(bare_host.outside, HOST4, 10000, protocol)
    assert is_refused(bare_host.outside, HOST4, 20000, protocol)
    assert bare_host.module("conductor_network_info")["networks"][1]["drift"] == []
    other = Box(bare_host, "other")
    said = bare_host.module(
        "conductor_network", container="other", expose=[{"container_port": "1-10005", "protocol": protocol}], fails=True
    )["msg"]
    assert "exposed by container web" in said and other.name == "other"


def test_a_pair_that_looks_like_a_range_is_one_port_and_warns(bare_host, web):
    serve(web, 10000, "udp")
    result = web.network(expose=["10000-20000/udp"])
    assert "'10000-20000:10000-20000/udp'" in str(result["warnings"])
    assert reaches(bare_host.outside, HOST4, 20000, "udp")
    assert is_refused(bare_host.outside, HOST4, 10000, "udp")


def test_overlapping_container_ranges_are_merged(bare_host, web):
    ports = [{"container_port": "8080-8090", "host_port": "8080-8090"}, "8085-81", {"container_port": "8090-8095"}]
    said = bare_host.module("conductor_network", container="web", expose=ports, fails=True)["msg"]
    assert "twice" in said
    ports[2]["container_port"] = "8091-8095"
    serve(web, 8085)
    web.network(expose=ports)
    for port in (81, 8080, 8085):
        assert reaches(bare_host.outside, HOST4, port)
    web.network(expose=ports[1:2])
    assert reaches(bare_host.outside, HOST4, 81)
    assert is_refused(bare_host.outside, HOST4, 8085)


def test_removed_expose_ends_its_connections(bare_host, web):
    web.network(expose=["8080-80"])
    script = (
        "import socket,sys;s=socket.create_connection((sys.argv[1],80));s.settimeout(1)\n"
        "for line in sys.stdin:\n"
        " try: s.sendall(b'x'); print(len(s.recv(99)),flush=True)\n"
        " except OSError: print('cut',flush=True)\n"
    )
    pipes = {"stdin": -1, "stdout": -1, "text": True}
    client = bare_host.outside.popen("python3", "-c", script, HOST4, **pipes)

    def ask():
        client.stdin.write("\n")
        client.stdin.flush()
        return client.stdout.readline().strip()

    assert ask() != "cut"
    web.network(expose=["8080-81"])
    assert reaches(bare_host.outside, HOST4, 81), "the container's port itself is still open"
    web.network(expose=[])
    assert ask() == "cut"
    client.communicate()


UDP_SENDER = """
import socket, sys, time
sender = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sender.settimeout(0.05)
sender.connect((sys.argv[1], 80))
end, answers = time.monotonic() + float(sys.argv[2]), 0
print("sending", flush=True)
while time.monotonic() < end:
    try:
        sender.send(b"x")
        answers += bool(sender.recv(100))
        print("answered", flush=True)
        sys.exit()
    except OSError:
        pass
"""


@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_constant_udp_sender_reaches_a_newly_exposed_port(bare_host, web, address):
    sender = bare_host.outside.popen("python3", "-c", UDP_SENDER, address, "8", stdout=-1, text=True)
    assert sender.stdout.readline() == "sending\n"
    assert is_refused(bare_host.outside, address, 80, "udp")
    web.network(expose=["8080-80/udp"])
    assert sender.communicate()[0] == "answered\n"


def test_service_that_binds_an_exposed_port_later_is_reported(bare_host, web):
    Box(bare_host, "other").network(expose=["70-70"])
    web.network(expose=["8080-80", "10000-10010:10000-10010/udp"])
    assert [n["drift"] for n in bare_host.module("conductor_network_info")["networks"]] == [[], [], []]
    serve(bare_host, 80, address="127.0.0.1")
    serve(bare_host, 10010, "udp", "0.0.0.0")
    drift = {n["container"]: n["drift"] for n in bare_host.module("conductor_network_info")["networks"]}
    assert drift["first"] == drift["other"] == [] and len(drift["web"]) == 2
    assert "python3 (pid " in drift["web"][0] and "127.0.0.1 port 80/tcp" in drift["web"][0]
    assert "port 10010/udp" in drift["web"][1]
    result = web.network(expose=["8080-80", "10000-10010:10000-10010/udp"])
    assert not result["changed"] and "python3 (pid " in str(result["warnings"])
    assert "port 80/tcp" in str(bare_host.module("conductor_network", state="reconciled")["warnings"])
    assert reaches(bare_host, "127.0.0.1", 80), "by the container"
    end_servers()
    assert bare_host.module("conductor_network_info", name=["web"])["networks"][0]["drift"] == []


def test_host_socket_on_another_address_is_no_conflict(bare_host, web):
    web.network(expose=[{"container_port": 8080, "host_port": 80, "host_ip": HOST4}])
    serve(bare_host, 80, address="127.0.0.1")
    serve(bare_host, 80, "udp", "0.0.0.0")
    assert bare_host.module("conductor_network_info", name=["web"])["networks"][0]["drift"] == []
