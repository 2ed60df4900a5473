"""The test host itself: what is written there is not the machine's, and the leak check sees it."""

from pathlib import Path

import pytest
from snapshot import difference, take

# Where a fault of ours, or a role that is applied to the wrong host, could write.
PLACES = [f"/{directory}/conductor-was-here" for directory in ("usr/sbin", "etc", "opt", "root", "var/cache", "srv")]


@pytest.mark.parametrize("path", [*PLACES, "/conductor-was-here"])
def test_file_written_on_a_test_host_is_seen_there_and_not_the_machines(bare_host, path):
    before = take(bare_host)
    bare_host.run("tee", path, stdin="x")
    assert not Path(path).exists()
    assert any(line.endswith(path) for line in difference(before, take(bare_host)))
