"""A container that is as near to the machine of script/vm as it can be, on a test host beside it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import image_cache
from controller import Controller
from testhost import Host
from uplink import DNS, uplink

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
# Those of script/vm, without a kernel.
PACKAGES = (
    "systemd systemd-sysv libpam-systemd dbus openssh-server iproute2 ifupdown kmod ca-certificates python3 nftables "
    "libseccomp2 procps logrotate"
)


def recipe(suite: str) -> dict:
    return {"suite": suite, "packages": PACKAGES.split()}


@contextlib.contextmanager
def machine_container(
    suite: str, directory: Path, way: str = "local", **more: object
) -> Iterator[tuple[Controller, Host | None]]:
    """Run the container `box`; yield Ansible with it as the target, and the host to run it on, None for this machine.

    `way`: local or ssh, of the connection; `more`: options of the container.
    """
    state = directory / "state"
    state.mkdir(mode=0o755)
    with Host() as host, uplink(host):
        # On a disk, as on the machine: a tmpfs has no attributes for chattr(1).
        host.run("mount", "--bind", str(state), "/var/lib/conductor")
        image_cache.mount_image(host, image_cache.test_image(recipe(suite)))
        network = {"internet": True, "dns": [DNS]}
        options = {"image": "debian", "init": True, "wait": BOOTED, "wait_timeout": 120, "network": network}
        host.module("conductor_container", name="box", **options, **more)
        controller = Controller(directory)
        controller.add("box", **({"ansible_user": "root", **controller.let_in(host)} if way == "ssh" else {}))
        yield controller, host if way == "local" else None
    subprocess.run(["rm", "-rf", "--one-file-system", str(state)], check=True)
