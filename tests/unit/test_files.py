"""Files that are whole or not there, also where their writer is killed."""

from __future__ import annotations

import os
import signal

from ansible_collections.conductor.containers.plugins.module_utils._kernel.files import atomic_write as files


def write_and_die(path, monkeypatch) -> None:
    """A process that is killed when all is written, and before the file has its name."""
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(os, "rename", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        files.write_atomic(str(path), b"new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_writer_that_is_killed_leaves_the_old_text_and_the_next_writer_nothing_of_the_killed(tmp_path, monkeypatch):
    path = tmp_path / "spec.json"
    files.write_atomic(str(path), b"old")
    write_and_die(path, monkeypatch)
    assert path.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 2
    # Also one that writes another file: the first may never be written again.
    files.write_atomic(str(tmp_path / "other.json"), b"other")
    assert sorted(os.listdir(tmp_path)) == ["other.json", "spec.json"]


def test_what_another_writes_just_now_stays_and_so_does_what_is_not_ours(tmp_path):
    names = [f".spec.json.{os.getpid()}.0123abcd.tmp", ".spec.json.tmp", "notes.tmp"]
    for name in names:
        (tmp_path / name).touch()
    files.clear_abandoned(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(names)
