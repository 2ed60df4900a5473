"""Exports of images: they are reproducible, keep all attributes of files, and replace no other file."""

import json

import pytest
from small_image import IMAGES, ROOTFS, image, make_archive, pack

# All that a file can have. Names are bytes, in whatever encoding.
VARIETY = r"""
cd /run/small
mkdir -p d/empty; chmod 1777 d/empty; chmod 711 d
echo one > one; ln one d/hard; ln -s /absolute abs; ln -s ../../../up up
printf x > "$(printf 'odd \n name \351 \342\202\254')"
touch setuid; chown 123:45678 setuid; chmod 6755 setuid
mknod d/null c 1 3; mkfifo d/fifo
truncate -s 3M sparse
touch -d 1990-01-02T03:04:05.678Z old; touch -d 2099-01-01 future
python3 -c "
import os
os.setxattr('one', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))
os.setxattr('one', 'trusted.mine', b'\x00\xff')
os.setxattr('d', 'system.posix_acl_default', bytes.fromhex(
    '02000000 01000700ffffffff 04000500ffffffff 20000500ffffffff'))
"
"""
LIST = r"""
import hashlib, json, os, stat, sys
def look(path):
    s = os.lstat(path)
    content = os.readlink(path).hex() if stat.S_ISLNK(s.st_mode) else (
        hashlib.sha256(open(path, 'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else '')
    xattrs = {} if stat.S_ISLNK(s.st_mode) else {x: os.getxattr(path, x).hex() for x in sorted(os.listxattr(path))}
    return [s.st_mode, s.st_uid, s.st_gid, s.st_rdev, s.st_nlink, int(s.st_mtime), content, xattrs]
os.chdir(sys.argv[1])
found = {}
for directory, directories, files in os.walk(b'.'):
    for name in [b'.', *directories, *files]:
        path = os.path.join(directory, name)
        found[path.hex()] = look(path)
print(json.dumps(found, sort_keys=True))
"""


@pytest.fixture
def archive(bare_host):
    return make_archive(bare_host, ROOTFS)


def listing(host, name):
    return json.loads(host.run("python3", "-c", LIST, f"{IMAGES}/{name}/rootfs").stdout)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_export_and_import_keep_all_file_attributes(bare_host, archive, suffix):
    bare_host.run("sh", "-ec", VARIETY)
    image(bare_host, source=pack(bare_host))
    original = listing(bare_host, "small")
    assert len(original) > 20 and any(entry[7] for entry in original.values())
    image(bare_host, state="exported", archive=f"/run/out{suffix}")
    bare_host.module("conductor_image", name="copy", source={"archive": f"/run/out{suffix}"})
    copy = listing(bare_host, "copy")
    created = max(entry[5] for entry in copy.values())
    # Times that lie after the image was made cannot be true, and would differ from build to build.
    assert copy == {path: [*e[:5], min(e[5], created), *e[6:]] for path, e in original.items()}
    assert sum(entry[5] == created for entry in copy.values()) >= 1


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_exports_are_reproducible(bare_host, archive, suffix):
    bare_host.run("sh", "-ec", VARIETY)
    image(bare_host, source=pack(bare_host))
    first, second = f"/run/one{suffix}", f"/run/two{suffix}"
    assert image(bare_host, state="exported", archive=first, check=True)["changed"]
    assert bare_host.run("test", "-e", first, check=False).returncode == 1
    assert image(bare_host, state="exported", archive=first)["archive"] == first
    assert not image(bare_host, state="exported", archive=first)["changed"]
    # Another order of directory entries, other times of access.
    rootfs = f"{IMAGES}/small/rootfs"
    bare_host.run("sh", "-ec", f"cp -a {rootfs} {rootfs}2; rm -r {rootfs}; mv {rootfs}2 {rootfs}; cat {rootfs}/one")
    image(bare_host, state="exported", archive=second)
    bare_host.run("cmp", first, second)
    assert bare_host.run("stat", "-c", "%a", first).stdout == "600\n"


def test_changed_archive_is_exported_again(bare_host, archive):
    image(bare_host, source=archive)
    image(bare_host, state="exported", archive="/run/out.tar")
    bare_host.run("sh", "-c", "echo more >> /run/out.tar")
    assert image(bare_host, state="exported", archive="/run/out.tar")["changed"]
    bare_host.run("rm", "/run/out.tar")
    assert image(bare_host, state="exported", archive="/run/out.tar")["changed"]
    bare_host.run("test", "-s", "/run/out.tar")


def test_rebuilt_image_is_exported_again(bare_host, archive):
    image(bare_host, source=archive)
    image(bare_host, state="exported", archive="/run/out.tar")
    image(bare_host, source=archive, force=True)
    assert image(bare_host, state="exported", archive="/run/out.tar")["changed"]


@pytest.mark.parametrize("other", ["echo keep > /run/out.tar", "ln -s nowhere /run/out.tar"])
def test_export_replaces_another_file_only_with_force(bare_host, archive, other):
    bare_host.run("sh", "-c", other)
    before = bare_host.run("stat", "-c", "%F %i %y", "/run/out.tar").stdout
    for check in (True, False):
        # Also for an image that an earlier task would make.
        refused = image(bare_host, state="exported", archive="/run/out.tar", check=check, fails=True)
        assert "/run/out.tar exists and is not an export of this image" in refused["msg"]
        image(bare_host, source=archive, check=check)
    refused = image(bare_host, state="exported", archive="/run/out.tar", fails=True)
    assert "set force: true to replace that file" in refused["msg"]
    assert bare_host.run("stat", "-c", "%F %i %y", "/run/out.tar").stdout == before
    assert image(bare_host, state="exported", archive="/run/out.tar", force=True)["changed"]
    assert not image(bare_host, state="exported", archive="/run/out.tar")["changed"]


def test_export_does_not_follow_symlinks(bare_host, archive):
    image(bare_host, source=archive)
    bare_host.run("sh", "-ec", "echo keep > /run/precious; ln -s /run/precious /run/out.tar")
    bare_host.run("ln", "-s", "/run/precious", "/run/.out.tar.conductor-small")
    image(bare_host, state="exported", archive="/run/out.tar", force=True)
    assert bare_host.run("cat", "/run/precious").stdout == "keep\n"
    assert bare_host.run("stat", "-c", "%F", "/run/out.tar").stdout == "regular file\n"
