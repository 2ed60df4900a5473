"""A stack that waits for what runs inside: its containers can be stopped and removed; a killed run holds no lock."""

import json
import signal
import subprocess
import threading

import pytest
from host_command import PROGRAM
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
DEFAULTS = {"image": "debian", "command": SLEEP, "stop_timeout": 0}
NEVER = {"wait": ["sh", "-c", "touch /run/asked; false"], "wait_timeout": 20}
# A container that never fulfills the condition for which app waits.
WAITED_FOR = {"job": ({}, "completed"), "db": (NEVER, "ready")}


def stack(host, containers, **options):
    return host.module("conductor_stack", **{"name": "shop", "containers": containers, "defaults": DEFAULTS, **options})


def change(host, name, state, **options):
    """Bring a container to `state` without waiting for long; a lock that is held is an error."""
    return host.module("conductor_container", name=name, state=state, lock_timeout=1, **options)


def states(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


class Deploying(threading.Thread):
    """A run of the stack that waits for the container `first`."""

    def __init__(self, host, containers, first, fails=True):
        super().__init__(daemon=True)
        self.host, self.containers, self.fails, self.result = host, containers, fails, None
        self.start()
        until(lambda: states(host).get(first) == "running", f"{first} runs")

    def run(self):
        self.result = stack(self.host, self.containers, fails=self.fails)

    def end(self):
        """Wait for its end, and return the errors by container."""
        self.join(30)
        assert self.result, "the run ended as it should"
        return self.result.get("failed_containers")


@pytest.mark.parametrize("first", WAITED_FOR)
def test_the_container_that_is_waited_for_can_be_stopped(host, first):
    options, condition = WAITED_FOR[first]
    run = Deploying(host, {first: options, "app": {"depends_on": {first: condition}}, "other": {}}, first)
    assert change(host, "other", "stopped")["changed"]
    assert change(host, first, "stopped")["changed"]
    failed = run.end()
    assert set(failed) == {first, "app"}, failed
    assert f"container app was not started: {first}, on which it depends, failed" in failed["app"]


@pytest.mark.parametrize("state", ["absent", "stopped"])
def test_a_container_that_another_run_changes_is_not_started_by_the_one_that_waits(host, state):
    asked = "/var/lib/conductor/containers/db/rootfs/run/asked"
    db = {"wait": ["sh", "-c", "touch /run/asked; test -e /go"], "wait_timeout": 20}
    run = Deploying(host, {"db": db, "app": {"depends_on": {"db": "ready"}, "network": {}}}, "db")
    until(lambda: host.run("test", "-e", asked, check=False).returncode == 0, "it waits")
    change(host, "app", state)
    host.module("conductor_exec", container="db", argv=["touch", "/go"])
    failed = run.end()
    assert set(failed) == {"app"} and "was changed by another run before this one started it" in failed["app"]
    assert states(host).get("app") != "running"


def test_changes_by_other_runs_do_not_end_the_one_that_waits(host):
    """Neither of containers and networks that are not its own, nor of own ones that it has left as they are."""
    own = {"cache": {"network": {}}, "former": {}, "web": {"update": {"order": "start-first"}}}
    stack(host, own)
    # Removed, stopped and started again below.
    for name, state in (("gone", "started"), ("off", "started"), ("on", "stopped")):
        change(host, name, state, image="debian", command=SLEEP, network={"expose": []})
    del own["former"]
    own["db"] = {"wait": ["test", "-e", "/go"], "wait_timeout": 20, "network": {}}
    own["app"] = {"depends_on": ["db", "cache"], "network": {"internet": True}, "peers": ["db"]}
    run = Deploying(host, own, "db", fails=False)
    for name, state in (("gone", "absent"), ("off", "stopped"), ("on", "started"), ("cache", "stopped")):
        assert change(host, name, state)["changed"]
    change(host, "new", "started", image="debian", command=SLEEP, network={"internet": True, "expose": ["81-81"]})
    # It is not listed any more, and no stand-in is needed now.
    assert change(host, "former", "stopped")["changed"] and not change(host, "web-update", "absent")["changed"]
    host.module("conductor_exec", container="db", argv=["touch", "/go"])
    assert run.end() is None and states(host)["app"] == "running"
    assert [one for one in run.result["actions"] if "start container" in one] == [
        "start container db", "start container app",
    ]  # fmt: skip
    assert not host.module("conductor_network", state="reconciled")["changed"]


def test_two_runs_that_wait_for_the_same_both_succeed(host):
    db = {"wait": ["test", "-e", "/go"], "wait_timeout": 20}
    containers = {"db": db, "app": {"depends_on": {"db": "ready"}}}
    results = []
    runs = [threading.Thread(target=lambda: results.append(stack(host, containers))) for _ in range(2)]
    for run in runs:
        run.start()
    until(lambda: states(host).get("db") == "running", "db runs")
    host.module("conductor_exec", container="db", argv=["touch", "/go"])
    for run in runs:
        run.join(30)
    assert [result["containers"]["app"]["state"] for result in results] == ["running"] * 2
    done = [action for result in results for action in result["actions"]]
    assert done.count("start container app") == 1, done


def test_a_new_interface_of_the_host_does_not_end_a_run_that_waits(host):
    """It is put behind the fence by the next run."""
    db = {"wait": ["test", "-e", "/go"], "wait_timeout": 20, "network": {}}
    result = []
    run = threading.Thread(target=lambda: result.append(stack(host, {"db": db, "app": {"depends_on": ["db"]}})))
    run.start()
    until(lambda: states(host).get("db") == "running", "db runs")
    host.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    host.run("ip", "link", "set", "late0", "up")
    host.module("conductor_exec", container="db", argv=["touch", "/go"])
    run.join(30)
    assert result and result[0]["changed"], "the run succeeded"
    host.run("ip", "link", "delete", "late0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_holds_no_lock(command, tmp_path, number):
    """Also while it updates a container, whose lock it holds until that is ready."""
    host = command.host
    web = {**DEFAULTS, "update": {"order": "stop-first"}, "wait": ["true"]}
    file = tmp_path / "stack.json"
    file.write_text(json.dumps({"name": "shop", "containers": {"web": web}}))
    command("up", str(file))
    file.write_text(json.dumps({"name": "shop", "containers": {"web": {**web, **NEVER, "env": {"A": "2"}}}}))
    run = host.popen(PROGRAM, "up", str(file), "--restart", stderr=subprocess.DEVNULL)
    asked = "/var/lib/conductor/containers/web/rootfs/run/asked"
    until(lambda: host.run("test", "-e", asked, check=False).returncode == 0, "it waits")
    host.run("pkill", f"-{number:d}", "-o", "-f", f"up {file} --restart")
    run.wait()
    # With the image, whose lock file the killed run has left.
    assert host.module("conductor_container", name="web", image="debian", state="stopped", lock_timeout=1)["changed"]
