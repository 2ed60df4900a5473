"""Hosts for attacks: one with a container of each kind, for all of a file that leave nothing behind; one with an
attacker who swaps a directory for a link.
"""

import threading

import pytest
from attacks import Arena, inside, start
from copying import SRV
from image_cache import mount_image
from snapshot import difference, take
from testhost import Host

SWAP = """
    os.mkdir("/srv/dir")
    os.symlink("/run/outside", "/srv/link")
    os.makedirs("/run/outside")
    open("/srv/dir/secret", "w").write("of the container")
    open("/run/outside/secret", "w").write("of the container")
    open("/srv/ready", "w").close()
    count = 0
    while not os.path.exists("/srv/stop"):
        kernel("renameat2", -100, b"/srv/dir", -100, b"/srv/link", 2)
        count += 1
    return count
"""


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


@pytest.fixture
def swapping(host):
    """The host, where container box swaps a directory of its own and a link to one of the host's, as fast as it can."""
    host.run("sh", "-c", "mkdir /run/outside; echo 'of the host' > /run/outside/secret; echo mine > /run/mine")
    start(host, "box", userns="host")
    counts = []
    attacker = threading.Thread(target=lambda: counts.append(int(inside(host, "box", SWAP))))
    attacker.start()
    host.run("sh", "-c", f"until [ -e {SRV}/ready ]; do sleep 0.05; done")
    yield host
    host.run("touch", f"{SRV}/stop")
    attacker.join()
    assert counts[0] > 100
    host.run("rm", "-rf", "/run/outside", "/run/mine", "/run/got")
