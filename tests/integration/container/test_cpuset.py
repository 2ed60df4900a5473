"""The option cpuset: CPUs that processes inside may use."""

import os

import pytest

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
CPUS = sorted(os.sched_getaffinity(0))
LAST = str(CPUS[-1])

pytestmark = pytest.mark.skipif(len(CPUS) < 2, reason="one CPU cannot be divided")


def allowed(host, process="self"):
    """The list of CPUs of the first process, or of a command."""
    argv = ["sed", "-n", "s/^Cpus_allowed_list:\\s*//p", f"/proc/{process}/status"]
    return host.module("conductor_exec", container="web", argv=argv)["stdout"]


def test_all_processes_inside_have_these_cpus(host):
    facts = host.module("conductor_container", **WEB, cpuset=f"{LAST},{LAST}")["container"]
    assert facts["cpuset"] == LAST
    assert allowed(host, 1) == allowed(host) == LAST
    assert not host.module("conductor_container", **WEB, cpuset=LAST)["changed"]


def test_processes_cannot_leave_the_set(host):
    host.module("conductor_container", **WEB, cpuset=LAST)
    script = f"import os\ntry: os.sched_setaffinity(0, {{{CPUS[0]}}})\nexcept OSError as error: print(error.errno)"
    assert host.module("conductor_exec", container="web", argv=["python3", "-c", script])["stdout"] == "22"


def test_the_set_of_a_running_container_changes(host):
    host.module("conductor_container", **WEB)
    every = allowed(host)
    assert len(every) > 1
    host.module("conductor_exec", container="web", argv=["sh", "-c", "sleep infinity & sleep infinity &"])
    foreseen = host.module("conductor_container", name="web", cpuset=LAST, check=True)
    changed = host.module("conductor_container", name="web", cpuset=LAST)
    assert foreseen["actions"] == changed["actions"] == [
        "apply the limits of container web", "change cpuset of container web",
    ]  # fmt: skip
    pids = host.module("conductor_exec", container="web", argv=["sh", "-c", "pgrep sleep"])["stdout_lines"]
    assert len(pids) == 3 and {allowed(host, pid) for pid in pids} == {LAST}
    assert allowed(host) == LAST
    host.module("conductor_container", name="web", cpuset="")
    assert {allowed(host, pid) for pid in pids} == {allowed(host)} == {every}
    assert not host.module("conductor_container", name="web", cpuset="")["changed"]


def test_the_set_applies_after_a_restart(host):
    host.module("conductor_container", **WEB, cpuset=LAST)
    host.module("conductor_container", name="web", state="restarted")
    assert allowed(host, 1) == LAST
    host.module("conductor_container", name="web", state="stopped", cpuset="")
    host.module("conductor_container", name="web", state="started")
    assert allowed(host, 1) != LAST


@pytest.mark.parametrize("check", [True, False])
def test_cpus_that_the_host_does_not_have_are_refused_before_any_change(host, check):
    told = host.module("conductor_container", **WEB, cpuset="0,4000-4001", check=check, fails=True)["msg"]
    assert told.startswith("container web: cpuset: this host has no CPU 4000-4001. Choose from 0")
    host.module("conductor_container", **WEB)
    told = host.module("conductor_container", name="web", cpuset="4000", check=check, fails=True)["msg"]
    assert "this host has no CPU 4000" in told
    assert host.module("conductor_container_info", name=["web"])["containers"][0]["cpuset"] == ""


def test_a_value_that_is_no_list_is_refused(host):
    told = host.module("conductor_container", **WEB, cpuset="first", fails=True)["msg"]
    assert told == "web: cpuset: 'first' is not a list of CPUs. Use numbers and ranges, like 0-2,5."
