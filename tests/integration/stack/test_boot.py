"""Boot and shutdown of a host by the host command: what ran comes back without Ansible."""

import subprocess

from host_command import PROGRAM
from netbox import HOST4, reaches
from supervision import supervisor_pid
from waiting import until

DIRECTORY = "/var/lib/conductor/containers"
SLEEP = ["/bin/sleep", "infinity"]
SERVER = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.request.recv(100) + b" from " + self.client_address[0].encode())
socketserver.ThreadingTCPServer(("", 8080), Echo).serve_forever()
"""
CONTAINERS = {
    "web": {"command": ["/usr/bin/python3", "-c", SERVER], "expose": ["8080-80"], "depends_on": ["db"]},
    "db": {"network": {}},
    "damaged": {},
    "always-stopped": {"restart_policy": "always"},
    "user-stopped": {},
    "never": {"restart_policy": "no"},
}
DEFAULTS = {"image": "debian", "command": SLEEP, "restart_policy": "unless-stopped"}
POWER_CUT = """
umount /var/lib/conductor/containers/*/rootfs
umount /run/netns/conductor-*
rm -r /run/conductor/* /run/netns/conductor-*
nft delete table inet conductor; nft delete table netdev conductor
find /sys/fs/cgroup -depth -path '*/conductor/*' -type d -exec rmdir {} + 2>/dev/null
ip -o link show | grep -o 'cdtr-[^:@]*' | xargs -rn1 ip link delete
"""


def stack(host, containers=CONTAINERS):
    return host.module("conductor_stack", name="shop", containers=containers, defaults=DEFAULTS)


def states(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


def cut_power(host):
    """Remove what a power cut removes: processes of ours, namespaces, links, rules, mounts and run states."""
    found = host.run("sh", "-c", "grep -ho '\"pid\": *[0-9]*' /run/conductor/containers/*.json").stdout
    pids = [str(supervisor_pid(host)), *(pid for pid in found.replace('"pid":', "").split() if pid != "0")]
    host.run("kill", "-9", *pids, check=False)
    until(lambda: not any(host.run("test", "-e", f"/proc/{pid}", check=False).returncode == 0 for pid in pids), "ended")
    host.run("sh", "-c", POWER_CUT, check=False)


def hide_sleep(host, name):
    """Make a whiteout of overlayfs, so that the program does not exist inside; return its path."""
    directory = f"{DIRECTORY}/{name}/upper/usr/bin"
    host.run("sh", "-c", f"mkdir -p {directory}; mknod {directory}/sleep c 0 0")
    return f"{directory}/sleep"


def test_containers_that_ran_come_back_after_a_power_cut(command):
    host = command.host
    stack(host)
    for name in ("always-stopped", "user-stopped"):
        host.module("conductor_container", name=name, state="stopped")
    good = host.run("cat", f"{DIRECTORY}/damaged/container.json").stdout
    until(lambda: reaches(host.outside, HOST4, 80), "web answers")
    cut_power(host)
    assert "running" not in states(host).values() and not reaches(host.outside, HOST4, 80)
    host.run("tee", f"{DIRECTORY}/damaged/container.json", stdin="{")
    done = command("boot", status=8)
    assert f"{DIRECTORY}/damaged/container.json is damaged" in done.stderr
    assert sorted(done.stdout.splitlines()) == ["always-stopped started", "db started", "web started"]
    until(lambda: reaches(host.outside, HOST4, 80), "web answers")
    host.run("tee", f"{DIRECTORY}/damaged/container.json", stdin=good)
    assert command("boot").stdout.splitlines().count("damaged started") == 1
    stopped = {"user-stopped", "never"}
    assert {name for name, state in states(host).items() if state == "running"} == CONTAINERS.keys() - stopped
    assert not stack(host, {name: one for name, one in CONTAINERS.items() if name not in stopped})["changed"]


def test_boot_waits_until_a_container_is_ready_before_it_starts_those_that_depend_on_it(command):
    host = command.host
    ready = "rm -f /time; sleep 2; date +%s%N > /time; exec sleep infinity"
    containers = {
        "db": {"command": ["sh", "-c", ready], "wait": "test -e /time"},
        "app": {"depends_on": ["db"], "command": ["sh", "-c", "date +%s%N > /time; exec sleep infinity"]},
    }
    stack(host, containers)
    assert not stack(host, containers)["changed"]
    cut_power(host)
    times = [f"{DIRECTORY}/{name}/upper/time" for name in ("db", "app")]
    host.run("rm", *times)
    assert sorted(command("boot").stdout.splitlines()) == sorted(f"{name} started" for name in containers)
    db, app = (int(host.run("cat", path).stdout) for path in times)
    assert db < app


def test_boot_whose_time_is_over_reports_what_was_started_and_what_failed(command):
    host = command.host
    slow = f"{DIRECTORY}/slow/upper"
    containers = {
        "slow": {"command": ["sh", "-c", "test -e /late || touch /go; exec sleep infinity"], "wait": "test -e /go"},
        "behind": {"depends_on": ["slow"]},
        "other": {},
        "broken": {},
    }
    stack(host, containers)
    cut_power(host)
    host.run("mv", f"{slow}/go", f"{slow}/late")
    hide_sleep(host, "broken")
    done = command("boot", "--timeout", "4", status=8)
    assert sorted(done.stdout.splitlines()) == ["other started", "slow started"]
    assert "container behind was not started within 4 s" in done.stderr
    assert "container broken did not start" in done.stderr and "container broken was not" not in done.stderr


def test_boot_does_not_start_what_is_stopped_meanwhile(command):
    host = command.host
    slow = {"command": ["sh", "-c", "test -e /late || touch /go; exec sleep infinity"], "wait": "test -e /go"}
    stack(host, {"slow": slow, "behind": {"depends_on": ["slow"]}})
    cut_power(host)
    host.run("mv", f"{DIRECTORY}/slow/upper/go", f"{DIRECTORY}/slow/upper/late")
    boot = host.popen(PROGRAM, "boot", stdout=subprocess.PIPE, text=True)
    until(lambda: states(host)["slow"] == "running", "it waits")
    assert host.module("conductor_container", name="behind", state="stopped", lock_timeout=1)["changed"]
    host.module("conductor_exec", container="slow", argv=["touch", "/go"])
    assert boot.communicate(timeout=30)[0] == "slow started\n" and boot.returncode == 0
    # Its end by the power cut is not known.
    assert states(host) == {"slow": "running", "behind": "created"}


def test_shutdown_stops_in_order_and_a_boot_starts_again(command):
    host = command.host
    # app takes longer to end: without an order db would end before it.
    end = "trap '{}date +%s%N > /end; exit' TERM; sleep 999 & wait"
    order = {
        "app": {"depends_on": ["db"], "command": ["sh", "-c", end.format("sleep 1; ")]},
        "db": {"command": ["sh", "-c", end.format("")]},
    }
    stack(host, order)
    assert command("shutdown").stdout.splitlines() == ["app stopped", "db stopped"]
    ended = [int(host.run("cat", f"{DIRECTORY}/{name}/upper/end").stdout) for name in ("app", "db")]
    assert ended == sorted(ended) and set(states(host).values()) == {"stopped"}
    assert command("shutdown").stdout == "nothing to stop\n"
    # A user who stops it now does not want it back.
    assert host.module("conductor_container", name="db", state="stopped")["changed"]
    assert not host.module("conductor_container", name="db", state="stopped")["changed"]
    assert command("boot").stdout == "app started\n"
    assert states(host) == {"app": "running", "db": "stopped"}


def test_failed_start_is_tried_again_at_the_next_boot(command):
    host = command.host
    stack(host, {"web": {"depends_on": ["db"]}, "db": {}})
    cut_power(host)
    sleep = hide_sleep(host, "db")
    failed = command("boot", status=8)
    assert failed.stdout == "web started\n" and "container db did not start" in failed.stderr
    host.run("rm", sleep)
    assert sorted(command("boot").stdout.splitlines()) == ["db started", "web is already running"]
