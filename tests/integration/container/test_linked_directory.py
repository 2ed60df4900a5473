"""A directory of containers that is behind a symlink, as after a move to a larger disk, or not in plain form."""

import pytest
from supervision import supervisor_pid
from waiting import until

REAL, LINK = "/run/disk/containers", "/run/linked"
STATE = "/run/conductor/containers/web.json"
WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}


@pytest.fixture
def linked(host):
    """The host, with a directory of containers behind a symlink."""
    host.run("sh", "-ec", f"mkdir -p {REAL}; ln -s {REAL} {LINK}")
    yield host
    # What a failed test has left.
    host.module("conductor_container", name="web", container_dir=REAL, state="absent", force=True)
    host.run("sh", "-ec", f"rm {LINK}; rmdir {REAL} /run/disk")


def mounted(host):
    """Mount points of the host in the directory, in any number."""
    return [line.split()[4] for line in host.run("cat", "/proc/self/mountinfo").stdout.splitlines() if REAL in line]


def record_link(host):
    """Write the run state as a release that did not resolve the path has written it."""
    host.run("sed", "-i", f"s,{REAL},{LINK},", STATE)


@pytest.mark.parametrize("directory", [LINK, f"{REAL}/", f"{REAL}/../containers"])
def test_root_is_mounted_once_and_unmounted_by_a_removal(linked, directory):
    web = {**WEB, "container_dir": directory}
    for state in ("started", "stopped", "started", "restarted"):
        linked.module("conductor_container", **web, state=state)
        # Stopped, it has no root either.
        assert mounted(linked) == ([] if state == "stopped" else [f"{REAL}/web/rootfs"]), state
    assert not linked.module("conductor_container", **web)["changed"]
    assert not linked.module("conductor_container", **{**web, "container_dir": REAL})["changed"]
    linked.module("conductor_container", name="web", container_dir=directory, state="absent")
    assert linked.run("ls", "-A", REAL).stdout == "" and mounted(linked) == []


def test_run_state_with_a_symlink_is_of_the_same_directory(linked):
    web = {**WEB, "container_dir": LINK, "restart_policy": "always"}
    pid = linked.module("conductor_container", **web)["container"]["pid"]
    record_link(linked)
    linked.run("kill", "-9", str(supervisor_pid(linked)))
    again = linked.module("conductor_container", **web)
    assert again["actions"] == ["start a new supervisor for container web"] and again["container"]["pid"] == pid
    linked.run("kill", "-9", str(pid))

    def restarted():
        found = linked.module("conductor_container_info", name=["web"], container_dir=LINK)["containers"][0]
        return found["pid"] not in (None, pid)

    until(restarted, "the supervisor has restarted it")
    assert mounted(linked) == [f"{REAL}/web/rootfs"]
