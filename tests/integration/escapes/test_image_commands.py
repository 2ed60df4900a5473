"""Commands of an image: they run in a container, and get nothing of the host, whatever the image was made from.

The image may be somebody else's, and so the programs that its commands name.
"""

import json
import subprocess

import pytest
from attacks import patched, program
from dying import dies
from reachable import reached
from small_image import IMAGES, entries, image, make_runnable_archive, pack
from snapshot import difference, take
from testhost import PYTHON, module_environment
from waiting import until

CONTAINERS = "/var/lib/conductor/containers"
# Answers with what it was asked, on the host's loopback and in its abstract name space.
SERVER = """
import os, socket, socketserver, sys, threading
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"host:" + self.rfile.readline())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
class Abstract(socketserver.ThreadingUnixStreamServer):
    pass
for server in (Server((sys.argv[1], 3142), Handler), Abstract("\\0conductor-attack", Handler)):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
"""
ASK = "s.settimeout(3); s.sendall(b'hello\\n'); return s.recv(100).decode().strip()"


def serving(host, address="127.0.0.1"):
    server = host.popen("python3", "-c", SERVER, address, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    return server


@pytest.fixture
def attack(host):
    """What Python code gets as a command of an image on `debian`."""

    def run(body, proxy=None):
        host.module("conductor_image", name="evil", state="absent")
        command = ["/bin/sh", "-c", '/usr/bin/python3 -c "$1" > /got 2>&1 || true', "sh", program(body)]
        wrapper = ["env", f"http_proxy={proxy}"] if proxy else []
        patched(host, "conductor_image", wrapper=wrapper, name="evil", source={"image": "debian"}, commands=[command])
        return host.run("cat", f"{IMAGES}/evil/rootfs/got").stdout.strip()

    yield run
    host.module("conductor_image", name="evil", state="absent")
    host.run("rm", "-rf", f"{IMAGES}/.logs")


def test_services_of_the_host_are_unreachable(host, attack):
    """By TCP on its loopback, by its own addresses, or by the abstract name space of unix(7)."""
    tcp = "s = socket.create_connection(('{}', 3142), 3); " + ASK
    server = serving(host, "0.0.0.0")
    try:
        assert attack(tcp.format("127.0.0.1")) == "ECONNREFUSED"
        for address in ("192.0.2.10", "10.87.0.1", "198.51.100.1"):
            assert "host:" not in attack(tcp.format(address)), address
        abstract = "s = socket.socket(socket.AF_UNIX); s.connect(b'\\0conductor-attack'); " + ASK
        assert attack(abstract) == "ECONNREFUSED"
    finally:
        server.communicate()


def test_root_inside_is_unprivileged_and_owns_its_files(host, attack):
    look = "print(open('/proc/self/uid_map').read().split()); os.mkdir('/mine'); os.chown('/mine', 33, 44); return 'ok'"
    assert attack(look) == "['0', '524288', '65536']\nok"
    assert host.run("stat", "-c", "%u:%g", f"{IMAGES}/evil/rootfs/mine").stdout == "33:44\n"
    assert host.run("stat", "-c", "%u:%g", f"{IMAGES}/evil/rootfs/got").stdout == "0:0\n"


def test_masks_and_limits_of_containers_apply(host, attack):
    read = "return sum(len(open(f).read()) for f in ('/proc/kallsyms', '/proc/keys', '/proc/timer_list'))"
    assert attack(read) == "0"
    limits = "import resource; return [resource.getrlimit(resource.RLIMIT_CORE), os.listdir('/sys/firmware')]"
    assert attack(limits) in ("[(1, 1), []]", "EACCES")
    assert attack("return [l for l in open('/proc/self/status') if l.startswith('Seccomp:')]") == "['Seccomp:\\t2\\n']"
    pids = "return [open(f).read().strip() for f in glob.glob('/sys/fs/cgroup/pids.max')] or 'v1'"
    assert attack(pids) in ("['2048']", "v1")


def test_packets_cannot_be_forged_and_metadata_is_unreachable(host, attack):
    raw = "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); return [n for _, n in socket.if_nameindex()]"
    assert attack(raw) in ("['lo', 'eth0']", "EPERM")
    host.internet.run("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
    server = serving(host.internet, "0.0.0.0")
    try:
        tcp = "s = socket.create_connection(('{}', 3142), 2); " + ASK
        assert attack(tcp.format("203.0.113.1")) == "host:hello", "the internet is there"
        assert "host:" not in attack(tcp.format("169.254.169.254"))
    finally:
        server.communicate()


def test_other_containers_are_unreachable(host, attack):
    host.module("conductor_container", name="box", image="debian", command=["/usr/bin/python3", "-m", "http.server"])
    other = host.module("conductor_network", container="box", internet=True)["network"]["ipv4"]
    assert "True" not in attack(f"socket.create_connection(('{other}', 8000), 1); return not False")


def test_commands_run_in_an_image_without_a_base(bare_host):
    """An archive, and an image of a container."""
    show = "cat /proc/self/uid_map /proc/net/route /proc/kallsyms > /seen"
    image(bare_host, source=make_runnable_archive(bare_host), commands=[show])
    bare_host.module("conductor_container", name="box", image="small", user="0", state="present")
    bare_host.module("conductor_image", name="of", source={"container": "box"}, commands=[show])
    for name, ids in (("small", "524288"), ("of", "589824")):
        seen = bare_host.run("cat", f"{IMAGES}/{name}/rootfs/seen").stdout
        assert seen.split()[:3] == ["0", ids, "65536"] and "eth0" in seen and "wan0" not in seen
        assert " T " not in seen and bare_host.run("stat", "-c", "%u", f"{IMAGES}/{name}/rootfs/seen").stdout == "0\n"


def test_input_of_commands_is_empty(bare_host):
    image(bare_host, source=make_runnable_archive(bare_host), commands=["cat > /read; echo all >> /read"])
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/read").stdout == "all\n"


def test_proxy_on_the_loopback_of_the_host_is_reachable(host, attack):
    """And it is the only thing that is."""
    proxy, server = "http://127.0.0.1:3142", serving(host)
    try:
        body = "s = socket.create_connection(('127.0.0.1', 3142), 3); " + ASK
        assert attack(body) == "ECONNREFUSED"
        assert attack(body, proxy) == "host:hello"
        many = "made = [socket.create_connection(('127.0.0.1', 3142), 3) for _ in range(200)]; s = made[0]; " + ASK
        assert attack(many, proxy) == "host:hello"
        other = "socket.create_connection(('127.0.0.1', 3143), 3)"
        assert attack(other, proxy) == "ECONNREFUSED"
    finally:
        server.communicate()
    until(lambda: host.run("pgrep", "-u", "nobody", check=False).stdout == "", "the relay has ended")


def test_commands_get_the_proxy_of_the_hosts_apt(bare_host):
    bare_host.run("tee", "/etc/apt/apt.conf.d/90proxy", stdin='Acquire::http::Proxy "http://127.0.0.1:3142";')
    image(
        bare_host,
        source=make_runnable_archive(bare_host),
        commands=["echo $http_proxy > /seen; cat /proc/net/tcp >> /seen"],
    )
    address, listening = bare_host.run("cat", f"{IMAGES}/small/rootfs/seen").stdout.split("\n", 1)
    assert address == "http://127.0.0.1:3142" and "0100007F:0C46" in listening


@pytest.fixture
def running(bare_host):
    """A build whose command runs until it finds the file /go: the module's process."""
    source = make_runnable_archive(bare_host)
    params = {"name": "small", "source": source, "commands": ["while [ ! -e /go ]; do sleep 0.05; done"]}
    bare_host.run("tee", "/run/params", stdin=json.dumps({"ANSIBLE_MODULE_ARGS": params}))
    before = take(bare_host)
    module = "ansible_collections.conductor.containers.plugins.modules.conductor_image"
    environment = [f"{name}={value}" for name, value in module_environment().items()]
    command = ["env", *environment, PYTHON, "-m", module, "/run/params"]
    process = bare_host.popen(*command, stdout=subprocess.PIPE, text=True)
    until(lambda: bare_host.run("pgrep", "-f", "sh -ec while", check=False).stdout, "the command runs")
    bare_host.before, bare_host.command = before, command
    yield process
    bare_host.run("pkill", "-KILL", "-f", "sh -ec while", check=False)
    process.wait()


def test_other_containers_are_unaffected_by_a_build(bare_host, running):
    names = bare_host.module("conductor_container_info")["containers"]
    networks = bare_host.module("conductor_network_info")
    assert names == [] and networks["networks"] == [] and networks["drift"] == []
    bare_host.module("conductor_image", name="other", source={"archive": "/run/runnable.tar"})
    bare_host.module("conductor_container", name="box", image="other", user="0", command=["/bin/sleep", "infinity"])
    other = bare_host.module("conductor_network", container="box", internet=True)["network"]
    assert other["ipv4"] == "10.87.0.3", "the address of the build's container is not free"
    assert bare_host.run("cat", "/proc/self/uid_map").returncode == 0
    ids = json.loads(bare_host.run("cat", f"{CONTAINERS}/box/container.json").stdout)["ids"]
    assert ids["base"] == 524288 + 65536, "nor are its ids"
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]
    bare_host.module("conductor_network", container="box", state="absent")
    bare_host.module("conductor_container", name="box", state="absent", force=True)
    assert bare_host.run("pgrep", "-f", "sh -ec while").stdout, "it was not disturbed"
    bare_host.run("sh", "-c", f"for root in {IMAGES}/.build-small-*/rootfs; do touch $root/go; done")
    assert json.loads(running.communicate()[0])["changed"]
    assert entries(bare_host) == ["other", "small"]
    assert bare_host.run("ls", "-A", CONTAINERS).stdout == ""
    assert bare_host.run("ls", "-A", "/run/netns").stdout == "bystander\n"
    assert "inet conductor" not in bare_host.run("nft", "list", "tables").stdout


def test_command_ends_with_the_module_and_the_next_run_cleans_up(bare_host, running):
    running.kill()
    running.wait()
    bare_host.run("pkill", "-KILL", "-f", "conductor_image /run/params", check=False)
    until(lambda: not bare_host.run("pgrep", "-f", "sh -ec while", check=False).stdout, "the command has ended, too")
    assert "idmapped" not in bare_host.run("cat", "/proc/self/mounts").stdout
    done = bare_host.module("conductor_image", name="small", state="absent")
    assert done["actions"] == ["remove leftovers of an interrupted run for image small"]
    left = difference(bare_host.before, take(bare_host))
    assert [line for line in left if ".logs" not in line] == []


@pytest.mark.parametrize(
    ("on_base", "stride"), [(False, 12), (True, 20), pytest.param(False, 1, marks=pytest.mark.long)]
)
def test_next_run_cleans_up_after_death_at_any_step(bare_host, on_base, stride):
    """A build with commands has many effects: some are tried in every run, and each of them with the long tests."""
    nothing = dict.fromkeys(["archive", "checksum", "container", "digest", "image"])
    wish = {"name": "small", "source": make_runnable_archive(bare_host), "commands": ["touch /made"]}
    if on_base:
        bare_host.module("conductor_image", name="base", source=wish["source"])
        wish["source"] = {"image": "base"}
    bare_host.module("conductor_image", **wish)
    image(bare_host, state="absent")
    before, step = take(bare_host), 0
    while dies(bare_host, step, "image", **{**wish, "source": {**nothing, **wish["source"]}}):
        if step % 8 == 0:
            bare_host.module("conductor_image", **wish)
            assert bare_host.run("stat", "-c", "%u", f"{IMAGES}/small/rootfs/made").stdout == "0\n", step
        image(bare_host, state="absent")
        left = [line for line in difference(before, take(bare_host)) if "/run/conductor/locks/" not in line]
        assert left == [], step
        step += stride
    assert step > 60, "every effect was counted"


def test_users_cannot_reach_the_build_at_any_step(bare_host):
    steps, found = reached(
        bare_host, "image", name="small", source=make_runnable_archive(bare_host), commands=["touch /a"]
    )
    assert steps > 60 and found == []


def test_build_without_commands_needs_no_network(bare_host):
    make_runnable_archive(bare_host)
    bare_host.run("sh", "-ec", "mount --bind /dev/null $(command -v nft)")
    source = pack(bare_host, "runnable")
    for check in (True, False):
        refused = image(bare_host, source=source, commands=["touch /made"], check=check, fails=True)
        assert "commands of image small cannot run" in refused["msg"] and "nftables" in refused["msg"], refused["msg"]
        assert entries(bare_host) == []
    assert image(bare_host, source=source)["changed"]
