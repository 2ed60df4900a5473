"""Updates of the running containers of an entry: a few at a time, ready before the next, and without refused calls."""

import json
import subprocess

import pytest
from dying import dies
from netbox import HOST4, Inside, call, is_refused

# Answers each connection with its version. It ends with SIGTERM, although it is the first process.
SERVER = """
$SIG{TERM} = sub { exit }; exit 3 if $ENV{BROKEN};
$server = IO::Socket::INET->new(Listen => 64, LocalPort => 80, ReuseAddr => 1) or die;
while (1) { $client = $server->accept or next; print $client "$ENV{VERSION}\\n"; close $client }
"""
READY = ["perl", "-MIO::Socket::INET", "-e", 'exit !IO::Socket::INET->new("127.0.0.1:80")']
# Calls ADDRESS PORT again and again until its input ends; prints the answers, and the errors, with their numbers.
CALLER = """
import collections, json, socket, sys, threading
found, ended = collections.Counter(), threading.Event()
def call():
    while not ended.wait(0.003):
        try:
            with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as client:
                found[client.makefile().read().strip() or "closed"] += 1
        except OSError as error:
            found[str(error)] += 1
        if sum(found.values()) == 1:
            print("calling", flush=True)
thread = threading.Thread(target=call)
thread.start()
sys.stdin.read()
ended.set()
thread.join()
print(json.dumps(found))
"""


def web(version, order="start-first", on_failure="stop", **options):
    return {
        "command": ["perl", "-MIO::Socket::INET", "-e", SERVER],
        "env": {"VERSION": str(version)},
        "wait": READY,
        "update": {"order": order, "on_failure": on_failure},
        **options,
    }


def stack(host, containers, **options):
    params = {"name": "shop", "defaults": {"image": "debian"}, "restart": True, "recreate": True, **options}
    return host.module("conductor_stack", containers=containers, **params)


def shop(version, **options):
    """web may be called on port 80 of it by caller, and by everyone on port 8080 of the host."""
    caller = {"command": ["sleep", "infinity"], "peers": [{"peer": "web", "direction": "to", "ports": ["80/tcp"]}]}
    return {"web": web(version, expose=["80-8080"], **options), "caller": caller}


def states(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


def start_callers(host):
    """Clients on the host, outside of it, and in a peer, which have all got an answer."""
    address = Inside(host, "web").addresses()[0]
    calls = ((host, "127.0.0.1", "8080"), (host.outside, HOST4, "8080"), (Inside(host, "caller"), address, "80"))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    callers = [node.popen("python3", "-c", CALLER, *to, **pipes) for node, *to in calls]
    assert [caller.stdout.readline() for caller in callers] == ["calling\n"] * 3
    return callers


def answers_to(callers):
    return [json.loads(caller.communicate()[0]) for caller in callers]


def test_no_call_is_refused_while_a_container_is_updated_start_first(host):
    stack(host, shop(1))
    callers = start_callers(host)
    foreseen = stack(host, shop(2), check=True)
    done = stack(host, shop(2))
    assert done["actions"] == foreseen["actions"] == [
        "start container web-update to stand in for web",
        "update container web (start-first): change env",
        "remove container web-update, which stood in for others",
    ]  # fmt: skip
    for answers in answers_to(callers):
        # A connection that the old container accepted is closed with it.
        assert set(answers) <= {"1", "2", "closed"} and answers["1"] and answers["2"], answers
        assert answers.get("closed", 0) <= 2, answers
    assert states(host) == {"web": "running", "caller": "running"}
    assert call(host, "127.0.0.1", 8080) is None and not stack(host, shop(2))["changed"]
    assert host.module("conductor_network_info")["drift"] == []


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_broken_update_is_rolled_back_and_the_service_is_unchanged(host, order):
    stack(host, shop(1))
    callers = start_callers(host) if order == "start-first" else []
    broken = shop(2, order=order, on_failure="rollback")
    broken["web"]["env"]["BROKEN"] = "1"
    failed = stack(host, broken, fails=True)
    assert "web" in failed["msg"] and failed["failed_containers"], failed
    assert ("nothing was replaced" if order == "start-first" else "rolled back: web") in failed["msg"]
    assert [set(answers) for answers in answers_to(callers)] == [{"1"}] * len(callers)
    assert states(host) == {"web": "running", "caller": "running"}
    assert not stack(host, shop(1, order=order, on_failure="rollback"))["changed"]


def test_rollback_waits_by_the_command_of_the_former_container(host):
    stack(host, shop(1, order="stop-first"))
    wait = {"wait": ["test", "-e", "/of-the-new-release"], "wait_timeout": 2}
    failed = stack(host, shop(2, order="stop-first", on_failure="rollback", **wait), fails=True)
    assert "rolled back: web" in failed["msg"] and "rollback of web failed" not in failed["msg"], failed["msg"]
    assert not stack(host, shop(1, order="stop-first"))["changed"]


def test_containers_are_updated_a_few_at_a_time_and_stop_at_the_first_failure(host):
    first = {"web": web(1, "stop-first", count=3)}
    stack(host, first)
    before = {name: host.module("conductor_container_info", name=name)["containers"][0]["pid"]
              for name in ("web-1", "web-2", "web-3")}  # fmt: skip
    broken = {"web": web(2, "stop-first", count=3)}
    broken["web"]["env"]["BROKEN"] = "1"
    failed = stack(host, broken, fails=True)
    assert set(failed["failed_containers"]) == {"web-1"} and "not updated: web-2, web-3" in failed["msg"]
    after = {one["name"]: one.get("pid") for one in host.module("conductor_container_info")["containers"]}
    assert after["web-2"] == before["web-2"] and after["web-3"] == before["web-3"]
    # The broken version does not spread by another run.
    failed = stack(host, broken, fails=True)
    assert {one["name"]: one.get("pid") for one in host.module("conductor_container_info")["containers"]} | {
        "web-1": None
    } == {**before, "web-1": None}
    done = stack(host, {"web": web(3, "stop-first", count=3)})
    assert [action for action in done["actions"] if action.startswith("update container")] == [
        "update container web-2 (stop-first): change env",
        "update container web-3 (stop-first): change env",
    ]
    assert not stack(host, {"web": web(3, "stop-first", count=3)})["changed"]


def test_stand_in_is_reached_by_peers_and_exposed_ports_only(host):
    """The stand-in keeps answering after a failure, and nothing else leads to it."""
    containers = {**shop(1), "stranger": {"command": ["sleep", "infinity"], "network": {"host_access": False}}}
    stack(host, containers)
    # The stand-in becomes ready, its replacement in web does not: the host's file differs for them.
    only_stand_in = ["sh", "-c", 'test "$(hostname)" = web-update']
    after = {**shop(2), "stranger": containers["stranger"]}
    after["web"]["update"]["wait"] = only_stand_in
    after["web"]["wait_timeout"] = 2
    failed = stack(host, after, fails=True)
    assert set(failed["failed_containers"]) == {"web"}
    assert states(host)["web-update"] == "running"
    address = Inside(host, "web").addresses()[0]
    stand_in = Inside(host, "web-update").addresses()[0]
    stranger = Inside(host, "stranger")
    for target, port in ((address, 80), (stand_in, 80), (address, 8080), (HOST4, 8080)):
        assert is_refused(stranger, target, port), (target, port)
    assert is_refused(Inside(host, "caller"), stand_in, 81) and is_refused(Inside(host, "caller"), address, 81)
    assert is_refused(host.outside, address, 80) and is_refused(host.outside, stand_in, 80)
    assert [set(answers) for answers in answers_to(start_callers(host))] == [{"2"}] * 3
    # The next run leads back when web is ready.
    stack(host, {**shop(2), "stranger": containers["stranger"]})
    assert states(host) == {"web": "running", "caller": "running", "stranger": "running"}
    assert host.module("conductor_network_info")["drift"] == []


def test_container_without_wait_that_exits_at_once_stops_an_update(host):
    stack(host, {"web": web(1, "stop-first", count=2, wait=None)})
    broken = {"web": web(2, "stop-first", count=2, wait=None)}
    broken["web"]["env"]["BROKEN"] = "1"
    failed = stack(host, broken, fails=True)
    assert set(failed["failed_containers"]) == {"web-1"} and "the command exited right after the start" in failed["msg"]
    assert states(host)["web-2"] == "running"


def test_next_version_replaces_one_that_failed_behind_the_stand_in_of_that(host):
    """In version 2 the stand-in becomes ready, and web does not."""
    ready = f"test \"$VERSION $(hostname)\" != '2 web' && exec {READY[0]} {READY[1]} -e '{READY[3]}'"
    options = {"wait": ["sh", "-c", ready], "wait_timeout": 5}
    stack(host, shop(1, **options))
    assert set(stack(host, shop(2, **options), fails=True)["failed_containers"]) == {"web"}
    callers = start_callers(host)
    done = stack(host, shop(3, **options))
    # It starts no other stand-in, and does not lead back to the container that is not ready.
    assert done["actions"] == [
        "update container web (start-first): change env",
        "remove container web-update, which stood in for others",
    ]
    assert [set(answers) - {"closed"} for answers in answers_to(callers)] == [{"2", "3"}] * 3
    assert states(host) == {"web": "running", "caller": "running"}
    assert not stack(host, shop(3, **options))["changed"]


def test_replicas_are_rolled_back_behind_a_stand_in(host):
    """The stand-in and the first replica become ready, the second one does not."""
    stack(host, {"web": web(1, count=2)})
    update = {
        "order": "start-first",
        "on_failure": "rollback",
        "wait": ["sh", "-c", 'test "$VERSION $(hostname)" != "2 web-2"'],
    }
    failed = stack(host, {"web": web(2, count=2, update=update, wait_timeout=2)}, fails=True)
    assert set(failed["failed_containers"]) == {"web-2"} and "rolled back: web-2, web-1" in failed["msg"]
    assert states(host) == {"web-1": "running", "web-2": "running"}
    assert not stack(host, {"web": web(1, count=2)})["changed"]


@pytest.mark.parametrize("stride", [59, pytest.param(4, marks=pytest.mark.long)], ids=["spread", "dense"])
def test_killed_update_goes_on_answering_and_the_next_run_ends_it(host, stride):
    step, version = 0, 1
    stack(host, shop(1))
    params = {"name": "shop", "defaults": {"image": "debian"}, "restart": True, "recreate": True}
    while True:
        version += 1
        callers = start_callers(host)
        died = dies(host, step, "stack", **params, containers=shop(version), state="started")
        stack(host, shop(version))
        for answers in answers_to(callers):
            assert set(answers) <= {str(version - 1), str(version), "closed"}, (step, answers)
        assert states(host) == {"web": "running", "caller": "running"}, step
        assert not stack(host, shop(version))["changed"], step
        assert host.module("conductor_network_info")["drift"] == [], step
        if not died:
            break
        step += stride
    assert step > 20, "every effect was counted"
