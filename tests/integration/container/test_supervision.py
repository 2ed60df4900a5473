"""One supervisor for all containers: parenthood, exit statuses, kills, upgrades, and its socket."""

import json

import pytest
from model import kill
from supervision import is_alive, reports_exit_status, supervisor_pid, supervisor_pids
from testhost import PYTHON, module_environment
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
ASK = """
import json, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
    client.connect("/run/conductor/supervisor.sock")
    client.send(sys.argv[1].encode())
    print(client.recv(1).decode())
"""


def start(host, name, **params):
    return host.module("conductor_container", name=name, image="debian", **{"command": SLEEP, **params})["container"]


def info(host, name):
    return host.module("conductor_container_info", name=[name])["containers"][0]


def ended(host, name):
    """Facts of a container that has just ended."""
    return until(lambda: (found := info(host, name))["state"] == "exited" and found, "it has ended")


def parent(host, pid):
    return int(host.run("ps", "-o", "ppid=", "-p", str(pid)).stdout)


def test_one_supervisor_is_the_parent_of_all_first_processes(host):
    pids = [start(host, name)["pid"] for name in ("a", "b", "c")]
    assert {parent(host, pid) for pid in pids} == {supervisor_pid(host)}
    assert len(supervisor_pids(host)) == 1
    host.run("kill", "-9", str(pids[1]))
    assert ended(host, "b")["exit_code"] == 137 and info(host, "a")["state"] == info(host, "c")["state"] == "running"


def test_exit_status_of_each_container_is_its_own(host):
    for status in (3, 4, 5):
        start(host, f"c{status}", command=["/bin/sh", "-c", f"exit {status}"])
    start(host, "stays")
    assert [ended(host, f"c{status}")["exit_code"] for status in (3, 4, 5)] == [3, 4, 5]
    assert info(host, "stays")["state"] == "running"


def test_supervisor_ends_with_the_last_container(host):
    for name in ("a", "b"):
        start(host, name)
    pid = supervisor_pid(host)
    host.module("conductor_container", name="a", state="stopped")
    assert supervisor_pid(host) == pid
    host.module("conductor_container", name="b", state="stopped")
    until(lambda: not is_alive(host, pid), "the supervisor has ended")
    assert host.run("test", "-e", "/run/conductor/supervisor.sock", check=False).returncode


def test_a_killed_supervisor_is_replaced_for_all_containers(host):
    started = {name: start(host, name, restart_policy="no")["pid"] for name in ("a", "b")}
    kill(host, supervisor_pid(host))
    again = host.module("conductor_container", name="a")
    assert again["actions"] == ["start a new supervisor for container a"]
    # One supervisor for both.
    assert not host.module("conductor_container", name="b")["changed"]
    assert [info(host, name)["pid"] for name in started] == list(started.values())
    host.run("kill", "-9", str(started["b"]))
    assert ended(host, "b")["exit_code"] == (137 if reports_exit_status() else None)


def test_container_that_ended_without_a_supervisor_is_restarted_by_the_next_one(host):
    pids = {name: start(host, name, restart_policy=policy)["pid"] for name, policy in (("a", "always"), ("c", "no"))}
    kill(host, supervisor_pid(host))
    for pid in pids.values():
        kill(host, pid)
    start(host, "b")
    again = until(lambda: (found := info(host, "a"))["state"] == "running" and found, "it runs again")
    assert (again["pid"] != pids["a"], again["restarts"]) == (True, 1)
    assert ended(host, "c")["exit_code"] is None, "nobody has held a descriptor of its process"


def ask(host, request):
    """First byte of the answer to a request that a test makes."""
    return host.run("python3", "-c", ASK, json.dumps(request)).stdout.strip()


def test_another_release_replaces_the_program_and_keeps_children(host):
    """The same program in another directory stands for another release."""
    first = start(host, "a")
    pid = supervisor_pid(host)
    (bundle,) = host.run("sh", "-c", "ls -d /var/lib/conductor/lib/*/").stdout.split()
    other = "/var/lib/conductor/lib/" + 16 * "a"
    host.run("cp", "-r", bundle, other)
    assert ask(host, {"verb": "start", "name": "x", "container_dir": "/x", "bundle": other}) == "-"
    until(lambda: other in host.run("ps", "-ww", "-o", "args=", "-p", str(pid)).stdout, "the other program runs")
    assert parent(host, first["pid"]) == pid
    # Back to the module's own release.
    second = start(host, "b")
    assert parent(host, second["pid"]) == pid
    assert other not in host.run("ps", "-ww", "-o", "args=", "-p", str(pid)).stdout
    host.run("kill", "-9", str(first["pid"]))
    assert ended(host, "a")["exit_code"] == 137
    host.run("rm", "-r", other)


def test_requests_of_other_users_are_refused(host):
    start(host, "a")
    pid = supervisor_pid(host)
    request = json.dumps({"verb": "release", "name": "a"})
    assert "PermissionError" in host.user("daemon").run("python3", "-c", ASK, request, check=False).stderr
    # Its directory is closed as well; so the check of the client's user id stands alone here.
    host.run("chmod", "755", "/run/conductor")
    host.run("chmod", "666", "/run/conductor/supervisor.sock")
    assert host.user("daemon").run("python3", "-c", ASK, request).stdout.strip() == ""
    host.run("chmod", "700", "/run/conductor")
    assert supervisor_pid(host) == pid and info(host, "a")["state"] == "running"


@pytest.mark.parametrize("request_", ["", "{", "[]", '{"verb": 7, "name": []}', '{"name": "../../x"}', "\\u0000"])
def test_supervisor_survives_any_request(host, request_):
    start(host, "a")
    pid = supervisor_pid(host)
    host.run("python3", "-c", ASK, request_, check=False)
    assert start(host, "b")["state"] == "running" and supervisor_pid(host) == pid


def test_module_in_another_mount_namespace_starts_a_container(host):
    """Its root file system is mounted there only."""
    start(host, "a")
    arguments = {"ANSIBLE_MODULE_ARGS": {"name": "b", "image": "debian", "command": SLEEP}}
    module = "ansible_collections.conductor.containers.plugins.modules.conductor_container"
    enter = ["unshare", "--mount", "--propagation", "private"]
    done = host.run(*enter, PYTHON, "-m", module, stdin=json.dumps(arguments), env=module_environment())
    found = json.loads(done.stdout)["container"]
    assert found["state"] == "running" and parent(host, found["pid"]) == supervisor_pid(host)
    assert host.module("conductor_exec", container="b", argv=["echo", "hello"])["stdout"] == "hello"


@pytest.mark.long
def test_supervisor_that_was_stopped_is_replaced(host):
    pid = start(host, "a")["pid"]
    stopped = supervisor_pid(host)
    host.run("kill", "-STOP", str(stopped))
    assert start(host, "b")["state"] == "running"
    assert supervisor_pid(host) != stopped and not is_alive(host, stopped)
    assert info(host, "a")["pid"] == pid


def test_start_that_fails_in_the_supervisor_is_reported_and_taken_back(host):
    start(host, "a")
    refused = host.module("conductor_container", name="b", image="debian", command=["/nowhere"], fails=True)
    assert "container b did not start: /nowhere: No such file or directory" in refused["msg"]
    assert info(host, "b")["state"] == "created" and info(host, "a")["state"] == "running"
    assert len(supervisor_pids(host)) == 1


def test_removal_of_the_last_container_leaves_no_socket_of_a_killed_supervisor(host):
    host.module("conductor_container", name="last", image="debian", command=["/bin/sleep", "infinity"])
    host.run("kill", "-KILL", str(supervisor_pid(host)))
    until(lambda: supervisor_pid(host) is None, "it has ended")
    host.module("conductor_container", name="last", state="absent")
    assert host.run("test", "-e", "/run/conductor/supervisor.sock", check=False).returncode == 1
