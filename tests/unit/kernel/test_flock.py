"""Exclusive and shared locks between processes."""

import multiprocessing
import os
from contextlib import ExitStack

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import LockTimeout
from ansible_collections.conductor.containers.plugins.module_utils._kernel.flock import Lock, locked

SHARED, EXCLUSIVE = Lock("image", shared=True), Lock("image")


def test_shared_lock_excludes_exclusive_lock(tmp_path):
    directory = str(tmp_path)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(locked(directory, SHARED, 0))
        second.enter_context(locked(directory, SHARED, 0))
        with (
            pytest.raises(LockTimeout, match=f"image is locked by process {os.getpid()}"),
            locked(directory, EXCLUSIVE, 0),
        ):
            pass
        first.close()
        # The file must remain for the second holder: a new file would be unlocked.
        with pytest.raises(LockTimeout), locked(directory, EXCLUSIVE, 0):
            pass
        second.close()
        with locked(directory, EXCLUSIVE, 0), pytest.raises(LockTimeout), locked(directory, SHARED, 0):
            pass
    assert os.listdir(directory) == []


def _hold(directory: str, lock: Lock, alone: str, wrong) -> None:
    for _ in range(200):
        with locked(directory, lock, 60):
            if lock.shared:
                wrong.value |= os.path.exists(alone)
            else:
                os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
                os.unlink(alone)


def test_exclusive_lock_excludes_concurrent_holders(tmp_path):
    directory, alone = str(tmp_path / "locks"), str(tmp_path / "alone")
    context = multiprocessing.get_context("fork")
    wrong = context.Value("i", 0)
    workers = [context.Process(target=_hold, args=(directory, lock, alone, wrong)) for lock in [SHARED, EXCLUSIVE] * 3]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6 and not wrong.value
    assert os.listdir(directory) == []
