"""podman and docker inside a machine: with privileged, and storage on a file system that can be an upper layer."""

import image_cache
import pytest
from host_command import PROGRAM

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


DOCKER = {
    **image_cache.RECIPE,
    "packages": [
        *image_cache.RECIPE["packages"],
        "docker.io",
        "docker-cli",
        "iptables",
        "busybox-static",
        "nftables",
        "python3-pyroute2",
    ],
}
# The container's network is a bridge of docker's, with rules of its own.
DOCKER_SCRIPT = """
mkdir -p /srv/tree/bin
cp /bin/busybox /srv/tree/bin/
tar -C /srv/tree -c . | docker import - base
docker run --detach --publish 8080:80 --name httpd base /bin/busybox httpd -f -p 80
until curl --silent --head http://127.0.0.1:8080/ | grep 'HTTP/1.1 404'; do sleep 0.1; done
docker exec httpd /bin/busybox echo nested
"""


@pytest.mark.long
def test_docker_runs_a_container_inside(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(DOCKER))
    storage = [{"type": "tmpfs", "target": "/var/lib/docker"}]
    box = {"name": "box", "image": "debian", "init": True, "wait": BOOTED, "privileged": True, "mounts": storage}
    bare_host.module("conductor_container", **box, network={})
    argv = ["/bin/sh", "-ec", DOCKER_SCRIPT]
    done = bare_host.module("conductor_exec", container="box", argv=argv, timeout=90)
    assert done["stdout"].splitlines()[-1] == "nested"


# Without a user namespace of its own, for whose ids the container has no room.
OWN_SCRIPT = """
cp -a /srv/lib /var/lib/conductor/
echo '{"name": "own", "containers": {"inner": {"image": "debian", "userns": "host"}}}' > /tmp/own.json
conductor up /tmp/own.json
"""


@pytest.mark.long
def test_containers_of_this_collection_inside_are_refused_with_the_reason(bare_host):
    host = bare_host
    image_cache.mount_image(host, image_cache.test_image(DOCKER))
    host.module("conductor_command")
    ours = {"/var/lib/conductor/lib": "/srv/lib", PROGRAM: PROGRAM}
    ours["/var/lib/conductor/images/debian"] = "/var/lib/conductor/images/debian"
    mounts = [{"type": "tmpfs", "target": "/var/lib/conductor"}]
    mounts += [{"source": one, "target": target, "read_only": True, "idmap": False} for one, target in ours.items()]
    host.module("conductor_container", name="box", image="debian", privileged=True, mounts=mounts)
    argv = ["/bin/sh", "-ec", OWN_SCRIPT]
    refused = host.module("conductor_exec", container="box", argv=argv, timeout=60, fails=True)
    assert "bpf: Operation not permitted" in refused["stderr"], refused
    host.module("conductor_command", state="absent")
