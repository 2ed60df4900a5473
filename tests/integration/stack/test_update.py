"""Updates of the running containers of an entry: a few at a time, ready before the next, and without refused calls."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from attacks import patched
from dying import dies
from netbox import HOST4, Inside, call, is_refused
from seams.interference import hold_before
from waiting import until

SHOP = {"name": "shop", "defaults": {"image": "debian"}, "restart": True, "recreate": True}
CALLS_WEB = {"command": ["sleep", "infinity"], "peers": [{"peer": "web", "direction": "to", "ports": ["80/tcp"]}]}
# Answers each connection with its version. It ends with SIGTERM, although it is the first process.
SERVER = """
$SIG{TERM} = sub { exit }; exit 3 if $ENV{BROKEN};
$server = IO::Socket::INET->new(Listen => 64, LocalPort => 80, ReuseAddr => 1) or die;
while (1) { $client = $server->accept or next; print $client "$ENV{VERSION}\\n"; close $client }
"""
READY = ["perl", "-MIO::Socket::INET", "-e", 'exit !IO::Socket::INET->new("127.0.0.1:80")']
# Starts the server, whose version is that of its image. The image debian has none.
SERVER_OF_IMAGE = 'VERSION=$(cat /etc/app || echo 1); export VERSION; exec perl -MIO::Socket::INET -e "$0"'
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


# Does not accept, and so answers two callers only, unless it stands in for another container.
DEAF = """
open F, "/proc/sys/kernel/hostname"; $stands_in = <F> eq "web-update\\n";
$server = IO::Socket::INET->new(Listen => 1, LocalPort => 80, ReuseAddr => 1) or die;
while (1) { $stands_in or sleep; $client = $server->accept or next; print $client "stand-in\\n"; close $client }
"""
# Calls ADDRESS PORT until nothing answers, and prints what answers that last call after all.
PATIENT_CALLER = """
import select, socket, sys
calls = []
while not calls or poller.poll(700):
    assert not calls or calls[-1].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    calls.append(socket.socket())
    calls[-1].setblocking(False)
    calls[-1].connect_ex((sys.argv[1], int(sys.argv[2])))
    poller = select.poll()
    poller.register(calls[-1], select.POLLOUT)
print("calling", flush=True)
answered = poller.poll(10000)
calls[-1].settimeout(10)
print(calls[-1].recv(100).decode() if answered else "nothing", end="", flush=True)
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
    return host.module("conductor_stack", containers=containers, **SHOP, **options)


def shop(version, **options):
    """web may be called on port 80 of it by caller, and by everyone on port 8080 of the host."""
    return {"web": web(version, expose=["80-8080"], **options), "caller": CALLS_WEB}


def replicas(version, count, **options):
    """Containers web-1, web-2 and so on, which may be called on port 80 by caller."""
    return {"web": web(version, count=count, **options), "caller": CALLS_WEB}


def shop_of_images(version, **options):
    """shop, whose version is that of the image. Of version 3 the stand-in becomes ready, and web does not."""
    ready = f'test "$(cat /etc/app) $(hostname)" != "3 web" && exec {READY[0]} {READY[1]} -e "$0"'
    found = shop(1, wait=["sh", "-c", ready, READY[3]], wait_timeout=3, **options)
    found["web"] |= {"command": ["sh", "-c", SERVER_OF_IMAGE, SERVER]}
    found["web"] |= {"image": f"app-{version}"} if version > 1 else {}
    return found


def image_of(version):
    return {"name": f"app-{version}", "source": {"image": "debian"}, "commands": [f"echo {version} > /etc/app"]}


def states(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


def pids(host):
    return {one["name"]: one.get("pid") for one in host.module("conductor_container_info")["containers"]}


def start_callers(host):
    """Clients on the host, outside of it, and in a peer, which have all got an answer."""
    address = Inside(host, "web").addresses()[0]
    return call_again_and_again(
        (host, "127.0.0.1", "8080"), (host.outside, HOST4, "8080"), (Inside(host, "caller"), address, "80")
    )


def start_peers(host, *names):
    """Clients in caller, one for each of the containers, which have all got an answer."""
    return call_again_and_again(*((Inside(host, "caller"), Inside(host, name).addresses()[0], "80") for name in names))


def call_again_and_again(*calls):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    callers = [node.popen("python3", "-c", CALLER, *to, **pipes) for node, *to in calls]
    assert [caller.stdout.readline() for caller in callers] == ["calling\n"] * len(calls)
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
    before = pids(host)
    broken = {"web": web(2, "stop-first", count=3)}
    broken["web"]["env"]["BROKEN"] = "1"
    failed = stack(host, broken, fails=True)
    assert set(failed["failed_containers"]) == {"web-1"} and "not updated: web-2, web-3" in failed["msg"]
    assert {**pids(host), "web-1": None} == {**before, "web-1": None}
    # The broken version does not spread by another run.
    failed = stack(host, broken, fails=True)
    assert {**pids(host), "web-1": None} == {**before, "web-1": None}
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


def test_no_call_is_refused_while_replicas_are_updated_start_first(host):
    stack(host, replicas(1, count=2))
    callers = start_peers(host, "web-1", "web-2")
    done = stack(host, replicas(2, count=2))
    assert done["actions"] == [
        "start container web-update to stand in for web",
        "update container web-1 (start-first): change env",
        "update container web-2 (start-first): change env",
        "remove container web-update, which stood in for others",
    ]
    for answers in answers_to(callers):
        assert set(answers) <= {"1", "2", "closed"} and answers["1"] and answers["2"], answers
    assert states(host) == {"web-1": "running", "web-2": "running", "caller": "running"}
    assert not stack(host, replicas(2, count=2))["changed"]
    assert host.module("conductor_network_info")["drift"] == []


@pytest.mark.parametrize(("parallel", "broken", "good"), [(1, "web-2", "web-1"), (2, "web-1", "web-2")])
def test_replicas_are_rolled_back_behind_a_stand_in(host, parallel, broken, good):
    """The stand-in and one replica become ready, another one does not: the next one, or one of the same batch."""
    stack(host, replicas(1, count=3))
    before = pids(host)["web-3"]
    callers = start_peers(host, "web-1", "web-2", "web-3")
    ready = f'test "$VERSION $(hostname)" != "2 {broken}" && exec {READY[0]} {READY[1]} -e "$0"'
    update = {
        "order": "start-first",
        "on_failure": "rollback",
        "parallel": parallel,
        "wait": ["sh", "-c", ready, READY[3]],
    }
    failed = stack(host, replicas(2, count=3, update=update, wait_timeout=3), fails=True)
    assert set(failed["failed_containers"]) == {broken} and f"rolled back: {broken}, {good}" in failed["msg"]
    *replaced, kept = answers_to(callers)
    for answers in replaced:
        assert set(answers) <= {"1", "2", "closed"} and answers["1"] and answers["2"], answers
    assert set(kept) == {"1"} and pids(host)["web-3"] == before
    assert states(host) == dict.fromkeys(("web-1", "web-2", "web-3", "caller"), "running")
    assert not stack(host, replicas(1, count=3))["changed"]


def test_changed_image_is_deployed_and_rolled_back_without_refused_calls(host):
    """The former image, which nothing uses before the rollback, cannot be removed by another run."""
    stack(host, shop_of_images(1))
    callers = start_callers(host)
    foreseen = stack(host, shop_of_images(2), images=[image_of(2)], check=True)
    done = stack(host, shop_of_images(2), images=[image_of(2)])
    assert done["actions"] == foreseen["actions"] == [
        "build image app-2",
        "start container web-update to stand in for web",
        "update container web (start-first): change image",
        "remove container web-update, which stood in for others",
    ]  # fmt: skip
    broken = {**SHOP, "containers": shop_of_images(3, on_failure="rollback"), "images": [image_of(3)]}
    # `fields` is called right before the rollback.
    hold = hold_before("_stack.rolling_update:fields", announce="/run/failed", until="/run/go")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(patched, host, "conductor_stack", seams=[hold], fails=True, **broken)
        try:
            until(lambda: host.run("test", "-e", "/run/failed", check=False).returncode == 0, "web is not ready", 60)
            told = host.module("conductor_image", name="app-2", state="absent", lock_timeout=0.1, fails=True)["msg"]
        finally:
            host.run("touch", "/run/go")
        failed = run.result()
    assert "image-app-2 is locked by process" in told
    assert set(failed["failed_containers"]) == {"web"} and "rolled back: web" in failed["msg"]
    for answers in answers_to(callers):
        assert set(answers) <= {"1", "2", "3", "closed"} and all(answers[version] for version in "123"), answers
    assert states(host) == {"web": "running", "caller": "running"} and not stack(host, shop_of_images(2))["changed"]
    stack(host, {}, state="absent")
    for image in ("app-2", "app-3"):
        assert host.module("conductor_image", name=image, state="absent")["changed"]
    host.run("rm", "-r", "/run/failed", "/run/go", "/var/lib/conductor/images/.logs")


@pytest.mark.parametrize("stride", [59, pytest.param(4, marks=pytest.mark.long)], ids=["spread", "dense"])
def test_killed_update_goes_on_answering_and_the_next_run_ends_it(host, stride):
    step, version = 0, 1
    stack(host, shop(1))
    while True:
        version += 1
        callers = start_callers(host)
        died = dies(host, step, "stack", **SHOP, containers=shop(version), state="started")
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


def test_call_that_the_replaced_container_did_not_answer_reaches_the_stand_in(host):
    """A lost first packet is sent again, and the kernel alone would lead it to the same container as before."""
    listens = "grep -q ':0050 .* 0A' /proc/net/tcp"
    deaf = {"command": ["perl", "-MIO::Socket::INET", "-e", DEAF], "wait": ["sh", "-c", listens], "wait_timeout": 5}
    stack(host, {**shop(1), "web": {**shop(1)["web"], **deaf}})
    calls = ((host.outside, HOST4, "8080"), (Inside(host, "caller"), Inside(host, "web").addresses()[0], "80"))
    # The first one fills the queue of web.
    callers = [node.popen("python3", "-c", PATIENT_CALLER, *to, stdout=-1, text=True) for node, *to in calls]
    assert [caller.stdout.readline() for caller in callers] == ["calling\n"] * 2
    update = {"order": "start-first", "wait": ["sh", "-c", f'test "$(hostname)" = web-update && {listens}']}
    after = {**deaf, "env": {"VERSION": "2"}, "update": update}
    failed = stack(host, {**shop(2), "web": {**shop(2)["web"], **after}}, fails=True)
    assert set(failed["failed_containers"]) == {"web"}
    assert [caller.communicate()[0] for caller in callers] == ["stand-in\n"] * 2
