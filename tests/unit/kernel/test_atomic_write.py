"""Atomic writes, even if the writer is killed."""

from __future__ import annotations

import os
import signal

from ansible_collections.conductor.containers.plugins.module_utils._kernel.files import atomic_write as files


def write_and_die(path, monkeypatch) -> None:
    """Run a writer that is killed after writing the temporary file and before the rename."""
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(os, "rename", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        files.write_atomic(str(path), b"new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_writer_leaves_the_old_text_and_the_next_write_cleans_up(tmp_path, monkeypatch):
    path = tmp_path / "spec.json"
    files.write_atomic(str(path), b"old")
    write_and_die(path, monkeypatch)
    assert path.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 2
    # A write of another file also cleans up, because the first one may never be written again.
    files.write_atomic(str(tmp_path / "other.json"), b"other")
    assert sorted(os.listdir(tmp_path)) == ["other.json", "spec.json"]


def test_cleanup_keeps_files_of_live_writers_and_other_programs(tmp_path):
    names = [f".spec.json.{os.getpid()}.0123abcd.tmp", ".spec.json.tmp", "notes.tmp"]
    for name in names:
        (tmp_path / name).touch()
    files.remove_stale_temporaries(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(names)
