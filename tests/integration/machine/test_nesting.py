"""podman inside a machine: with privileged, and a file system for its storage that can be an upper layer."""

import image_cache
import pytest

RECIPE = {
    **image_cache.RECIPE,
    "packages": [*image_cache.RECIPE["packages"], "podman", "crun", "busybox-static", "fuse-overlayfs"],
}
BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
# Without a limit of pids, since the test's machine has no such controller in version 2.
SCRIPT = """
mkdir -p /srv/tree/bin
cp /bin/busybox /srv/tree/bin/
tar -C /srv/tree -c . | podman import - base
podman run --rm --network none --pids-limit 0 base /bin/busybox echo nested
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [{"devices": ["/dev/fuse"]}, {"mounts": [{"type": "tmpfs", "target": "/var/lib/containers"}]}],
    ids=["fuse", "volume"],
)
def test_podman_runs_a_container_inside(bare_host, options):
    image_cache.mount_image(bare_host, image_cache.test_image(RECIPE))
    box = {"name": "box", "image": "debian", "init": True, "wait": BOOTED, "privileged": True}
    bare_host.module("conductor_container", **box, **options)
    argv = ["/bin/sh", "-ec", SCRIPT]
    done = bare_host.module("conductor_exec", container="box", argv=argv, timeout=90)
    assert done["stdout"].splitlines()[-1] == "nested"


@pytest.mark.long
def test_without_privileged_the_reason_is_told(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(RECIPE))
    bare_host.module("conductor_container", name="box", image="debian", init=True, wait=BOOTED, devices=["/dev/fuse"])
    argv = ["/bin/sh", "-ec", SCRIPT]
    refused = bare_host.module("conductor_exec", container="box", argv=argv, timeout=90, fails=True)
    assert "keyring" in refused["stderr"] and "not permitted" in refused["stderr"]
