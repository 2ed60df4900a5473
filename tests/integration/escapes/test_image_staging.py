"""Foreign files while an image is made: no user of the host reaches them, at any moment, whatever they come from."""

import json

import pytest
from attacks import patched
from reachable import reached
from seams.defenses import open_staging
from seams.interference import use_staging_as_nobody
from small_image import image, make_runnable_archive, pack

STAGING = "/var/lib/conductor/images/.build-small-*"


@pytest.fixture
def evil(bare_host):
    """An archive with a setuid program and a device node."""
    make_runnable_archive(bare_host, "evil")
    bare_host.run("sh", "-ec", "cd /run/evil; cp /usr/bin/id suid; chmod 4755 suid; mknod disk b 8 0; chmod 666 disk")
    return pack(bare_host, "evil")


def test_what_is_setuid_in_an_archive_serves_no_user_while_it_is_unpacked(bare_host, evil):
    patched(bare_host, "conductor_image", seams=[open_staging, use_staging_as_nobody], name="weak", source=evil)
    assert bare_host.run("cat", "/run/got").stdout == "0\nblock special file\n"
    patched(bare_host, "conductor_image", seams=[use_staging_as_nobody], name="small", source=evil)
    assert bare_host.run("cat", "/run/got").stdout.count("Permission denied") == 2


def test_no_user_reaches_an_image_at_any_step_of_making_it(bare_host, evil):
    wish = {"name": "small", "commands": ["touch /made"]}
    steps, found = reached(bare_host, "image", **wish, source=evil)
    assert steps > 15 and found == []
    assert reached(bare_host, "image", name="small", state="exported", archive="/run/out.tar.gz")[1] == []
    steps, found = reached(bare_host, "image", **{**wish, "name": "on"}, source={"image": "small"})
    assert steps > 15 and found == []
    bare_host.module("conductor_container", name="box", image="on", user="0", state="present")
    steps, found = reached(bare_host, "image", **{**wish, "name": "of"}, source={"container": "box"})
    assert steps > 15 and found == []
    assert reached(bare_host, "image", name="of", state="absent")[1] == []


def test_no_user_reaches_a_container_at_any_step_of_its_life(bare_host, evil):
    image(bare_host, source=evil)
    for userns in ("auto", "host"):
        box = {"name": "box", "image": "small", "user": "0", "command": ["/bin/sleep", "infinity"], "userns": userns}
        steps, found = reached(bare_host, "container", **box, state="started")
        assert steps > 15 and found == []
        for more in ({"state": "stopped"}, {"state": "started", "recreate": True}, {"state": "absent", "force": True}):
            assert reached(bare_host, "container", **{**box, **more})[1] == []


def test_a_user_is_seen_where_the_way_is_open(bare_host, evil):
    """That the tests above can fail."""
    bare_host.run("mkdir", "-p", "/var/lib/conductor/images")
    bare_host.run("sh", "-ec", "mkdir -p /var/lib/conductor/images/.build-other-1/rootfs/etc")
    found = reached(bare_host, "image", name="small", source=evil)[1]
    assert json.dumps(found).count(".build-other-1/rootfs") and "small" not in json.dumps(found)
