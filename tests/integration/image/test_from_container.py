"""Images from a container."""

import json

import pytest
from dying import dies
from small_image import entries, image, make_runnable_archive
from strides import spread

RANGES = {"base": 800000}
WORK = r"""
truncate -s 3000000 /one; ln /one /hard; chown 33:44 /one; chmod 6755 /one; mkfifo /fifo
python3 -c "
import os
os.setxattr('/one', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))
os.setxattr('/one', 'user.mine', b'\x00\xff')
os.mkdir(b'/odd \n name \xe9'); os.symlink('/absolute', '/link')
"
rm /etc/issue; rm -r /etc/apt; mkdir /etc/apt; touch /etc/apt/new; touch /etc/debian_version
chown -R nobody:nogroup /srv; touch -d 1990-01-02 /srv/old; echo id > /etc/machine-id
"""
LOOK = r"""
import hashlib, json, os, stat
found = {}
for top in ('/one', '/hard', '/fifo', '/link', '/etc', '/srv', '/usr/bin', '/'):
    names = [os.path.join(top, name) for name in os.listdir(top)] if os.path.isdir(top) else []
    for path in [top, *names]:
        s = os.lstat(path)
        if path.split('/')[1] in ('proc', 'sys', 'dev', 'run', 'tmp', 'looked') or path in HOSTS:
            continue
        xattrs = {} if stat.S_ISLNK(s.st_mode) else {x: os.getxattr(path, x).hex() for x in sorted(os.listxattr(path))}
        found[repr(os.fsencode(path))] = [s.st_mode, s.st_uid, s.st_gid, s.st_size * stat.S_ISREG(s.st_mode), xattrs]
print(json.dumps(found, sort_keys=True))
"""
UPPER = r"cd /var/lib/conductor/containers/template; find upper -printf '%p %U %m %T@\n' | sha256sum"
# Each container's own.
HOSTS = ("/etc/hosts", "/etc/hostname", "/etc/machine-id", "/etc/resolv.conf")


def run(host, name, script):
    return host.module("conductor_exec", container=name, argv=["/bin/sh", "-ec", script])["stdout"]


def look(host, name):
    argv = ["/usr/bin/python3", "-c", f"HOSTS = {HOSTS!r}\n{LOOK}"]
    return json.loads(host.module("conductor_exec", container=name, argv=argv)["stdout"])


@pytest.fixture
def template(host):
    """A container that was worked in, stopped; how it looked from inside. Its images go with the test."""
    host.module("conductor_container", name="template", image="debian", command=["/bin/sleep", "infinity"])
    run(host, "template", WORK)
    seen = look(host, "template")
    host.module("conductor_container", name="template", state="stopped")
    yield seen
    for name in host.run("ls", "/var/lib/conductor/containers").stdout.split():
        host.module("conductor_container", name=name, state="absent")
    host.module("conductor_image", name="golden", state="absent")
    host.run("rm", "-rf", "/var/lib/conductor/images/.logs")


SOURCE = {"container": "template"}


@pytest.mark.parametrize("userns", ["auto", RANGES, "host"], ids=["auto", "range", "host"])
def test_container_of_the_image_has_the_files_of_the_source(host, template, userns):
    before = host.run("sh", "-c", UPPER).stdout
    planned = host.module("conductor_image", name="golden", source=SOURCE, check=True)
    made = host.module("conductor_image", name="golden", source=SOURCE)
    assert made["changed"] and made["actions"] == planned["actions"] == ["build image golden"]
    assert made["image"]["builder"] == "container" and made["image"]["recipe"]["source"]["container"] == "template"
    assert host.run("sh", "-c", UPPER).stdout == before
    host.module("conductor_container", name="new", image="golden", command=["/bin/sleep", "1"], userns=userns)
    host.module("conductor_container", name="new", state="stopped")
    host.module("conductor_container", name="new", command=["/bin/sleep", "infinity"])
    found = look(host, "new")
    assert found == template
    assert found[repr(b"/one")][1:3] == [33, 44] and found[repr(b"/one")][4]["security.capability"].startswith(
        "01000002"
    )
    assert repr(b"/etc/issue") not in found and run(host, "new", "ls /etc/apt; stat -c %h /one") == "new\n2"
    assert run(host, "new", "cat /etc/machine-id") == "", "it is another machine"


def test_files_of_the_image_have_the_ids_inside(host, template):
    host.module("conductor_image", name="golden", source=SOURCE)
    root = "/var/lib/conductor/images/golden/rootfs"
    assert host.run("stat", "-c", "%u:%g %a", f"{root}/one").stdout == "33:44 6755\n"
    assert host.run("find", root, "-uid", "+65535").stdout == ""
    host.module("conductor_image", name="golden", state="exported", archive="/run/golden.tar")
    listing = host.run("sh", "-c", "tar --numeric-owner -tvf /run/golden.tar ./one ./srv").stdout
    assert "33/44" in listing and "65534/65534" in listing
    host.run("rm", "/run/golden.tar")


def test_image_is_rebuilt_only_with_force(host, template):
    host.module("conductor_image", name="golden", source=SOURCE)
    assert not host.module("conductor_image", name="golden", source=SOURCE)["changed"]
    host.module("conductor_container", name="template", state="started")
    run(host, "template", "touch /later")
    assert not host.module("conductor_image", name="golden", source=SOURCE)["changed"], "also while it runs"
    for check in (True, False):
        refused = host.module("conductor_image", name="golden", source=SOURCE, force=True, fails=True, check=check)
        assert "container template is running" in refused["msg"] and "Stop template first" in refused["msg"]
    host.module("conductor_container", name="template", state="stopped")
    assert host.module("conductor_image", name="golden", source=SOURCE, force=True)["actions"] == [
        "build image golden again"
    ]
    host.run("test", "-e", "/var/lib/conductor/images/golden/rootfs/later")
    refused = host.module("conductor_image", name="golden", source={"container": "other"}, fails=True)
    assert "built with other values of source" in refused["msg"]


def test_commands_may_follow(host, template):
    host.module("conductor_image", name="golden", source=SOURCE, commands=["touch /by-command"])
    host.run("test", "-e", "/var/lib/conductor/images/golden/rootfs/by-command")


def test_image_does_not_depend_on_the_container(host, template):
    host.module("conductor_image", name="golden", source=SOURCE)
    host.module("conductor_container", name="template", state="absent")
    assert not host.module("conductor_image", name="golden", source=SOURCE)["changed"]
    host.module("conductor_container", name="new", image="golden")


@spread(5)
def test_next_run_converges_after_death_at_any_step(bare_host, stride):
    image(bare_host, source=make_runnable_archive(bare_host))
    bare_host.module("conductor_container", name="template", image="small", user="0", state="present")
    wish = {"name": "golden", "source": {**dict.fromkeys(["archive", "checksum"]), **SOURCE}}
    step = 0
    while dies(bare_host, step, "image", **wish):
        bare_host.module("conductor_image", **{**wish, "source": SOURCE})
        assert entries(bare_host) == ["golden", "small"]
        bare_host.run("test", "-d", "/var/lib/conductor/images/golden/rootfs")
        bare_host.module("conductor_image", name="golden", state="absent")
        step += stride
    assert step > 8
    assert bare_host.run("grep", "-c", "golden\\|template", "/proc/self/mountinfo", check=False).stdout == "0\n"
