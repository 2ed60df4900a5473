"""A file of ours that cannot be understood: its name is said, and only its own container or image is affected."""

import json

import pytest
from attacks import SLEEP
from model import kill
from supervision import supervisor_pid
from waiting import until

TOP = "/var/lib/conductor"
NESTED = "[" * 100000 + "]" * 100000
DAMAGES = ["{}", "[]", NESTED, '{"version": 1, "a": NaN}', '{"version": 1, "version": 1}']
# By file: values of a wrong type, each in the place of the right one.
WRONG = {
    f"{TOP}/containers/box/container.json": {
        "env": [1], "command": "sleep", "mounts": [{"type": 1}], "stop_timeout": "x", "ids": {"base": "y"}, "id": 5,
        "memory": [], "name": "other", "labels": {"a": {}}, "userns": {"base": []}, "devices": {}, "hostname": [],
    },
    f"{TOP}/containers/box/network.json": {
        "ipv4": 5, "expose": [{"container_port": {}}], "peers": [5], "dns": [[]], "mtu": "x", "mac": [],
        "gateway4": {}, "uplink": 1,
    },
    f"{TOP}/containers/box/exit.json": {"exit_code": "x", "finished_at": [], "signal": {}},
    "/run/conductor/containers/box.json": {
        "pid": "x", "start_time": None, "started_at": [], "restarts": "y", "container_dir": 7,
    },
}  # fmt: skip


# Values as texts of JSON by key, in run states and exit records of containers that have ended without a supervisor.
ADOPTED = [
    *(("run state", "pid", value) for value in ("1.0", "true", "-1", "1e999", str(1 << 70))),
    *(("run state", "start_time", value) for value in ("1.5", "null")),
    *(("run state", key, "1e999") for key in ("restarts", "steady", "began", "oom_kills")),
    *(("run state", key, "NaN") for key in ("restarts", "oom_kills", "tomorrow")),
    *(("run state", key, '"/\\ud800"') for key in ("container_dir", "oom_file", "seccomp")),
    *(("exit", "exit_code", value) for value in ("1e999", "NaN", "[]")), ("exit", "signal", "-Infinity"),
]  # fmt: skip


@pytest.fixture
def two(host):
    for name in ("box", "good"):
        host.module("conductor_container", name=name, image="debian", command=SLEEP, stop_timeout=0)
        host.module("conductor_network", container=name)
    host.module("conductor_container", name="box", state="stopped")
    host.module("conductor_container", name="box", state="started")
    return host


def others_work(host):
    """Whatever is with box: what can be asked of good and of all."""
    listed = {one["name"]: one for one in host.module("conductor_container_info")["containers"]}
    assert set(listed) == {"box", "good"} and listed["good"]["state"] == "running"
    networks = {one["container"] for one in host.module("conductor_network_info")["networks"]}
    assert "good" in networks
    assert host.module("conductor_image_info")["images"]
    assert host.module("conductor_exec", container="good", argv=["/bin/true"])["rc"] == 0
    host.module("conductor_network", container="good", expose=["80-8080"], check=True)
    host.module("conductor_container", name="good", state="started", check=True)
    return listed["box"]


@pytest.mark.parametrize("path", WRONG)
def test_a_damaged_file_is_named_and_hurts_its_container_only(two, path):
    good = two.run("cat", path).stdout
    texts = list(DAMAGES)
    for key, value in WRONG[path].items():
        texts.append(json.dumps({**json.loads(good), key: value}))
    for number, text in enumerate(texts):
        two.run("tee", path, stdin=text)
        if path.endswith("network.json"):
            networks = {one["container"]: one for one in two.module("conductor_network_info")["networks"]}
            assert path in networks["box"]["drift"][0], text[:100]
        found = two.module("conductor_container_info")["containers"][0]
        assert path in found["error"] and len(found["error"]) < 1000, text[:100]
        if number == len(texts) - 1:
            others_work(two)
            for verb in ("stopped", "started"):
                two.module("conductor_container", name="good", state=verb)
    two.run("tee", path, stdin=good)
    assert "error" not in others_work(two)
    assert two.module("conductor_container", name="box", state="absent")["changed"]


def test_no_damaged_file_ends_a_new_supervisor(host):
    """All containers but good exist as these files only."""
    good = host.module("conductor_container", name="good", image="debian", command=SLEEP, restart_policy="always")
    pid = good["container"]["pid"]
    state = json.loads(host.run("cat", "/run/conductor/containers/good.json").stdout)
    state = {**state, "pid": 1, "start_time": 1, "oom_file": ""}
    ended = {"version": 1, "pid": 1, "start_time": 1, "exit_code": 1, "signal": None, "finished_at": 1.5}
    names = [f"box{number}" for number in range(len(ADOPTED))]
    for name, (kind, key, value) in zip(names, ADOPTED):
        texts = {"run state": state, "exit": ended}
        texts[kind] = {**texts[kind], key: "the value"}
        texts = {kind: json.dumps(content).replace('"the value"', value) for kind, content in texts.items()}
        host.run("mkdir", f"{TOP}/containers/{name}")
        host.run("tee", f"/run/conductor/containers/{name}.json", stdin=texts["run state"])
        if kind == "exit":
            host.run("tee", f"{TOP}/containers/{name}/exit.json", stdin=texts["exit"])
    kill(host, supervisor_pid(host))
    again = host.module("conductor_container", name="good")
    assert again["actions"] == ["start a new supervisor for container good"]
    # It answers when it has seen all of them.
    assert not host.module("conductor_container", name="good")["changed"]
    kill(host, pid)
    until(lambda: running_pid(host) not in (None, pid), "the supervisor has restarted it")
    host.run("rm", "-r", *(f"{TOP}/containers/{name}" for name in names))
    host.run("rm", *(f"/run/conductor/containers/{name}.json" for name in names))


def running_pid(host):
    """Pid of container good."""
    return host.module("conductor_container_info", name=["good"])["containers"][0]["pid"]


def test_a_file_of_a_newer_release_is_told_so(two):
    for path in (*WRONG, f"{TOP}/images/debian/image.json"):
        good = two.run("cat", path).stdout
        two.run("tee", path, stdin=json.dumps({**json.loads(good), "version": 7, "name": {"in": "another form"}}))
        told = f"{path} was written by a newer release of conductor.containers"
        if "image" in path:
            assert told in two.module("conductor_image_info")["images"][0]["error"]
        else:
            assert told in two.module("conductor_container_info")["containers"][0]["error"]
        two.run("tee", path, stdin=good)


def test_damaged_image_is_named_and_the_host_command_lists_the_others(host, command):
    host.module("conductor_image", name="app", source={"image": "debian"})
    path = f"{TOP}/images/app/image.json"
    good = json.loads(host.run("cat", path).stdout)
    for key, value in (("created", "yesterday"), ("highest_id", "x")):
        host.run("tee", path, stdin=json.dumps({**good, key: value}))
        told = f"{path} is damaged ({key} is '{value}')"
        listed = command("images")
        assert "debian" in listed.stdout and "app" in listed.stdout and told in listed.stderr
        for module, options in (
            ("conductor_image", {"name": "app", "state": "exported", "archive": "/run/app.tar"}),
            ("conductor_container", {"name": "box", "image": "app"}),
        ):
            assert told in host.module(module, fails=True, **options)["msg"]
    host.module("conductor_image", name="app", state="absent", force=True)
    host.run("rm", "-r", f"{TOP}/images/.logs")


@pytest.mark.parametrize("value", [{"lock_timeout": "x"}, {"container_dir": 5}, {"pool4": []}, {"uplink": {}}, []])
def test_damaged_settings_are_named(host, value):
    host.run("mkdir", "-p", "/etc/conductor")
    host.run("tee", "/etc/conductor/conductor.json", stdin=json.dumps(value))
    refused = host.module("conductor_container_info", fails=True)
    assert "/etc/conductor/conductor.json is damaged" in refused["msg"]
    host.run("rm", "/etc/conductor/conductor.json")
