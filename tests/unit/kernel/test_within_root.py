"""Read and write files below a root directory that an untrusted user controls."""

import fcntl
import os
import signal
import stat

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._kernel.files import glob_within_root as glob_inside
from ansible_collections.conductor.containers.plugins.module_utils._kernel.files import within_root
from ansible_collections.conductor.containers.plugins.module_utils._kernel.files.glob_within_root import pattern_exists
from ansible_collections.conductor.containers.plugins.module_utils._kernel.files.within_root import (
    KernelFile,
    exists_inside,
    open_inside,
    read_files,
    read_inside,
    try_write_files,
    write_files,
)


@pytest.fixture
def root(tmp_path):
    directory = tmp_path / "root"
    (directory / "etc").mkdir(parents=True)
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    yield directory, fd
    os.close(fd)


def test_unchanged_file_is_not_written_again(root):
    directory, fd = root
    assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": None}
    assert write_files(fd, {"/etc/hosts": b"one\n"}) == ["/etc/hosts"]
    before = os.stat(directory / "etc/hosts").st_ino
    assert write_files(fd, {"/etc/hosts": b"one\n"}) == []
    assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": b"one\n"}
    assert os.stat(directory / "etc/hosts").st_ino == before
    assert os.listdir(directory / "etc") == ["hosts"]


def test_symlink_at_the_target_is_replaced_and_not_followed(root, tmp_path):
    directory, fd = root
    (tmp_path / "precious").write_text("keep")
    (directory / "etc/resolv.conf").symlink_to(tmp_path / "precious")
    write_files(fd, {"/etc/resolv.conf": b"nameserver 192.0.2.1\n"})
    assert (tmp_path / "precious").read_text() == "keep"
    assert not (directory / "etc/resolv.conf").is_symlink()


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDONLY | os.O_DIRECTORY])
def test_two_files_exchanged_at_each_call_do_not_keep_it_from_opening_one(root, monkeypatch, flags):
    directory, fd = root
    for name in ("one", "two"):
        (directory / name).mkdir() if flags & os.O_DIRECTORY else (directory / name).write_text(name)
    numbers = [os.stat(directory / name).st_ino for name in ("one", "two")]
    openat2 = within_root.openat2

    def exchange_before(*arguments):
        (directory / "one").rename(directory / "aside")
        (directory / "two").rename(directory / "one")
        (directory / "aside").rename(directory / "two")
        return openat2(*arguments)

    monkeypatch.setattr(within_root, "openat2", exchange_before)
    before = len(os.listdir("/proc/self/fd"))
    opened = open_inside(fd, "one", flags)
    assert os.fstat(opened).st_ino in numbers
    os.close(opened)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_opened_is_checked_and_not_only_what_was_there_before(root, monkeypatch):
    directory, fd = root
    (directory / "one").write_text("one")
    openat2, calls = within_root.openat2, []

    def replace_before_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            (directory / "one").unlink()
            os.mkfifo(directory / "one")
        return openat2(*arguments)

    monkeypatch.setattr(within_root, "openat2", replace_before_second)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="neither a file nor a directory"):
        open_inside(fd, "one", os.O_RDONLY)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("target", ["/", "../../..", "/elsewhere"])
def test_symlink_in_the_path_is_resolved_inside_the_root(root, tmp_path, target):
    directory, fd = root
    (directory / "etc").rmdir()
    (directory / "elsewhere").mkdir()
    (directory / "etc").symlink_to(target)
    write_files(fd, {"/etc/hosts": b"inside\n"})
    assert not (tmp_path / "hosts").exists()
    assert [p.read_bytes() for p in directory.rglob("hosts")] == [b"inside\n"]


def test_missing_directory_is_created(root):
    directory, fd = root
    assert read_files(fd, ["/a/b/file"]) == {"/a/b/file": None}
    write_files(fd, {"/a/b/file": b"x"})
    assert (directory / "a/b/file").read_bytes() == b"x"


def test_fifo_at_the_target_is_replaced_without_blocking(root):
    directory, fd = root
    os.mkfifo(directory / "etc/hosts")
    write_files(fd, {"/etc/hosts": b"x"})
    assert (directory / "etc/hosts").read_bytes() == b"x"


def test_file_with_a_lease_is_replaced_without_blocking(root):
    """A lease delays each open of a file by up to fs.lease-break-time, 45 seconds."""
    directory, fd = root
    path = directory / "etc/hosts"
    path.write_text("theirs\n")
    handler = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with open(path, "r+") as held:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": None}
        with pytest.raises(BlockingIOError):
            open_inside(fd, "/etc/hosts", os.O_RDONLY)
        assert read_inside(fd, "/etc/hosts", 10) is None
        assert write_files(fd, {"/etc/hosts": b"ours\n"}) == ["/etc/hosts"]
    signal.signal(signal.SIGIO, handler)
    assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": b"ours\n"}


@pytest.mark.parametrize("what", ["directory", "no directory above", "link to a file above", "loop above"])
def test_file_that_cannot_be_replaced_is_reported(root, what):
    directory, fd = root
    if what == "directory":
        (directory / "etc/hosts").mkdir()
    else:
        (directory / "etc").rename(directory / "old")
        if what == "no directory above":
            (directory / "etc").touch()
        else:
            (directory / "file").touch()
            (directory / "etc").symlink_to("file" if what == "link to a file above" else "etc")
    problems = {}
    assert read_files(fd, ["/etc/hosts", "/srv/other"], problems) == {"/srv/other": None}
    assert list(problems) == ["/etc/hosts"] and problems["/etc/hosts"]
    assert list(try_write_files(fd, {"/etc/hosts": b"x", "/srv/other": b"y"})) == ["/etc/hosts"]
    assert (directory / "srv/other").read_bytes() == b"y"


def test_huge_file_is_replaced_and_not_read(root):
    directory, fd = root
    with open(directory / "etc/hosts", "w") as file:
        os.truncate(file.fileno(), 1 << 40)
    assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": None}
    write_files(fd, {"/etc/hosts": b"x"})
    assert (directory / "etc/hosts").read_bytes() == b"x"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.mknod(path, stat.S_IFSOCK), os.mkdir])
def test_special_file_is_not_read(root, make):
    directory, fd = root
    make(directory / "etc/passwd")
    assert read_inside(fd, "etc/passwd", 10) is None
    assert exists_inside(fd, "etc/passwd")


def test_kernel_files_are_refused_unless_requested():
    fd = os.open("/", os.O_PATH)
    for path in ("/proc/1/environ", "/sys/kernel", "/proc"):
        with pytest.raises(KernelFile, match=r"proc|sysfs"):
            open_inside(fd, path)
        os.close(open_inside(fd, path, kernel_files=True))
    os.close(fd)


def test_pattern_matches_hidden_files_only_if_it_begins_with_a_dot(root):
    """As glob(7) says, and as ansible.builtin.command does."""
    directory, fd = root
    (directory / "etc/.hidden").touch()
    (directory / ".d").mkdir()
    (directory / ".d/file").touch()
    for pattern in ("/etc/*", "/etc/?hidden", "/etc/[.]hidden", "/*/file"):
        assert not pattern_exists(fd, pattern), pattern
    for pattern in ("/etc/.*", "/etc/.h?dden", "/.?/f*"):
        assert pattern_exists(fd, pattern), pattern


def test_pattern_is_compared_with_a_limited_number_of_entries(root, monkeypatch):
    directory, fd = root
    for number in range(20):
        (directory / f"etc/{number}").touch()
    assert pattern_exists(fd, "/e*/1?") and not pattern_exists(fd, "/etc/x*")
    monkeypatch.setattr(glob_inside, "MAX_ENTRIES", 10)
    with pytest.raises(glob_inside.TooManyEntries):
        pattern_exists(fd, "/etc/x*")
