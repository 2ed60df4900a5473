"""Deletion of trees: of any width and depth, without following links, and with an end if an entry cannot be deleted."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._kernel.files.atomic_write import remove_tree

# More entries than a deletion lists at once.
MANY = 20_000


@pytest.fixture
def wide(tmp_path):
    """A directory with many entries: hard links of one file, which are made faster."""
    directory = tmp_path / "wide"
    directory.mkdir()
    first = directory / "first"
    first.touch()
    fd = os.open(directory, os.O_RDONLY)
    for number in range(MANY):
        os.link("first", f"{number:0200}", src_dir_fd=fd, dst_dir_fd=fd)
    os.close(fd)
    return directory


def test_wide_directory_is_deleted_without_a_list_of_all_its_names(wide):
    tracemalloc.start()
    remove_tree(str(wide))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not wide.exists()
    # Each name is longer than 200 bytes.
    assert most < MANY * 200


def test_wide_directory_with_an_entry_that_cannot_be_deleted_is_an_error(wide, monkeypatch):
    unlink = os.unlink

    def refuse_one(name, **options):
        if name == "first":
            raise PermissionError(1, "Operation not permitted", name)
        unlink(name, **options)

    monkeypatch.setattr(os, "unlink", refuse_one)
    with pytest.raises(PermissionError):
        remove_tree(str(wide))


def test_deep_directories_are_deleted_from_the_top(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for depth in range(300):
        os.mkdir(f"file {depth}", dir_fd=fd)
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    remove_tree(str(top))
    assert not top.exists()


def test_symlink_is_deleted_and_not_followed(tmp_path):
    kept, top = tmp_path / "kept", tmp_path / "top"
    kept.mkdir()
    (kept / "file").touch()
    top.mkdir()
    (top / "link").symlink_to(kept)
    remove_tree(str(top))
    assert not top.exists() and (kept / "file").exists()
