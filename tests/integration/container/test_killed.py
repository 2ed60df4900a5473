"""kill -9 before each effect of a run: the next run converges, and a removal leaves nothing behind."""

import json

import pytest
from dying import dies
from strides import spread

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"], "memory": "64m"}


def state(host):
    found = host.module("conductor_container_info")["containers"]
    return [(container["name"], container["state"]) for container in found]


def processes(host):
    return host.run("pgrep", "-fc", "^/bin/sleep infinity", check=False).stdout.strip()


@spread(13)
@pytest.mark.parametrize("network", [False, True], ids=["alone", "with-network"])
def test_a_start_converges_after_death_at_any_step(host, network, stride):
    step = 0
    while dies(host, step, "container", **WEB, state="started"):
        assert host.module("conductor_container", **WEB)["container"]["state"] == "running", step
        assert not host.module("conductor_container", **WEB)["changed"], step
        assert processes(host) == "1", step
        host.module("conductor_exec", container="web", argv=["true"])
        if network and step % 4 == 0:
            host.module("conductor_network", container="web")
            assert host.module("conductor_network_info")["networks"][0]["drift"] == [], step
        host.module("conductor_container", name="web", state="absent")
        assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == "", step
        # Rounds begin alternately with no container and with a stopped one.
        if step % 2:
            host.module("conductor_container", **WEB, state="stopped")
        step += stride
    assert step > 15, "every effect was counted"


@spread(5)
def test_a_stop_converges_after_death_at_any_step(host, stride):
    step = 0
    host.module("conductor_container", **WEB)
    while dies(host, step, "container", **WEB, state="stopped"):
        host.module("conductor_container", **WEB, state="stopped")
        assert state(host) == [("web", "stopped")], step
        assert host.run("ls", "/run/netns").stdout.split() == ["bystander"], step
        host.module("conductor_container", **WEB)
        step += stride
    assert step > 5


@spread(7)
def test_a_removal_converges_after_death_at_any_step(host, stride):
    step = 0
    host.module("conductor_container", **WEB)
    while dies(host, step, "container", **WEB, state="absent"):
        host.module("conductor_container", name="web", state="absent")
        assert state(host) == [], step
        assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == "", step
        host.module("conductor_container", **WEB)
        step += stride
    assert step > 10


@spread(13)
@pytest.mark.parametrize(
    "changed", [{"env": {"A": "1"}, "restart": True}, {"userns": "host", "recreate": True}], ids=str
)
def test_a_change_of_a_running_container_converges_after_death_at_any_step(host, stride, changed):
    step = 0
    while True:
        host.module("conductor_container", **WEB)
        if not dies(host, step, "container", **WEB, state="started", **changed):
            break
        result = host.module("conductor_container", **WEB, **changed)["container"]
        assert result["state"] == "running", step
        assert all(result[name] == value for name, value in changed.items() if name in result), step
        host.module("conductor_container", name="web", state="absent")
        step += stride
    assert step > 15


@spread(2)
def test_start_cancels_a_stop_that_died_at_any_step(host, stride):
    """The stored state says stopped while it runs, which would disable its restart policy."""
    wish = {**WEB, "restart_policy": "always"}
    host.module("conductor_container", **wish)
    step, taken_back = 0, 0
    while dies(host, step, "container", **wish, state="stopped"):
        actions = host.module("conductor_container", **wish, check=True)["actions"]
        done = host.module("conductor_container", **wish)
        assert done["actions"] == actions, step
        taken_back += actions == ["cancel the interrupted stop of container web"]
        assert not host.module("conductor_container", **wish)["changed"], step
        wanted = json.loads(host.run("cat", "/var/lib/conductor/containers/web/container.json").stdout)["wanted"]
        assert (wanted, done["container"]["state"]) == ("running", "running"), step
        step += stride
    assert step > 5 and taken_back, "it died between writing it down and ending the process"
