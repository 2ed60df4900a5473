"""The log of a run of a stack."""

import os
import resource
import signal

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import EffectFailed
from ansible_collections.conductor.containers.plugins.module_utils._stack.progress import Progress


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stacks" / "shop.log"


def texts(path):
    return [line.partition(" ")[2] for line in path.read_text().splitlines()]


def test_lines_are_counted_and_escaped(path):
    progress, told = Progress(str(path)), []
    progress.echo = told.append
    with progress.until_end():
        progress.begin("2 actions planned")
        progress.done("start container web")
        progress.failed("db", EffectFailed("db: \x1b[31m\nno", "try"))
    assert texts(path) == [
        "begin: 2 actions planned",
        "start container web",
        r"failed: db: \x1b[31m no. Try.",
        "end: 1 done, 1 failed",
    ]
    assert path.read_text().splitlines() == told
    progress.remove()
    assert list(path.parent.iterdir()) == []


def test_run_that_does_nothing_keeps_the_log(path):
    path.parent.mkdir()
    path.write_text("earlier\n")
    progress = Progress(str(path))
    with progress.until_end():
        progress.image_done([])
    assert path.read_text() == "earlier\n"


def test_error_of_the_run_is_logged(path):
    progress = Progress(str(path))
    with pytest.raises(EffectFailed), progress.until_end():
        progress.begin("1 actions planned")
        raise EffectFailed("locked")
    assert texts(path)[1:] == ["failed: locked", "end: 0 done, 1 failed"]


def test_log_is_bounded_and_keeps_the_last_line(path):
    progress = Progress(str(path), largest=1000)
    with progress.until_end():
        progress.begin("100 actions planned")
        for number in range(100):
            progress.done(f"start container web-{number}")
    assert path.stat().st_size < 1200
    assert path.read_text().splitlines()[-2] == "the log is full: more lines are left out"
    assert texts(path)[-1] == "end: 100 done, 0 failed"


def test_failed_write_ends_the_log_only(path):
    """EFBIG, as ENOSPC of a full file system."""
    progress, told = Progress(str(path)), []
    progress.echo = told.append
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    progress.begin("2 actions planned")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
        progress.done("start container web")
        progress.done("start container db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    progress.end()
    assert len(told) == 4 and "db" not in path.read_text()


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("victim"), os.mkfifo], ids=["symlink", "fifo"])
def test_only_a_regular_file_is_written(path, make):
    path.parent.mkdir()
    (path.parent / "victim").write_text("kept")
    make(path)
    progress = Progress(str(path))
    progress.begin("1 actions planned")
    progress.end()
    assert (path.parent / "victim").read_text() == "kept"
