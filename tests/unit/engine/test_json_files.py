"""The reader of all JSON files of this collection: each value has the right type, or Damaged names the file."""

import json
import os
import time
from contextlib import suppress
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli.output import local_time
from ansible_collections.conductor.containers.plugins.module_utils._container import store
from ansible_collections.conductor.containers.plugins.module_utils._container.id_ranges import read_ids
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._engine import container_records
from ansible_collections.conductor.containers.plugins.module_utils._engine.id_range import IdRange
from ansible_collections.conductor.containers.plugins.module_utils._engine.json_files import read_json, write_json
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict, Damaged
from ansible_collections.conductor.containers.plugins.module_utils._image.spec.recipe import Image
from ansible_collections.conductor.containers.plugins.module_utils._image.store import read_image, require_ids
from ansible_collections.conductor.containers.plugins.module_utils._network.store import read_network
from hypothesis import given, settings
from hypothesis import strategies as st

CREATED = "2026-01-31T23:59:59+00:00"
INVALID = {
    "empty": b"",
    "no JSON": b"{",
    "bytes": b"\xff\xfe{}",
    "a list": b"[1]",
    "a number": b"1",
    "no version": b"{}",
    "a true version": b'{"version": true}',
    "a text version": b'{"version": "1"}',
    "version 0": b'{"version": 0}',
    "nested": b'{"version": 1, "a": ' + b"[" * 200000 + b"]" * 200000 + b"}",
    "NaN": b'{"version": 1, "a": NaN}',
    "infinity": b'{"version": 1, "a": -Infinity}',
    "a name twice": b'{"version": 1, "a": 1, "a": 2}',
    "a name twice below": b'{"version": 1, "a": {"b": 1, "b": 2}}',
    "huge": b'{"version": 1, "a": "' + b"x" * (17 << 20) + b'"}',
}


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_invalid_file_is_damaged_and_named(tmp_path, text):
    path = tmp_path / "container.json"
    path.write_bytes(text)
    with pytest.raises(Damaged, match=r"container\.json is damaged") as raised:
        read_json(str(path))
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_special_file_is_damaged_and_does_not_block(tmp_path, make):
    path = str(tmp_path / "container.json")
    make(path)
    with pytest.raises(Damaged, match=r"container\.json"):
        read_json(path)


def test_file_of_a_newer_release_is_reported(tmp_path):
    path = tmp_path / "image.json"
    path.write_text(json.dumps({"version": 2, "name": {"a": "form of tomorrow"}}))
    with pytest.raises(Damaged, match=r"image\.json was written by a newer release of conductor\.containers"):
        read_json(str(path))


def test_unknown_key_is_ignored(tmp_path):
    """A newer release that keeps the format version may add keys that this one ignores."""
    value = ContainerSpec("box", "debian").to_json()
    assert ContainerSpec.from_json({**value, "tomorrow": 1}, "x") == ContainerSpec("box", "debian")
    known = {"name": "i", "id": "a", "created": CREATED, "recipe": {"tomorrow": [1]}, "builder": "b", "size": 1}
    assert Image.from_json({**known, "tomorrow": {}}, "x").name == "i"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
CONTAINER = {
    **json.loads(json.dumps(ContainerSpec("box", "debian").to_json())),
    "id": "abc", "wanted": "running", "ids": {"base": 524288, "size": 65536},
}  # fmt: skip
NETWORK = {
    "container_id": "abc", "ipv4": "10.87.0.2", "gateway4": "10.87.0.1", "ipv6": None, "gateway6": None,
    "mac": "02:00:00:00:00:01", "mtu": 1500, "internet": True, "uplink": None, "host_access": True,
    "metadata": False, "dns": ["192.0.2.1"],
    "expose": [{"container_port": 80, "host_port": "8080", "protocol": "tcp", "host_ip": None}],
    "peers": [{"peer": "db", "peer_id": "x", "ports": ["80/tcp"]}],
}  # fmt: skip
STATE = {
    "pid": 1, "start_time": 1, "started_at": 1.5, "restarts": 0,
    "seccomp": "", "container_dir": "/x",
}  # fmt: skip
EXIT = {"exit_code": 0, "signal": None, "finished_at": 1.5}
IMAGE = {
    "name": "i", "id": "a", "created": CREATED, "builder": "b", "size": 1, "exports": {"/x": [1, 2]},
    "archive_stat": [1, 2], "highest_id": 65535,
    "base": {"name": "b", "id": "c"},
    "recipe": {"suite": "trixie", "packages": ["a"], "commands": ["a", ["b"]], "source": {"archive": "/x"}},
}  # fmt: skip
SETTINGS = {"container_dir": "/c", "lock_timeout": 1, "uplink": None, "firewall": "report"}


def read_all_of_container(directory):
    paths = ContainerPaths.of(str(directory), "box")
    store.read_spec(paths)
    kept = container_records.read_common_spec(paths)
    read_ids(paths)
    stored = read_network(str(directory), "box")
    assert stored.damage is not None or kept["id"]


def read_state(path):
    state = container_records.read_run_state(SimpleNamespace(name="box", run_state=str(path)))
    found = container_records.process_in(state)
    assert found is None or found.pid > 0


def read_and_use_image(top):
    """Every value is used as a module or the host command does it."""
    found = read_image(str(top), "i")
    assert local_time(found.created)
    with suppress(Conflict):
        require_ids(found, IdRange(0), "box")


FILES = {
    "container": (CONTAINER, "box/container.json", read_all_of_container),
    "network": (NETWORK, "box/network.json", read_all_of_container),
    "exit": (EXIT, "box/exit.json", lambda top: store.read_exit(ContainerPaths.of(str(top), "box"))),
    "state": (STATE, "state.json", lambda top: read_state(top / "state.json")),
    "image": (IMAGE, "i/image.json", read_and_use_image),
    "settings": (SETTINGS, "conductor.json", lambda top: Settings.load({}, str(top / "conductor.json"))),
}


@pytest.mark.parametrize("kind", FILES)
@given(data=st.data())
@settings(max_examples=60)
def test_any_changed_value_is_valid_or_damaged(tmp_path_factory, kind, data):
    value, name, read = FILES[kind]
    top = tmp_path_factory.mktemp("store", numbered=True)
    for directory in ("box", "i"):
        (top / directory).mkdir()
    for other, path in ((CONTAINER, "box/container.json"), (NETWORK, "box/network.json")):
        (top / path).write_text(json.dumps({"version": 1, **other}))
    changed = json.loads(json.dumps(value))
    place = changed
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place))) if isinstance(place, dict) else 0
    if data.draw(st.booleans()):
        place[key] = data.draw(ANY)
    else:
        del place[key]
    if kind != "settings":
        changed["version"] = 1
    (top / name).write_text(json.dumps(changed))
    try:
        read(top)
    except Damaged as error:
        assert name.rpartition("/")[2] in str(error) or "run state" in str(error)
    except Exception as error:
        # Settings of the host are also validated as options.
        assert kind == "settings" and type(error).__name__ == "InvalidInput", error


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("created", text) for text in ("yesterday", "", "2026-01-31T23:59:59Z", "2026-01-31T23:59:59", "2026-01-31")),
        *(("created", f"{day}T23:59:59+00:00") for day in ("2026-02-30", "9999-12-31", "0001-01-01", "1969-12-31")),
        *(("highest_id", value) for value in ("x", None, [1], -1, 1.5, True)),
    ],
)
def test_image_with_a_value_of_the_wrong_type_is_damaged(tmp_path, key, value):
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "image.json").write_text(json.dumps({"version": 1, **IMAGE, key: value}))
    with pytest.raises(Damaged, match=rf"i/image\.json is damaged \({key} is "):
        read_image(str(tmp_path), "i")


@pytest.mark.parametrize("zone", ["EAST-14", "WEST+12"])
def test_last_time_of_a_record_exists_in_every_time_zone(tmp_path, monkeypatch, zone):
    paths = ContainerPaths.of(str(tmp_path), "box")
    (tmp_path / "box").mkdir()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for seconds in (0, 253402214399):
            write_json(paths.exit, {**EXIT, "finished_at": seconds})
            found = datetime.fromtimestamp(store.read_exit(paths)["finished_at"], timezone.utc)
            assert local_time(found.isoformat())
    finally:
        monkeypatch.undo()
        time.tzset()
    write_json(paths.exit, {**EXIT, "finished_at": seconds + 1})
    with pytest.raises(Damaged, match="finished_at is"):
        store.read_exit(paths)


def test_pid_0_is_no_process(tmp_path):
    """kill(0) would signal the own process group."""
    (tmp_path / "state.json").write_text(json.dumps({"version": 1, **STATE, "pid": 0}))
    state = container_records.read_run_state(SimpleNamespace(name="box", run_state=str(tmp_path / "state.json")))
    assert container_records.process_in(state) is None


def test_unchanged_file_is_read_once(tmp_path, monkeypatch):
    path, opened = str(tmp_path / "container.json"), []
    write_json(path, {"name": "web"})
    os.utime(path, (1e9, 1e9))
    real = os.open
    monkeypatch.setattr(os, "open", lambda name, *rest, **more: opened.append(name) or real(name, *rest, **more))
    for _ in range(3):
        assert read_json(path) == {"name": "web"}
    assert opened.count(path) == 1
    # Another process replaces the file by one of the same size.
    other = tmp_path / "other"
    other.write_text((tmp_path / "container.json").read_text().replace("web", "new"))
    os.utime(other, (1e9, 1e9))
    os.rename(other, path)
    assert read_json(path) == {"name": "new"} and opened.count(path) == 2
    os.unlink(path)
    assert read_json(path) is None


def test_cached_object_is_not_shared_between_readers(tmp_path):
    path = str(tmp_path / "container.json")
    write_json(path, {"mounts": []})
    read_json(path)["mounts"].append("mine")
    assert read_json(path) == {"mounts": []}


def test_file_modified_in_place_right_after_a_read_is_read_again(tmp_path):
    """The modification time may be the same, because the clock of file times has a coarse resolution."""
    path, now = tmp_path / "conductor.json", time.time_ns()
    for text in ('{"version": 1, "a": 1}', '{"version": 1, "a": 2}'):
        path.write_text(text)
        os.utime(path, ns=(now, now))
        assert read_json(str(path)) == {"a": json.loads(text)["a"]}
