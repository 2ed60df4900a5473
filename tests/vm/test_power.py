"""Power of a machine whose systemd has given controllers to its units, as on each host with cgroup version 2 only."""

import pytest
from machine_container import BOOTED
from waiting import until

MACHINE = {"command": None, "init": True, "wait": BOOTED, "wait_timeout": 300, "memory": "256m"}
ENDS = {"reboot": ("no", "systemctl reboot"), "crash of its init": ("always", "kill -SEGV 1")}


def boot_id(machine):
    return machine.inside("box", "/bin/cat", "/proc/sys/kernel/random/boot_id")


def ask(machine, command):
    """Run a command that ends the container, and with it perhaps the command."""
    machine.inside("box", "/usr/bin/systemd-run", "--no-block", "--quiet", "/bin/sh", "-c", command)


@pytest.mark.parametrize("end", ENDS)
def test_a_machine_runs_again_after_its_end(box, machine, end):
    policy, command = ENDS[end]
    pid = box(**MACHINE, restart_policy=policy)["pid"]
    before = boot_id(machine)
    assert "memory" in machine.inside("box", "/bin/cat", "/sys/fs/cgroup/cgroup.subtree_control").split()
    ask(machine, command)
    until(lambda: machine.containers()["box"]["pid"] not in (None, pid), "it runs again", 120)
    box(**MACHINE, restart_policy=policy)
    assert boot_id(machine) != before
    assert machine.containers()["box"]["restarts"] == 1
    assert machine.host.file("/sys/fs/cgroup/conductor/box/memory.max").content_string == f"{256 << 20}\n"


def test_a_machine_that_was_powered_off_starts_by_a_task(box, machine):
    box(**MACHINE, restart_policy="always")
    before = boot_id(machine)
    ask(machine, "systemctl poweroff")
    until(lambda: machine.containers()["box"]["state"] != "running", "it is off", 120)
    assert machine.containers()["box"]["exit_code"] == 0
    box(**MACHINE, restart_policy="always")
    assert boot_id(machine) != before
