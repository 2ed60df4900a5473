"""Power: `reboot` inside restarts a container with an init system, `poweroff` stops it, whatever its policy."""

import image_cache
import pytest
from supervision import supervisor_pid
from waiting import until

SYSTEM = {"name": "system", "image": "debian", "init": True}
BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
BOOKWORM = {**image_cache.RECIPE, "suite": "bookworm"}
SUITES = ["trixie", "bookworm"]
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def inside(host, script, **options):
    argv = ["/bin/sh", "-ec", script]
    return host.module("conductor_exec", container="system", argv=argv, **options)["stdout"]


def state(host):
    return host.module("conductor_container_info", name="system")["containers"][0]


def ask(host, command):
    """Run a command that ends the container, and with it perhaps the command."""
    inside(host, f"systemd-run --no-block --quiet {command}")


@pytest.mark.parametrize("policy", ["no", "on-failure", "unless-stopped", "always"])
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


@pytest.mark.parametrize(
    ("verb", "policy"),
    [("poweroff", "no"), ("poweroff", "always"), ("poweroff", "unless-stopped"), ("halt", "on-failure")],
)
def test_poweroff_inside_stops_until_a_task_starts_it(host, verb, policy):
    host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)
    ask(host, f"systemctl {verb}")
    until(lambda: state(host)["state"] != "running", "it is off")
    found = state(host)
    assert (found["state"], found["exit_code"]) == ("exited", 0)
    # A supervisor that is made for another container sees it in the records only.
    host.module("conductor_container", name="other", image="debian", command=["/bin/sleep", "infinity"])
    assert state(host)["state"] == "exited"
    assert host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)["changed"]


def test_after_the_supervisor_was_killed_a_reboot_is_an_exit_like_any_other(host):
    """Only to the parent does the kernel tell a reboot: others get SIGKILL, or nothing (pidfs_exit() of the kernel)."""
    for policy, then in (("no", "exited"), ("always", "running")):
        host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)
        pid, killed = state(host)["pid"], supervisor_pid(host)
        host.run("kill", "-KILL", str(killed))
        host.module("conductor_container", **SYSTEM, restart_policy=policy)
        until(lambda killed=killed: supervisor_pid(host) not in (None, killed), "another supervisor runs")
        ask(host, "systemctl reboot")
        until(lambda pid=pid, then=then: state(host)["pid"] != pid and state(host)["state"] == then, then)


def test_shutdown_is_scheduled_and_cancelled(host):
    host.module("conductor_container", **SYSTEM, wait=BOOTED)
    pid = state(host)["pid"]
    assert "scheduled" in inside(host, "shutdown -r +1 2>&1")
    assert "reboot" in inside(host, "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 "
                                    "org.freedesktop.login1.Manager ScheduledShutdown")  # fmt: skip
    inside(host, "shutdown -c")
    assert state(host)["pid"] == pid


@pytest.mark.parametrize(("policy", "then"), [("no", "exited"), ("on-failure", "running")])
def test_a_crash_of_the_init_system_is_a_failure(host, policy, then):
    host.module("conductor_container", **SYSTEM, restart_policy=policy, wait=BOOTED)
    pid = state(host)["pid"]
    inside(host, "kill -SEGV 1")
    until(lambda: state(host)["pid"] != pid and state(host)["state"] == then, "the policy was applied")
    if then == "exited":
        assert state(host)["exit_code"] == 255


@pytest.mark.parametrize("recipe", [image_cache.RECIPE, pytest.param(BOOKWORM, marks=pytest.mark.long)], ids=SUITES)
def test_kexec_fails_and_the_container_runs_on(bare_host, recipe):
    host = bare_host
    image_cache.mount_image(host, image_cache.test_image(recipe))
    host.module("conductor_container", **SYSTEM, wait=BOOTED)
    pid = state(host)["pid"]
    assert "kexec is not available" in inside(host, "systemctl kexec 2>&1 && echo succeeded || true")
    assert inside(host, "systemctl list-jobs --no-legend") == "" and state(host)["pid"] == pid
