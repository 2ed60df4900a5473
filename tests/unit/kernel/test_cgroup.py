"""Files of a cgroup that are read and written, in directories that imitate version 2 and version 1."""

import signal
import subprocess

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.exec.kill_descendants import (
    kill_descendants,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import HostNotCapable
from ansible_collections.conductor.containers.plugins.module_utils._kernel.cgroup import Cgroup
from ansible_collections.conductor.containers.plugins.module_utils._kernel.cgroup_limits import (
    CgroupLimits,
    has_limits,
    set_limits,
)

V2_FILES = {
    "memory.max": "max",
    "cpu.max": "max 100000",
    "pids.max": "max",
    "memory.current": "4096",
    "pids.current": "3",
}
V1_FILES = {"memory": ["memory.limit_in_bytes"], "cpu,cpuacct": ["cpu.cfs_quota_us"], "pids": ["pids.max"]}


def v2(tmp_path):
    top = tmp_path / "cgroup"
    for directory in (top, top / "conductor"):
        directory.mkdir(exist_ok=True)
        (directory / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        (directory / "cgroup.subtree_control").write_text("")
    (top / "conductor/web").mkdir()
    for name, text in V2_FILES.items():
        (top / "conductor/web" / name).write_text(f"{text}\n")
    (top / "conductor/web/cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\n")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"proc /proc proc rw 0 0\ncgroup2 {top} cgroup2 rw,nosuid 0 0\n")
    return top / "conductor/web", str(mounts)


def v1(tmp_path):
    lines = []
    for hierarchy, files in V1_FILES.items():
        directory = tmp_path / hierarchy / "conductor/web"
        directory.mkdir(parents=True)
        for name in files:
            (directory / name).write_text("-1\n")
        lines.append(f"cgroup {tmp_path / hierarchy} cgroup rw,relatime,{hierarchy} 0 0\n")
    mounts = tmp_path / "mounts-of-version-1"
    mounts.write_text("".join(lines))
    return tmp_path, str(mounts)


def test_version_2_enables_controllers_and_sets_limits(tmp_path):
    directory, mounts = v2(tmp_path)
    cgroup = Cgroup("conductor/web", mounts)
    cgroup.create()
    # One write for each controller; in an ordinary file the last one is at the start.
    for above in (directory.parents[1], directory.parent):
        assert (above / "cgroup.subtree_control").read_text().startswith(("+cpu", "+memory", "+pids"))
    for name in V2_FILES:
        (directory / name).write_text("")
    set_limits(cgroup, CgroupLimits(memory=(64 << 20) + 5, cpus=1.5, pids=7))
    assert (directory / "memory.max").read_text() == str((64 << 20) + 5)
    assert (directory / "cpu.max").read_text() == "150000 100000"
    assert (directory / "pids.max").read_text() == "7"


def test_version_2_limits_are_compared_in_the_kernels_format(tmp_path):
    directory, mounts = v2(tmp_path)
    cgroup = Cgroup("conductor/web", mounts)
    assert has_limits(cgroup, CgroupLimits())
    assert not has_limits(cgroup, CgroupLimits(64 << 20, 0, 0))
    (directory / "memory.max").write_text(f"{64 << 20}\n")
    assert has_limits(cgroup, CgroupLimits((64 << 20) + 5)), "the kernel rounds down to pages"
    assert not has_limits(cgroup, CgroupLimits(64 << 20, 0.5, 0))


def test_version_2_usage(tmp_path):
    _, mounts = v2(tmp_path)
    assert Cgroup("conductor/web", mounts).usage() == {"memory": 4096, "cpu": 1500000, "pids": 3}


def test_version_1_sets_each_limit_in_its_hierarchy(tmp_path):
    top, mounts = v1(tmp_path)
    cgroup = Cgroup("conductor/web", mounts)
    assert len(cgroup.directories) == 3
    for hierarchy, files in V1_FILES.items():
        for name in files:
            (top / hierarchy / "conductor/web" / name).write_text("")
    set_limits(cgroup, CgroupLimits(memory=1 << 20, cpus=0.5, pids=0))
    assert (top / "memory/conductor/web/memory.limit_in_bytes").read_text() == str(1 << 20)
    assert (top / "cpu,cpuacct/conductor/web/cpu.cfs_quota_us").read_text() == "50000"
    assert (top / "pids/conductor/web/pids.max").read_text() == "max"


def test_version_1_limits_are_compared_in_the_kernels_format(tmp_path):
    top, mounts = v1(tmp_path)
    (top / "memory/conductor/web/memory.limit_in_bytes").write_text("9223372036854771712\n")
    (top / "pids/conductor/web/pids.max").write_text("max\n")
    assert has_limits(Cgroup("conductor/web", mounts), CgroupLimits())


@pytest.mark.parametrize("limits", [(1 << 20, 0, 0), (0, 1.0, 0), (0, 0, 5)])
def test_limit_without_its_controller_is_an_error(tmp_path, limits):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    cgroup = Cgroup("conductor/web", str(mounts))
    set_limits(cgroup, CgroupLimits())
    with pytest.raises(HostNotCapable, match="controller is missing"):
        set_limits(cgroup, CgroupLimits(*limits))


def test_no_limit_is_set_if_the_controller_of_another_is_missing(tmp_path):
    directory, mounts = v2(tmp_path)
    with pytest.raises(HostNotCapable):
        set_limits(Cgroup("conductor/web", mounts), CgroupLimits(memory=1 << 26, cpuset="0"))
    assert (directory / "memory.max").read_text() == "max\n"


def test_swap_limit_is_separate_in_version_2_and_combined_with_memory_in_version_1(tmp_path):
    directory, mounts = v2(tmp_path)
    cgroup = Cgroup("conductor/web", mounts)
    set_limits(cgroup, CgroupLimits(memory=1 << 26, cpus=0, pids=0, swap=0))
    (directory / "memory.swap.max").write_text("max\n")
    set_limits(cgroup, CgroupLimits(memory=1 << 26, cpus=0, pids=0, swap=0))
    assert (directory / "memory.swap.max").read_text().startswith("0")
    (directory / "memory.swap.max").write_text("0\n")
    (directory / "memory.max").write_text(f"{1 << 26}\n")
    (directory / "cpu.max").write_text("max 100000\n")
    (directory / "pids.max").write_text("max\n")
    assert has_limits(cgroup, CgroupLimits(1 << 26, swap=0))
    assert not has_limits(cgroup, CgroupLimits(1 << 26, swap=4096))
    top, mounts = v1(tmp_path)
    memory = top / "memory/conductor/web"
    for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        (memory / name).write_text("9223372036854771712\n")
    set_limits(Cgroup("conductor/web", mounts), CgroupLimits(memory=1 << 26, cpus=0, pids=0, swap=1 << 20))
    assert (memory / "memory.memsw.limit_in_bytes").read_text().startswith(str((1 << 26) + (1 << 20)))


def test_default_pids_limit_is_skipped_without_the_controller(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    cgroup = Cgroup("conductor/web", str(mounts))
    set_limits(cgroup, CgroupLimits(pids=2048), most_pids=2048)
    with pytest.raises(HostNotCapable):
        set_limits(cgroup, CgroupLimits(pids=100), most_pids=2048)
    with pytest.raises(HostNotCapable):
        set_limits(cgroup, CgroupLimits(1 << 20, 0, 0, swap=1 << 20))


def test_cpuset_of_version_1_is_created_from_that_above_only_if_it_is_asked_for(tmp_path):
    _, mounts = v1(tmp_path)
    root = tmp_path / "cpuset"
    root.mkdir()
    with open(mounts, "a", encoding="utf-8") as file:
        file.write(f"cgroup {root} cgroup rw,relatime,cpuset 0 0\n")
    (root / "cpuset.cpus").write_text("0-3\n")
    (root / "cpuset.mems").write_text("0\n")
    cgroup = Cgroup("conductor/web", mounts)
    set_limits(cgroup, CgroupLimits())
    assert has_limits(cgroup, CgroupLimits()) and not has_limits(cgroup, CgroupLimits(cpuset="0-3"))
    assert not (root / "conductor").exists() and len(cgroup.directories) == 3


def test_cpuset_of_version_2(tmp_path):
    directory, mounts = v2(tmp_path)
    cgroup = Cgroup("conductor/web", mounts)
    (directory / "cpuset.cpus").write_text("\n")
    assert has_limits(cgroup, CgroupLimits()) and not has_limits(cgroup, CgroupLimits(cpuset="1"))
    set_limits(cgroup, CgroupLimits(cpuset="1"))
    assert (directory / "cpuset.cpus").read_text() == "1"
    for above in (directory.parents[1], directory.parent):
        assert (above / "cgroup.subtree_control").read_text() == "+cpuset"
    (directory / "cpuset.cpus").write_text("1\n")
    assert has_limits(cgroup, CgroupLimits(cpuset="1")) and not has_limits(cgroup, CgroupLimits())


def test_cgroup_that_is_removed_while_they_are_listed_has_no_processes(tmp_path):
    directory, mounts = v2(tmp_path)
    (directory / "cgroup.procs").write_text("7\n8\n")
    (directory / "removed").mkdir()
    (directory / "removed/cgroup.procs").symlink_to("/nonexistent")
    assert Cgroup("conductor/web", mounts).processes() == [7, 8]


def test_process_that_is_not_in_the_cgroup_is_not_killed(tmp_path):
    """As after the reuse of a pid."""
    directory, mounts = v2(tmp_path)
    with subprocess.Popen(["/bin/sleep", "1000"]) as other, subprocess.Popen(["/bin/sleep", "1000"]) as command:
        (directory / "cgroup.procs").write_text(f"{command.pid}\n")
        cgroup = Cgroup("conductor/web", mounts)
        try:
            kill_descendants(other.pid, cgroup)
            kill_descendants(command.pid, cgroup)
            assert command.wait(60) == -signal.SIGKILL and other.poll() is None
        finally:
            other.kill()
            command.kill()
