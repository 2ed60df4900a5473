"""One host, with a container of each kind, for all attacks of a file that leave nothing behind."""

import pytest
from attacks import Arena
from image_cache import mount_image
from snapshot import difference, take
from testhost import Host


@pytest.fixture(scope="module")
def arena(cached_image):
    """Weak and strong containers on a host of their own; afterwards it must look as before, as with `host`."""
    with Host() as host:
        mount_image(host, cached_image)
        before = take(host)
        arena = Arena(host)
        yield arena
        for name in arena.started:
            host.module("conductor_container", name=name, state="absent", force=True)
        left = difference(before, take(host))
        assert not left, "left behind on the host:\n" + "\n".join(left)
