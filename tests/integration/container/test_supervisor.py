"""Supervisors: they belong to no session, and stop their containers on SIGTERM, as at shutdown of the host."""

import errno
import json
from subprocess import PIPE

import pytest
from attacks import patched
from image_cache import mount_image
from model import kill
from seams.faults import fail_with
from supervision import CGROUP, is_alive, reports_exit_status, supervisor_pid, wait_for_signals
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
# They do not handle SIGTERM, which is for supervisors.
POLITE = ["/bin/sh", "-c", "trap 'echo bye; exit 5' USR1; echo up; while :; do sleep 0.05; done"]
STUBBORN = ["/bin/sh", "-c", "trap 'echo no' USR1; echo up; while :; do sleep 0.05; done"]


def container(host, command=SLEEP, **params):
    """Start it with restart policy always."""
    wish = {"name": "web", "image": "debian", "restart_policy": "always", "command": command, "stop_signal": "USR1"}
    return host.module("conductor_container", **{**wish, **params})["container"]


def info(host):
    return host.module("conductor_container_info", name=["web"])["containers"][0]


def log(host):
    return host.run("cat", "/var/lib/conductor/containers/web/console.log", check=False).stdout


def is_up(host):
    """Wait until the program inside handles signals."""
    until(lambda: log(host) == "up\n", "it hears")


def run_state(host):
    return json.loads(host.run("cat", "/run/conductor/containers/web.json").stdout)


def terminate(host, pid):
    """Send SIGTERM, and wait for the end."""
    host.run("kill", str(pid))
    until(lambda: not is_alive(host, pid), "the supervisor has ended", 30)


def groups(host, pid):
    """The cgroups of a process in all hierarchies."""
    return {line.split(":", 2)[2] for line in host.run("cat", f"/proc/{pid}/cgroup").stdout.splitlines()}


def adopted(host, command):
    """A container with a new supervisor, which did not start it."""
    container(host, command)
    is_up(host)
    first = supervisor_pid(host)
    kill(host, first)
    container(host, command)
    assert supervisor_pid(host) != first


def test_sigterm_stops_the_container_by_its_own_signal_and_for_good(host):
    pid = container(host, POLITE, stop_timeout=3600)["pid"]
    is_up(host)
    terminate(host, supervisor_pid(host))
    facts = info(host)
    assert (facts["state"], facts["exit_code"], facts["log"]) == ("exited", 5, "up\nbye\n")
    assert not is_alive(host, pid)
    assert container(host, POLITE, stop_timeout=3600)["state"] == "running"


def test_sigterm_kills_the_container_after_stop_timeout(host):
    container(host, STUBBORN, stop_timeout=2)
    is_up(host)
    terminate(host, supervisor_pid(host))
    facts = info(host)
    assert (facts["state"], facts["exit_code"], facts["log"]) == ("exited", 137, "up\nno\n")


def test_sigterm_kills_a_first_process_without_handler_at_once(host):
    """Not after stop_timeout, which is an hour here."""
    container(host, SLEEP, stop_timeout=3600)
    terminate(host, supervisor_pid(host))
    assert (info(host)["state"], info(host)["exit_code"]) == ("exited", 137)


def test_supervisor_reads_stop_options_at_the_time_of_the_stop(host):
    container(host, POLITE, stop_signal="USR2", stop_timeout=3600)
    is_up(host)
    container(host, POLITE, stop_timeout=1800)
    terminate(host, supervisor_pid(host))
    assert (info(host)["exit_code"], log(host)) == (5, "up\nbye\n")


def test_sigterm_in_the_pause_before_a_restart_is_the_end(host):
    pid = container(host)["pid"]
    kill(host, supervisor_pid(host))
    # After so many short runs, the next pause lasts a minute. The next supervisor reads this.
    state = {**run_state(host), "restarts": 20, "started_at": run_state(host)["started_at"] + 3600}
    host.run("tee", "/run/conductor/containers/web.json", stdin=json.dumps(state))
    container(host)
    kill(host, pid)
    assert info(host)["state"] == "restarting"
    terminate(host, supervisor_pid(host))
    assert (info(host)["state"], info(host)["restarts"]) == ("exited", 20)


def test_sigterm_while_a_restart_is_made_ends_what_it_has_started(host):
    """The helper that restarts it waits for the network lock, which is held until the signal was sent."""
    host.module("conductor_container", name="web", image="debian", state="present")
    host.module("conductor_network", container="web")
    started = container(host, POLITE)
    is_up(host)
    wait_for_signals(host)
    pid = supervisor_pid(host)
    lock = "/run/conductor/locks/network.lock"
    holder = host.popen("sh", "-c", f"exec flock {lock} sh -c 'echo held; read line'", stdin=PIPE, stdout=PIPE)
    assert holder.stdout.readline() == b"held\n"
    host.run("kill", "-9", str(started["pid"]))
    until(lambda: info(host)["state"] == "restarting", "its restart has begun")
    host.run("kill", str(pid))
    holder.communicate(b"\n")
    host.run("rm", "-f", lock)
    until(lambda: not is_alive(host, pid), "the supervisor has ended", 30)
    assert info(host)["state"] == "exited"
    assert not is_alive(host, run_state(host)["pid"])


def test_sigterm_at_an_adopted_supervisor_stops_the_container_too(host):
    adopted(host, POLITE)
    pid = info(host)["pid"]
    terminate(host, supervisor_pid(host))
    facts = info(host)
    assert (facts["state"], facts["log"]) == ("exited", "up\nbye\n")
    assert facts["exit_code"] == (5 if reports_exit_status() else None)
    assert not is_alive(host, pid)


@pytest.mark.parametrize("signum", ["HUP", "INT"])
def test_sighup_and_sigint_do_not_stop_the_container(host, signum):
    pid = container(host)["pid"]
    host.run("kill", f"-{signum}", str(supervisor_pid(host)))
    assert info(host)["state"] == "running" and is_alive(host, supervisor_pid(host)) and is_alive(host, pid)


def test_a_stop_while_the_supervisor_stops_it_is_a_stop(host):
    container(host, STUBBORN, stop_timeout=2)
    is_up(host)
    pid = supervisor_pid(host)
    host.run("kill", str(pid))
    stopped = container(host, STUBBORN, stop_timeout=2, state="stopped")
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 137)
    until(lambda: not is_alive(host, pid), "the supervisor ends")


def test_supervisor_leaves_the_scope_of_the_session(host):
    container(host, POLITE)
    is_up(host)
    own = groups(host, supervisor_pid(host))
    assert CGROUP in own and not any(path.endswith("/web") for path in own)
    joined = {line for line in groups(host, info(host)["pid"]) if line.endswith("/conductor/web")}
    assert joined == {"/conductor/web"}
    host.run("kill", "-9", str(info(host)["pid"]))
    until(lambda: run_state(host)["restarts"] == 1, "its restart")
    assert groups(host, supervisor_pid(host)) == own
    kill(host, supervisor_pid(host))
    container(host, POLITE)
    assert groups(host, supervisor_pid(host)) == own


def test_a_supervisor_is_in_no_session_where_cgroups_are_of_version_2_only(bare_host, cached_image):
    host = bare_host
    mount_image(host, cached_image)
    host.run("umount", "--all", "--types", "cgroup")
    container(host)
    assert CGROUP in groups(host, supervisor_pid(host))
    host.module("conductor_container", name="web", state="absent")


def test_first_process_that_cannot_join_its_cgroup_is_reported_once(host):
    """The forked process must not continue as a supervisor, or in the code of the module."""
    outside = fail_with("_kernel.cgroup:CgroupEntry.join", errno=errno.EBADF)
    wish = {"name": "web", "image": "debian", "command": SLEEP}
    refused = patched(host, "conductor_container", seams=[outside], fails=True, **wish)
    assert refused["msg"].startswith("container web did not start: Bad file descriptor. Done before: ")
    assert refused["msg"].count("Bad file descriptor") == 1
    assert info(host)["state"] == "created" and supervisor_pid(host) is None


def test_failed_restart_is_logged_and_tried_again(host):
    """The source of a mount is missing for some time."""
    host.run("mkdir", "/run/source")
    mounts = [{"source": "/run/source", "target": "/srv"}]
    pid = container(host, SLEEP, mounts=mounts)["pid"]
    host.run("mv", "/run/source", "/run/away")
    host.run("kill", "-9", str(pid))
    until(lambda: log(host).count("restart failed") > 2, "it tries again")
    assert info(host)["state"] == "restarting"
    assert not host.module("conductor_container", name="web", check=True)["changed"]
    host.run("mv", "/run/away", "/run/source")
    until(lambda: info(host)["state"] == "running", "it runs again")
    assert info(host)["restarts"] == 1
    host.run("mv", "/run/source", "/run/away")
    host.run("kill", "-9", str(info(host)["pid"]))
    until(lambda: info(host)["state"] == "restarting", "it tries once more")
    assert host.module("conductor_container", name="web", state="stopped")["container"]["state"] == "stopped"
    host.run("rm", "-r", "/run/away")


def test_on_failure_gives_up_when_its_retries_are_used_up_by_failed_restarts(host):
    host.run("mkdir", "/run/source")
    mounts = [{"source": "/run/source", "target": "/srv"}]
    wish = {"mounts": mounts, "restart_policy": "on-failure", "restart_retries": 2}
    pid = container(host, SLEEP, **wish)["pid"]
    host.run("rmdir", "/run/source")
    host.run("kill", "-9", str(pid))
    until(lambda: info(host)["state"] == "exited", "it has given up")
    assert (log(host).count("restart failed"), info(host)["exit_code"]) == (2, 137)


def test_policy_that_changes_during_the_pause_before_a_restart_counts(host):
    container(host, ["/bin/false"], restart_policy="always")
    # Pauses are long enough by then for the task.
    until(lambda: info(host)["restarts"] >= 4 and info(host)["state"] == "restarting", "it crashes again and again")
    container(host, ["/bin/false"], restart_policy="no")
    restarts = info(host)["restarts"]
    until(lambda: info(host)["state"] == "exited", "it is not started again")
    assert info(host)["restarts"] == restarts


def test_removed_interpreter_is_replaced_by_the_hosts(host):
    host.run("ln", "-s", "/usr/bin/python3", "/run/python3.old")
    wish = {"name": "web", "image": "debian", "restart_policy": "always", "command": SLEEP}
    pid = host.module("conductor_container", python="/run/python3.old", **wish)["container"]["pid"]
    host.run("rm", "/run/python3.old")
    host.run("kill", "-9", str(pid))
    until(lambda: info(host)["state"] == "running" and info(host)["pid"] != pid, "it runs again")


def test_after_a_good_run_pauses_and_retries_begin_anew(host):
    """The run state says that it has crashed twelve times and then run for a minute."""
    wish = {"restart_policy": "on-failure", "restart_retries": 3}
    for ran, expected in ((60, 1), (1, None)):
        pid = container(host, SLEEP, **wish)["pid"]
        uptime = float(host.run("cat", "/proc/uptime").stdout.split()[0])
        state = {**run_state(host), "restarts": 12, "began": uptime - ran}
        host.run("tee", "/run/conductor/containers/web.json", stdin=json.dumps(state))
        # The present supervisor has read the run state already; a new one reads this.
        kill(host, supervisor_pid(host))
        container(host, SLEEP, **wish)
        host.run("kill", "-9", str(pid))
        if expected:
            until(lambda pid=pid: info(host)["state"] == "running" and info(host)["pid"] != pid, "again, at once")
            assert (info(host)["restarts"], run_state(host)["steady"]) == (13, 13 - expected)
            container(host, SLEEP, **wish, state="stopped")
        else:
            until(lambda: info(host)["state"] == "exited", "its retries are used up")


def test_oom_kill_is_logged_and_reported(host):
    """In the log and in the facts of its exit."""
    command = ["/usr/bin/python3", "-c", "x = b'x' * (200 << 20)"]
    wish = {"name": "web", "image": "debian", "restart_policy": "no", "memory": "40m"}
    host.module("conductor_container", **wish, command=command)
    facts = until(lambda: (found := info(host))["state"] == "exited" and found, "it has ended")
    assert (facts["exit_code"], facts["oom_killed"]) == (137, True)
    assert "killed a process inside for lack of memory" in facts["log"]
    host.module("conductor_container", **wish, command=["/bin/false"], state="present")
    host.module("conductor_container", **wish, command=["/bin/false"])
    facts = until(lambda: (found := info(host))["state"] == "exited" and found, "it has ended")
    assert (facts["exit_code"], facts["oom_killed"]) == (1, False)


def test_command_that_exits_at_once_is_exited_with_its_status(host):
    """Neither `restarting` nor the status of an earlier run."""
    for number in range(12):
        command = ["/bin/sh", "-c", f"exit {number}"]
        wish = {"name": "web", "image": "debian", "restart_policy": "no", "command": command}
        host.module("conductor_container", **wish, state="present")
        facts = host.module("conductor_container", **wish)["container"]
        facts = (
            facts if facts["state"] != "running" else until(lambda: info(host)["pid"] is None and info(host), "ended")
        )
        assert (facts["state"], facts["exit_code"]) == ("exited", number)


def kill_cgroup(host, name):
    """As by oomd or a user."""
    found = f"find /sys/fs/cgroup -path '*/conductor/{name}/cgroup.kill'"
    assert host.run("sh", "-c", f"for file in $({found}); do echo 1 > $file; echo killed; done").stdout == "killed\n"


def test_a_container_whose_cgroup_was_killed_is_started_again_and_entered(host):
    """Linux compares the kill count of the caller's cgroup with that of the child's (cgroup_css_set_fork)."""
    first = container(host)["pid"]
    kill_cgroup(host, "web")
    until(lambda: info(host)["state"] == "running" and info(host)["pid"] != first, "its policy has started it again")
    assert host.module("conductor_exec", container="web", argv=["echo", "hello"])["stdout"] == "hello"
    assert all(group.endswith("/conductor/web") for group in groups(host, info(host)["pid"]) if "conductor" in group)
    assert any(group.endswith("/conductor/web") for group in groups(host, info(host)["pid"]))


def test_supervisors_start_after_their_cgroup_was_killed(host):
    container(host)
    first = supervisor_pid(host)
    kill_cgroup(host, ".supervisor")
    until(lambda: not is_alive(host, first), "the supervisor has ended")
    container(host)
    assert is_alive(host, supervisor_pid(host)) and supervisor_pid(host) != first
    assert any(group.endswith(CGROUP) for group in groups(host, supervisor_pid(host)))
