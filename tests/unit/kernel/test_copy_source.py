"""Bytes of a file are copied with its holes."""

import os

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._kernel.files.copy_source import copy_bytes, digest

SIZE = 48 << 20


@pytest.fixture
def files(tmp_path):
    """An empty file to copy from, and another to copy to."""
    with open(tmp_path / "source", "w+b") as source, open(tmp_path / "target", "w+b") as target:
        yield source, target


def used(file):
    """Bytes that a file uses."""
    os.fsync(file.fileno())
    return os.stat(file.fileno()).st_blocks * 512


def test_holes_are_not_written(files):
    source, target = files
    source.truncate(SIZE)
    source.seek((32 << 20) - 1)
    source.write(b"text")
    source.flush()
    copied = copy_bytes(source.fileno(), SIZE, target.fileno())
    assert copied == (digest(target.fileno(), SIZE), SIZE) == copy_bytes(source.fileno(), SIZE)
    assert os.stat(target.fileno()).st_size == SIZE
    assert used(target) < 4 << 20


def test_zeros_that_were_written_are_written(files):
    """A swap file, for instance, must have no holes."""
    source, target = files
    source.write(bytes(4 << 20))
    source.flush()
    copy_bytes(source.fileno(), 4 << 20, target.fileno())
    assert used(target) == used(source) >= 4 << 20
