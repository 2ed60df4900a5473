"""Writing into a root directory that somebody else rules."""

import os

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._linux.inside_root import (
    read_files,
    write_files,
)


@pytest.fixture
def root(tmp_path):
    directory = tmp_path / "root"
    (directory / "etc").mkdir(parents=True)
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    yield directory, fd
    os.close(fd)


def test_a_file_is_written_once_and_then_left_alone(root):
    directory, fd = root
    assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": None}
    assert write_files(fd, {"/etc/hosts": b"one\n"}) == ["/etc/hosts"]
    before = os.stat(directory / "etc/hosts").st_ino
    assert write_files(fd, {"/etc/hosts": b"one\n"}) == []
    assert read_files(fd, ["/etc/hosts"]) == {"/etc/hosts": b"one\n"}
    assert os.stat(directory / "etc/hosts").st_ino == before
    assert os.listdir(directory / "etc") == ["hosts"]


def test_a_link_at_the_target_is_replaced_and_not_followed(root, tmp_path):
    directory, fd = root
    (tmp_path / "precious").write_text("keep")
    (directory / "etc/resolv.conf").symlink_to(tmp_path / "precious")
    write_files(fd, {"/etc/resolv.conf": b"nameserver 192.0.2.1\n"})
    assert (tmp_path / "precious").read_text() == "keep"
    assert not (directory / "etc/resolv.conf").is_symlink()


@pytest.mark.parametrize("target", ["/", "../../..", "/elsewhere"])
def test_a_link_on_the_way_stays_inside_the_root(root, tmp_path, target):
    directory, fd = root
    (directory / "etc").rmdir()
    (directory / "elsewhere").mkdir()
    (directory / "etc").symlink_to(target)
    write_files(fd, {"/etc/hosts": b"inside\n"})
    assert not (tmp_path / "hosts").exists()
    assert [p.read_bytes() for p in directory.rglob("hosts")] == [b"inside\n"]


def test_a_missing_directory_is_made(root):
    directory, fd = root
    assert read_files(fd, ["/a/b/file"]) == {"/a/b/file": None}
    write_files(fd, {"/a/b/file": b"x"})
    assert (directory / "a/b/file").read_bytes() == b"x"


def test_a_fifo_at_the_target_neither_blocks_nor_stays(root):
    directory, fd = root
    os.mkfifo(directory / "etc/hosts")
    write_files(fd, {"/etc/hosts": b"x"})
    assert (directory / "etc/hosts").read_bytes() == b"x"
