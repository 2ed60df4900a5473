"""Controllers of cgroup version 2 that a machine's init enables for its units, as on each host with version 2 only."""

import contextlib
from pathlib import Path

import pytest
from attacks import inside, start
from image_cache import mount_image
from waiting import until

# As systemd does for its units: no process stays in the cgroup of the machine, and those below have the controller.
DIVIDE = """
os.chdir("/sys/fs/cgroup")
os.makedirs("units", exist_ok=True)
while members := open("cgroup.procs").read().split():
    for pid in members:
        open("units/cgroup.procs", "w").write(pid)
open("cgroup.subtree_control", "w").write("+{}")
return open("cgroup.subtree_control").read().strip()
"""


def v2_mount():
    """The mount point of version 2, for this machine and for a test host."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return Path(next(mount[1] for mount in mounts if mount[2] == "cgroup2"))


@pytest.fixture
def controller():
    """A controller that version 2 has here and that is not for threads, enabled for test hosts meanwhile."""
    root = v2_mount()
    controllers = (root / "cgroup.controllers").read_text().split()
    found = next(name for name in ("memory", "io", "hugetlb", "misc", "rdma") if name in controllers)
    control = root / "cgroup.subtree_control"
    was_enabled = found in control.read_text().split()
    control.write_text(f"+{found}")
    yield found
    if not was_enabled:
        # Another test host may use it.
        with contextlib.suppress(OSError):
            control.write_text(f"-{found}")


def test_a_machine_that_has_enabled_controllers_runs_again_after_its_end(controller, bare_host, cached_image):
    mount_image(bare_host, cached_image)
    bare_host.run("umount", "--all", "--types", "cgroup")
    start(bare_host, "box", init=True, command=None, stop_timeout=1, restart_policy="always")
    parent = v2_mount() / "conductor"
    bare_host.run("sh", "-c", f"echo +{controller} > {parent}/cgroup.subtree_control")
    assert controller in inside(bare_host, "box", DIVIDE.format(controller))

    def state():
        return bare_host.module("conductor_container_info", name=["box"])["containers"][0]

    pid = state()["pid"]
    bare_host.run("kill", "-KILL", str(pid))
    until(lambda: state()["pid"] not in (None, pid), "it runs again")
    bare_host.run("test", "!", "-e", f"{parent}/box/units")
    assert bare_host.module("conductor_container", name="box", state="absent")["changed"]
