"""Locks between processes: alone, or shared."""

import multiprocessing
import os
from contextlib import ExitStack

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import LockTimeout
from ansible_collections.conductor.containers.plugins.module_utils._kernel.flock import Lock, locked

SHARED, ALONE = Lock("image", shared=True), Lock("image")


def test_those_who_share_a_lock_hold_it_together_and_nobody_else_does(tmp_path):
    directory = str(tmp_path)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(locked(directory, SHARED, 0))
        second.enter_context(locked(directory, SHARED, 0))
        with pytest.raises(LockTimeout, match=f"image is locked by process {os.getpid()}"), locked(directory, ALONE, 0):
            pass
        first.close()
        # The file is the lock: were it gone with the first, another one would be free.
        with pytest.raises(LockTimeout), locked(directory, ALONE, 0):
            pass
        second.close()
        with locked(directory, ALONE, 0), pytest.raises(LockTimeout), locked(directory, SHARED, 0):
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


def test_however_they_come_and_go_who_is_alone_is_alone(tmp_path):
    directory, alone = str(tmp_path / "locks"), str(tmp_path / "alone")
    context = multiprocessing.get_context("fork")
    wrong = context.Value("i", 0)
    workers = [context.Process(target=_hold, args=(directory, lock, alone, wrong)) for lock in [SHARED, ALONE] * 3]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6 and not wrong.value
    assert os.listdir(directory) == []
