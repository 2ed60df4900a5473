"""The supervisor's files and its adoption of containers, in a directory of the test."""

import errno
import os
import socket

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor import records, supervise
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.requests import parse_request
from ansible_collections.conductor.containers.plugins.module_utils._engine.container_records import RUN_STATE_KINDS
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths


@pytest.mark.parametrize(
    "value",
    ['"pid": 1.0', '"pid": true', '"restarts": 1e999', '"oom_kills": NaN', '"oom_file": "\\ud800"', '"a": Infinity'],
)
def test_damaged_run_state_is_like_a_missing_one(tmp_path, value):
    path = tmp_path / "box.json"
    path.write_text(f'{{"version": 1, {value}}}')
    assert records.read_record(str(path), RUN_STATE_KINDS) is None
    records.write_record(str(path), {"pid": 7})
    assert records.read_record(str(path), RUN_STATE_KINDS) == {"pid": 7}


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\u0000", "\\ud800"])
def test_request_with_a_name_that_is_no_part_of_a_path_is_invalid(name):
    assert parse_request(b'{"verb": "adopt", "name": "%s"}' % name.encode()) is None


def test_any_error_about_one_container_leaves_the_others_supervised(tmp_path, monkeypatch):
    """The supervisor ends by itself, since none of the containers runs."""
    states = {name: (ContainerPaths.of(str(tmp_path), name), {"pid": 7, "start_time": 8}) for name in ("bad", "good")}
    for name in states:
        (tmp_path / name).mkdir()
    tried = []

    def open_first_process(pid, start_time):
        tried.append(pid)
        if len(tried) == 1:
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(records, "running_names", lambda: sorted(states))
    monkeypatch.setattr(records, "read_process", states.get)
    monkeypatch.setattr(supervise, "open_first_process", open_first_process)
    monkeypatch.setattr(supervise, "LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setattr(supervise, "SOCKET", str(tmp_path / "socket"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    signals, writer = os.pipe()
    supervise.Supervisor(listener, signals).run()
    os.close(writer)
    os.close(signals)
    assert not (tmp_path / "bad/exit.json").exists() and (tmp_path / "good/exit.json").exists()
    assert "the container is not supervised: Too many open files" in (tmp_path / "bad/console.log").read_text()
