"""Power: `reboot` inside restarts a container with an init system, `poweroff` stops it, whatever its policy."""

import pytest
from waiting import until

SYSTEM = {"name": "system", "image": "debian", "init": True}
BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def inside(host, script, **options):
    argv = ["/bin/sh", "-ec", script]
    return host.module("conductor_exec", container="system", argv=argv, **options)["stdout"]


def state(host):
    return host.module("conductor_container_info", name="system")["containers"][0]


def ask(host, command):
    """Run a command that ends the container, and with it perhaps the command."""
    inside(host, f"systemd-run --no-block --quiet {command}")


@pytest.mark.parametrize("policy", ["no", "always"])
def test_reboot_inside_restarts_with_a_boot_id_of_its_own(host, policy):
    host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)
    before, machine = inside(host, BOOT_ID), inside(host, "cat /etc/machine-id; touch /tmp/x /var/tmp/x")
    assert before != host.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
    pid = state(host)["pid"]
    ask(host, "systemctl reboot")
    until(lambda: state(host)["pid"] not in (None, pid), "it runs again")
    host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)
    assert inside(host, BOOT_ID) not in (before, "")
    assert inside(host, "cat /etc/machine-id; ls /tmp/x /var/tmp/x 2>/dev/null || true") == f"{machine}\n/var/tmp/x"
    assert state(host)["restarts"] == 1


@pytest.mark.parametrize("policy", ["no", "always"])
def test_poweroff_inside_stops_until_a_task_starts_it(host, policy):
    host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)
    ask(host, "systemctl poweroff")
    until(lambda: state(host)["state"] != "running", "it is off")
    found = state(host)
    assert (found["state"], found["exit_code"]) == ("exited", 0)
    # A supervisor that is made for another container sees it in the records only.
    host.module("conductor_container", name="other", image="debian", command=["/bin/sleep", "infinity"])
    assert state(host)["state"] == "exited"
    assert host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)["changed"]
