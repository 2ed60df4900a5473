"""Peers: containers that are permitted to call each other."""

import json

import pytest
from netbox import Box, call, is_refused, reaches, serve


@pytest.fixture
def pair(bare_host):
    """Two containers, each with echo servers on 8080 and 9090, TCP and UDP."""
    boxes = [Box(bare_host, name) for name in ("web", "db")]
    for box in boxes:
        box.network()
        for port in (8080, 9090):
            serve(box, port)
            serve(box, port, "udp")
    return boxes


def peer(host, **options):
    return host.module("conductor_peer", **options)


def test_peers_reach_each_other_until_state_absent(bare_host, pair):
    web, _db = pair
    assert "db" not in web.file("/etc/hosts")
    assert peer(bare_host, container="web", peer="db")["changed"]
    for one, other in (pair, pair[::-1]):
        for address, own in zip(other.addresses(), one.addresses()):
            assert call(one, address, 8080) == own
            assert call(one, address, 9090, "udp") == own
        assert f"{other.addresses()[0]} {other.name}\n" in one.file("/etc/hosts")
        assert f"{other.addresses()[1]} {other.name}\n" in one.file("/etc/hosts")
    assert not peer(bare_host, container="db", peer="web")["changed"], "the order does not matter"
    assert peer(bare_host, container="db", peer="web", state="absent")["changed"]
    assert not peer(bare_host, container="web", peer="db", state="absent")["changed"]
    for one, other in (pair, pair[::-1]):
        for address in other.addresses():
            assert is_refused(one, address, 8080)
            assert is_refused(one, address, 9090, "udp")
        assert other.name not in one.file("/etc/hosts")


def test_ports_and_direction_limit_connections(bare_host, pair):
    web, db = pair
    peer(bare_host, container="web", peer="db", direction="to", ports=["8000-8100/tcp", "9090/udp"])
    for address in db.addresses():
        assert reaches(web, address, 8080)
        assert reaches(web, address, 9090, "udp")
        assert is_refused(web, address, 9090)
        assert is_refused(web, address, 8080, "udp")
    for address in web.addresses():
        assert is_refused(db, address, 8080)
    # Overlapping the old range: one transaction takes the one away and puts the other.
    peer(bare_host, container="web", peer="db", direction="to", ports=["8081-9090/tcp", "9000-9095/tcp"])
    assert is_refused(web, db.addresses()[0], 8080)
    assert reaches(web, db.addresses()[0], 9090)
    assert not peer(bare_host, container="web", peer="db", direction="to", ports=["8081-9095/tcp"])["changed"]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("version", [0, 1])
def test_established_connection_ends_with_the_peer_entry(bare_host, pair, protocol, version):
    web, db = pair
    peer(bare_host, container="web", peer="db", direction="to")
    # The called side sends on its own: only replies flow, which a stale connection state would accept.
    talk = (
        "import socket,sys,time\n"
        "kind=socket.SOCK_STREAM if sys.argv[3]=='tcp' else socket.SOCK_DGRAM\n"
        "s=socket.socket(socket.AF_INET6,kind); s.bind(('::',int(sys.argv[2])))\n"
        "if sys.argv[3]=='tcp': s.listen(); c,_=s.accept()\n"
        "else: d,a=s.recvfrom(9); s.connect(a); c=s\n"
        "while True: c.send(b'tick'); time.sleep(0.02)\n"
    )
    hear = (
        "import socket,sys\n"
        "kind=socket.SOCK_STREAM if sys.argv[3]=='tcp' else socket.SOCK_DGRAM\n"
        "s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,kind)\n"
        "s.settimeout(0.7)\n"
        "import time\n"
        "end=time.monotonic()+5\n"
        "while True:\n"
        "  try: s.connect((sys.argv[1],int(sys.argv[2]))); s.send(b'x'); s.recv(4); break\n"
        "  except OSError:\n"
        "    assert time.monotonic()<end\n"
        "    s.close(); s=socket.socket(s.family,kind); s.settimeout(0.7); time.sleep(0.05)\n"
        "print('hearing',flush=True)\n"
        "end=time.monotonic()+10\n"
        "try:\n"
        "  while s.recv(4): assert time.monotonic()<end\n"
        "except OSError: print('silence',flush=True)\n"
    )
    address = db.addresses()[version]
    db.popen("python3", "-c", talk, "-", "7777", protocol)
    client = web.popen("python3", "-c", hear, address, "7777", protocol, stdout=-1, text=True)
    assert client.stdout.readline() == "hearing\n"
    peer(bare_host, container="web", peer="db", direction="to", state="absent")
    assert client.stdout.readline() == "silence\n"
    client.communicate()


def test_new_container_with_the_same_name_is_not_a_peer(bare_host, pair):
    web, db = pair
    peer(bare_host, container="web", peer="db")
    spec = json.loads(bare_host.run("cat", f"{db.directory}/container.json").stdout)
    bare_host.run("tee", f"{db.directory}/container.json", stdin=json.dumps({**spec, "id": "another"}))
    db.network()
    assert is_refused(web, db.addresses()[0], 8080)
    assert is_refused(db, web.addresses()[0], 8080)
    assert not web.network()["changed"]
    peer(bare_host, container="web", peer="db")
    assert reaches(web, db.addresses()[0], 8080)


def test_stopped_peers_reach_each_other_after_a_start(bare_host, pair):
    web, db = pair
    db.stop()
    bare_host.module("conductor_network", state="reconciled")
    peer(bare_host, container="web", peer="db")
    assert f"{db.addresses()[0]} db" in web.file("/etc/hosts")
    db.start()
    bare_host.module("conductor_network", state="reconciled")
    serve(db, 8080)
    assert reaches(web, db.addresses()[0], 8080)
    third = Box(bare_host, "third")
    assert "has no network" in peer(bare_host, container="web", peer="third", fails=True)["msg"]
    third.network()
    peer(bare_host, container="web", peer="third", check=True)
    assert is_refused(third, web.addresses()[0], 8080)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"container": "web", "peer": "web"}, "both 'web'"),
        ({"container": "web", "peer": "nobody"}, "container nobody does not exist"),
        ({"container": "web", "peer": "db", "ports": []}, "empty list"),
        ({"container": "web", "peer": "db", "ports": ["0/tcp"]}, "not a port"),
        ({"container": "web", "peer": "db", "ports": ["80/icmp"]}, "tcp or udp"),
        ({"container": "web", "peer": "db", "ports": ["90-80"]}, "not a port"),
        ({"container": "../web", "peer": "db"}, "not a valid name"),
    ],
)
def test_bad_input_is_refused(bare_host, options, said):
    Box(bare_host, "web").network()
    Box(bare_host, "db").network()
    before = bare_host.run("nft", "list", "ruleset").stdout
    assert said in peer(bare_host, fails=True, **options)["msg"]
    assert bare_host.run("nft", "list", "ruleset").stdout == before
