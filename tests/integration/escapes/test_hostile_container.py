"""One container plays all tricks that we know of at once. Whoever lists, changes, enters or stops it gets an answer in
time that names it, and for a second container all is as if the first were not there.
"""

import json
import time

import pytest
from attacks import SLEEP, start
from controller import Controller
from host_command import Command
from hostile import FILES, LEASES, STORM, program
from waiting import until

# Seconds for one call. Without the defences each of the tricks costs more: a lease alone 45.
GENEROUS = 40
ROOTFS = "/var/lib/conductor/containers/evil/rootfs"

NO_ETC = """
subprocess.run(["mv", "/etc", "/etc.old"], check=True); open("/etc", "w").close()
"""
LINKS = """
for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/passwd", "/etc/group"):
    replace(path, lambda path: os.symlink("/proc/1/environ", path))
os.symlink("/proc/1/fd", "/srv/link")
"""
HUGE = """
for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/passwd", "/etc/group"):
    replace(path, lambda path: os.truncate(path, 1 << 40) if open(path, "w").close() is None else None)
os.ftruncate(1, 1 << 40)
os.makedirs("/opt/many")
for number in range(30000):
    os.symlink("x", f"/opt/many/{number}")
"""
# Needs NET_ADMIN: names of no ASCII, of links and as further names of ours, and more routes than anybody reads.
NETWORK = r"""
def ip(*arguments):
    subprocess.run([b"ip", *arguments], check=True)
for name in (b"\xff\xfe\xfd", b"a\x85b", b"\x1b[31m"):
    ip(b"link", b"add", b"one", b"type", b"veth", b"peer", b"name", b"other")
    ip(b"link", b"set", b"one", b"name", name)
    ip(b"link", b"set", b"other", b"name", name + b"2")
for name in (b"\xff\xfe-other", b"\x1b[2J"):
    ip(b"link", b"property", b"add", b"dev", b"eth0", b"altname", name)
ip(b"link", b"add", b"many", b"type", b"veth", b"peer", b"name", b"many2")
for name in (b"many", b"many2"):
    ip(b"link", b"set", name, b"up")
lines = "".join(f"route add 11.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 dev many\n" for n in range(30000))
lines += "".join(f"address add 12.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 dev eth0\n" for n in range(3000))
subprocess.run(["ip", "-force", "-batch", "-"], input=lines.encode(), stdout=2)
"""
KINDS = {
    "no-etc": [NO_ETC],
    "no-files": [FILES],
    "leases": [LEASES],
    "links": [LINKS],
    "network": [NETWORK],
    "all": [NETWORK, HUGE, LEASES, FILES, STORM],
}


class Host:
    """A host whose modules answer in time."""

    def __init__(self, host):
        self.host = host

    def __call__(self, module, /, **params):
        """A module's result, failed or not: in time, and without a traceback."""
        began = time.monotonic()
        try:
            result = self.host.module(module, **params)
        except AssertionError as error:
            assert hasattr(error, "result"), f"{module} {params}: {error}"
            result = error.result
        assert time.monotonic() - began < GENEROUS, f"{module} {params} took {time.monotonic() - began:.0f} s"
        assert "Traceback" not in json.dumps(result)
        return result

    def well(self, module, /, **params):
        """The same, of a module that must not fail."""
        result = self(module, **params)
        assert not result.get("failed"), f"{module} {params}: {result['msg']}"
        return result

    def named(self, module, /, **params):
        """The same, of one that may fail, and then says for whose sake."""
        result = self(module, **params)
        assert not result.get("failed") or "evil" in result["msg"], f"{module} {params}: {result['msg']}"
        return result


@pytest.fixture(params=KINDS)
def evil(host, request):
    """Container evil, which plays one kind of trick, or all; its network is there before it begins with that."""
    capabilities = {"add": ["NET_ADMIN"]}
    host.module("conductor_container", name="evil", image="debian", state="present")
    host.module("conductor_network", container="evil", internet=True, dns=["192.0.2.1"])
    command = program(*KINDS[request.param])
    start(host, "evil", command=command, capabilities=capabilities, stop_timeout=1)
    where = f"{ROOTFS}/srv/ready"
    until(lambda: not host.run("ls", where, check=False).returncode, "all tricks are played", 120)
    yield Host(host)


def test_a_hostile_container_only_hurts_itself(evil):
    host, command = evil.host, None
    # A second container, made and used next to it.
    evil.well("conductor_container", name="good", image="debian", command=SLEEP)
    evil.well("conductor_network", container="good", expose=["80-8080"])
    assert evil.well("conductor_exec", container="good", argv=["/bin/echo", "hello"])["stdout"] == "hello"
    evil.well("conductor_copy", container="good", content="text", dest="/srv/file")
    # Both are listed, whatever there is to say of the one.
    listed = {one["name"]: one for one in evil.well("conductor_container_info")["containers"]}
    assert listed["good"]["state"] == "running" and set(listed) == {"good", "evil"}
    assert listed["evil"]["state"] == "running"
    networks = {one["container"]: one for one in evil.well("conductor_network_info")["networks"]}
    assert networks["good"]["drift"] == [] and set(networks) == {"good", "evil"}
    evil.well("conductor_image_info")
    evil.well("conductor_network_info", name=["evil"])
    # What goes into it, or looks there, ends.
    host.run("mkdir", "/run/got")
    for options in ({}, {"user": "daemon"}, {"creates": "/*/many/x?"}, {"removes": "/etc/hosts"}):
        evil.named("conductor_exec", container="evil", argv=["/bin/true"], timeout=5, **options)
    evil.named("conductor_exec", container="evil", argv=["/bin/true"], detach=True)
    evil.named("conductor_copy", container="evil", content="text", dest="/etc/hosts")
    evil.named("conductor_copy", container="evil", direction="out", src="/etc/hosts", dest="/run/got/file")
    evil.named("conductor_copy", container="evil", direction="out", src="/srv", dest="/run/got")
    evil.named("conductor_container", name="evil", wait=["/bin/true"], wait_timeout=2)
    # Its own network and that of its peer are as they are wanted; what cannot be, is a warning of its own.
    evil.named("conductor_network", container="evil", internet=True, dns=["192.0.2.2"])
    evil.well("conductor_peer", container="good", peer="evil")
    assert "evil" in evil.well("conductor_exec", container="good", argv=["/bin/cat", "/etc/hosts"])["stdout"]
    evil.well("conductor_network", container="good", expose=["80-8081"])
    evil.well("conductor_network", state="reconciled")
    evil.well("conductor_network", state="reconciled", check=True)
    # The host command says the same.
    evil.well("conductor_command")
    command = Command(host)
    for argv in (["ps"], ["info"], ["info", "good"], ["logs", "good"], ["info", "evil"], ["reconcile"]):
        command(*argv, timeout=GENEROUS)
    shown = host.run("timeout", "20", "/usr/local/bin/conductor", "logs", "evil", check=False).stdout[:1000]
    assert "Traceback" not in shown
    evil.well("conductor_command", state="absent")
    # The second one restarts, and the first one goes.
    evil.well("conductor_container", name="good", state="stopped")
    evil.well("conductor_container", name="good", state="started")
    assert evil.well("conductor_container", name="evil", state="stopped")["changed"]
    evil.named("conductor_container", name="evil", state="started", command=SLEEP)
    evil.well("conductor_container", name="evil", state="absent")
    hosts = evil.well("conductor_exec", container="good", argv=["/bin/cat", "/etc/hosts"])["stdout"]
    assert "evil" not in hosts
    host.run("rm", "-rf", "/run/got")


def test_a_controller_works_next_to_a_hostile_container(host, tmp_path):
    """The connection plugin, the entry server and the inventory plugin."""
    start(host, "evil", command=program(FILES, STORM), stop_timeout=1)
    until(lambda: not host.run("ls", f"{ROOTFS}/srv/ready", check=False).returncode, "all tricks are played", 60)
    start(host, "good")
    controller = Controller(tmp_path)
    managed = controller.let_in(host)
    for name in ("evil", "good"):
        controller.add(name, ansible_user="root", **managed)
    play = """
- ansible.builtin.raw: echo hello from {{ inventory_hostname }}
  timeout: 30
  ignore_errors: true
  ignore_unreachable: true
  register: said
- ansible.builtin.assert: {that: said.stdout is search("hello from good")}
  when: inventory_hostname == "good"
- ansible.builtin.debug: {var: said}
"""
    printed = controller.playbook(play, options=["-f", "2"])
    assert "hello from good" in printed and "Traceback" not in printed
    # What waits for a command inside ends with that.
    assert host.module("conductor_container", name="evil", state="stopped")["changed"]
    controller.inventory.clear()
    controller.add_host("alpha", host)
    (tmp_path / "z.conductor.yml").write_text("{plugin: conductor.containers.conductor, hosts: [targets]}")
    listed = controller.run("ansible-inventory", "-i", "z.conductor.yml", "--list")
    assert "good.alpha" in listed and "evil.alpha" in listed
    controller.leave(host)
