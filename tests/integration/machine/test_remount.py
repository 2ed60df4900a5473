"""Root of a machine may mount what the host has mounted for it again, with other options, as on a machine."""

import image_cache
import pytest

BOOKWORM = {**image_cache.RECIPE, "suite": "bookworm"}
BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
MOUNTS = [
    {"type": "tmpfs", "target": "/srv/data", "size": "1m"},
    {"type": "tmpfs", "target": "/srv/fixed", "size": "1m", "read_only": True},
]
PATHS = ("/dev", "/dev/shm", "/run", "/run/lock", "/tmp", "/srv/data")


# mount(8) of Debian 12 uses mount(2), that of Debian 13 fsconfig(2). No other short test needs an image of bookworm.
SUITES = [image_cache.RECIPE, pytest.param(BOOKWORM, marks=pytest.mark.long)]


@pytest.fixture(params=SUITES, ids=["trixie", "bookworm"])
def inside(bare_host, request):
    """Run a script in a machine; its output, also after a failure."""
    image_cache.mount_image(bare_host, image_cache.test_image(request.param))
    options = {"mounts": MOUNTS, "devices": ["/dev/fuse:/dev/deep/in/fuse"]}
    bare_host.module("conductor_container", name="system", image="debian", init=True, wait=BOOTED, **options)

    def run(script):
        argv = ["/bin/sh", "-c", f"{{ {script}; }} 2>&1 || true"]
        return bare_host.module("conductor_exec", container="system", argv=argv)["stdout"]

    return run


def test_a_tmpfs_can_get_other_options(inside):
    for path in PATHS:
        remount = f"mount -o remount,nosuid,nodev,noexec,size=2m {path}"
        options = inside(f"{remount} && findmnt -no OPTIONS {path}").split(",")
        assert {"nosuid", "nodev", "noexec"} <= set(options), options
        assert inside(f"df --output=size -k {path} | tail -n 1").strip() == "2048"
    assert inside("true > /dev/null && head -c 1 /dev/zero | wc -c") == "1"
    assert inside("systemctl is-system-running") == "running"


def test_no_restriction_can_be_taken_away(inside):
    for path in PATHS[1:]:
        assert "denied" in inside(f"mount -o remount,dev {path}"), path
    assert "denied" in inside("mount -o remount,rw /srv/fixed")
    assert "ead-only" in inside("touch /srv/fixed/file")
    assert "not permitted" in inside("mknod /dev/memory c 1 1")
    # Locked: what the mount covers is no device.
    assert "not mounted" in inside("umount /dev/null")


def test_what_is_mounted_belongs_to_root_inside(inside):
    nodes = "stat -c '%U:%G %F' /dev/null /dev/net/tun /dev/deep/in/fuse"
    assert inside(nodes).splitlines() == ["root:root character special file"] * 3
    assert inside("stat -c %U:%G /dev /dev/deep /srv/fixed " + " ".join(PATHS)).split() == ["root:root"] * 9
