"""Life cycle of a container: create, start, exit, restart, stop, remove; and its reported state."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from image_cache import mount_image
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
NAME63 = "n" * 62 + "9"


def container(host, **params):
    return host.module("conductor_container", **{"name": "web", "image": "debian", "command": SLEEP, **params})


def info(host, name="web"):
    found = host.module("conductor_container_info", name=[name])["containers"]
    return found[0] if found else None


def exited(host, name="web"):
    return until(lambda: (facts := info(host, name))["state"] == "exited" and facts, f"{name} has ended")


@pytest.mark.parametrize("state", ["present", "started", "stopped"])
def test_check_mode_predicts_and_a_second_run_changes_nothing(host, state):
    predicted = container(host, state=state, check=True)
    assert predicted["changed"] and info(host) is None
    done = container(host, state=state)
    assert (done["changed"], done["actions"], done["diff"]) == (True, predicted["actions"], predicted["diff"])
    again = container(host, state=state)
    assert not again["changed"] and again["actions"] == []
    assert not container(host, state=state, check=True)["changed"]
    assert again["container"]["state"] == {"present": "created", "started": "running", "stopped": "created"}[state]


def test_default_command_is_a_shell_that_stays(host):
    started = host.module("conductor_container", name="web", image="debian")
    assert started["container"]["command"] == ["/bin/bash"]
    assert host.module("conductor_container", name="web")["changed"] is False
    assert info(host)["state"] == "running"


def test_a_container_that_exited_starts_again_with_its_data(host):
    once = ["/bin/sh", "-c", "echo line >> /data; wc -l < /data; exit 7"]
    first = container(host, command=once)
    assert first["changed"]
    facts = exited(host)
    assert (facts["exit_code"], facts["log"], facts["pid"]) == (7, "1\n", None)
    container(host, command=once)
    until(lambda: info(host)["log"] == "1\n2\n", "the second run has written")


def test_stopped_keeps_the_data_and_absent_deletes_it(host):
    container(host)
    host.module("conductor_exec", container="web", argv=["touch", "/kept"])
    assert container(host, state="stopped")["container"]["state"] == "stopped"
    container(host)
    host.module("conductor_exec", container="web", argv=["test", "-e", "/kept"])
    assert host.module("conductor_container", name="web", state="absent")["changed"]
    assert not host.module("conductor_container", name="web", state="absent")["changed"]
    assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == ""


def test_stop_is_graceful_where_the_first_process_handles_the_signal(host):
    handler = "trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done"
    container(host, command=["/bin/sh", "-c", handler])
    stopped = container(host, command=["/bin/sh", "-c", handler], state="stopped")["container"]
    assert (stopped["log"], stopped["exit_code"]) == ("bye\n", 5)


def test_first_process_without_a_signal_handler_is_killed_at_once(host):
    """The kernel drops SIGTERM for it, so that waiting for stop_timeout (here an hour) is useless; podman does wait."""
    container(host, stop_timeout=3600)
    assert container(host, state="stopped", stop_timeout=3600)["container"]["exit_code"] == 137


SIGWAIT = """
import os, signal, time
signals = set(signal.Signals)
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
open("/waits", "w").close()
if {timed}:
    while not signal.sigtimedwait([signal.SIGTERM], 3600):
        pass
else:
    signal.sigwait([signal.SIGTERM])
signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
time.sleep(0.5)
open("/saved", "w").close()
"""


@pytest.mark.parametrize("timed", [True, False], ids=["sigtimedwait", "sigwait"])
def test_a_first_process_that_waits_for_the_signal_gets_it_and_the_time_it_needs(host, timed):
    """Like tini. According to the kernel, a signal that is waited for is neither handled nor blocked meanwhile."""
    wish = {"command": ["/usr/bin/python3", "-c", SIGWAIT.format(timed=timed)], "stop_timeout": 3600}
    rootfs = container(host, **wish)["container"]["rootfs"]
    until(lambda: host.run("ls", f"{rootfs}/waits", check=False).stdout, "it waits")
    pid = container(host, **wish)["container"]["pid"]
    until(
        lambda: host.run("cat", f"/proc/{pid}/syscall").stdout.split()[0] in ("128", "137", "176", "177"), "it sleeps"
    )
    assert container(host, **wish, state="stopped")["container"]["exit_code"] == 0
    assert host.run("ls", "/var/lib/conductor/containers/web/upper/saved", check=False).stdout


def test_a_first_process_that_ignores_the_request_is_killed_after_stop_timeout(host):
    command = ["/bin/sh", "-c", "trap 'echo no' TERM; while :; do sleep 0.05; done"]
    container(host, command=command, stop_timeout=0.3)
    stopped = container(host, command=command, stop_timeout=0.3, state="stopped")["container"]
    assert (stopped["log"], stopped["exit_code"]) == ("no\n", 137)


def test_stopping_ends_every_process_inside_and_leaves_no_mount(host):
    container(host, command=["/bin/sh", "-c", "sleep 1001 & setsid sleep 1002 & wait"])
    until(lambda: "sleep 1002" in host.run("ps", "ax").stdout, "the children run")
    container(host, command=["/bin/sh", "-c", "sleep 1001 & setsid sleep 1002 & wait"], state="stopped")
    assert "sleep 100" not in host.run("ps", "ax").stdout
    assert "/containers/" not in host.run("cat", "/proc/self/mounts").stdout
    assert host.run("ls", "/run/netns").stdout.split() == ["bystander"]


def test_restart_policy_always_starts_it_again_and_stopped_ends_that(host):
    command = ["/bin/sh", "-c", "echo run; exit 0"]
    container(host, command=command, restart_policy="always")
    until(lambda: info(host)["restarts"] >= 2, "two restarts")
    stopped = container(host, command=command, state="stopped")["container"]
    assert stopped["state"] == "stopped"
    log = stopped["log"]
    assert info(host)["log"] == log


def test_restart_policy_on_failure_gives_up_after_its_retries(host):
    container(host, command=["/bin/false"], restart_policy="on-failure", restart_retries=2)
    facts = until(lambda: (f := info(host))["state"] == "exited" and f, "it gave up")
    assert (facts["restarts"], facts["exit_code"]) == (2, 1)


def test_restart_policy_on_failure_leaves_a_success_alone(host):
    container(host, command=["/bin/true"], restart_policy="on-failure")
    assert (exited(host)["restarts"], info(host)["exit_code"]) == (0, 0)


def test_names_of_63_characters_work(host):
    started = host.module("conductor_container", name=NAME63, image="debian")["container"]
    assert started["state"] == "running"
    assert host.module("conductor_exec", container=NAME63, argv=["hostname"])["stdout"] == NAME63


def test_the_process_is_known_by_pid_and_start_time(host):
    """A reused pid belongs to another process: nothing is killed, and the container is started again."""
    pid = container(host)["container"]["pid"]
    container(host, state="stopped")
    bystander = host.popen("sleep", "4242")
    other = until(lambda: host.run("pgrep", "-f", "sleep 4242", check=False).stdout, "the bystander runs").split()[0]
    state = {"version": 1, "pid": int(other), "start_time": 1, "started_at": 0.0}
    host.run("tee", "/run/conductor/containers/web.json", stdin=json.dumps(state))
    assert info(host)["state"] == "exited"
    assert container(host)["container"]["pid"] not in (pid, int(other))
    host.module("conductor_container", name="web", state="absent")
    assert host.run("kill", "-0", other, check=False).returncode == 0
    bystander.kill()
    bystander.wait()
    host.run("kill", other, check=False)
    until(lambda: "4242" not in host.run("ps", "ax").stdout, "the bystander has ended")


def test_wait_returns_when_the_command_inside_exits_0(host):
    command = ["/bin/sh", "-c", "sleep 0.3; touch /ready; sleep infinity"]
    container(host, command=command, wait=["test", "-e", "/ready"], wait_timeout=20)
    host.module("conductor_exec", container="web", argv=["test", "-e", "/ready"])


def test_failed_wait_reports_the_command_and_its_output(host):
    result = container(host, wait=["/bin/sh", "-c", "echo not yet; exit 1"], wait_timeout=0.3, fails=True)
    assert "was not ready after 0.3 s" in result["msg"] and "not yet" in result["msg"]
    result = container(host, name="dies", command=["/bin/sh", "-c", "exit 3"], wait=["false"], fails=True)
    assert "stopped before it was ready" in result["msg"] and result["container"]["exit_code"] == 3


def test_a_command_that_cannot_be_executed_is_an_error_and_leaves_nothing_running(host):
    result = container(host, command=["/no/such/program"], fails=True)
    assert "/no/such/program: No such file or directory" in result["msg"]
    assert info(host)["state"] == "created"
    assert host.run("ls", "/run/netns").stdout.split() == ["bystander"]


def test_limits_change_while_it_runs(host):
    pid = container(host)["container"]["pid"]
    result = container(host, memory="64m", pids=7, cpus=0.5)
    assert result["changed"] and result["container"]["pid"] == pid
    assert "apply the limits of container web" in result["actions"]
    forked = host.module(
        "conductor_exec", container="web", fails=True, cmd="sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done'"
    )
    assert "fork" in forked["stderr"].lower()
    eater = 'python3 -c "b = bytearray(200 << 20)"'
    assert host.module("conductor_exec", container="web", cmd=eater, fails=True)["rc"] in (-9, 137)


def test_an_option_that_requires_a_restart_is_refused_unless_restart_is_allowed(host):
    container(host)
    host.module("conductor_exec", container="web", argv=["touch", "/kept"])
    for allowed in ({}, {"recreate": True}, {"state": "present", "restart": True}):
        refused = container(host, env={"A": "1"}, hostname="other", **allowed, fails=True)
        assert "web: env, hostname cannot change while the container runs" in refused["msg"]
        assert "restart: true" in refused["msg"]
    assert info(host)["hostname"] == "web"
    predicted = container(host, env={"A": "1"}, restart=True, check=True)
    done = container(host, env={"A": "1"}, restart=True)
    assert done["actions"] == predicted["actions"] and "start container web" in done["actions"]
    assert host.module("conductor_exec", container="web", cmd="printenv A")["stdout"] == "1"
    host.module("conductor_exec", container="web", argv=["test", "-e", "/kept"])
    assert not container(host, env={"A": "1"}, restart=True)["changed"]


def test_recreate_discards_the_root_file_system(host):
    container(host)
    host.module("conductor_exec", container="web", argv=["touch", "/gone"])
    refused = container(host, userns="host", restart=True, fails=True)
    assert "web: userns cannot change while the container keeps its root file system" in refused["msg"]
    predicted = container(host, userns="host", env={"A": "1"}, recreate=True, check=True)
    done = container(host, userns="host", env={"A": "1"}, recreate=True)
    assert (
        done["actions"] == predicted["actions"] and "discard the root file system of container web" in done["actions"]
    )
    host.module("conductor_exec", container="web", argv=["test", "!", "-e", "/gone"])
    assert not container(host, userns="host", env={"A": "1"}, recreate=True)["changed"]


def test_restarted_starts_a_new_first_process_each_time(host):
    first = container(host, state="restarted")["container"]
    host.module("conductor_exec", container="web", argv=["touch", "/kept"])
    predicted = container(host, state="restarted", check=True)
    done = container(host, state="restarted", env={"A": "1"})
    assert {"stop container web", "start container web"} <= set(predicted["actions"]) & set(done["actions"])
    assert done["container"]["pid"] != first["pid"]
    assert "A=1\0" in host.module("conductor_exec", container="web", cmd="cat /kept /proc/1/environ")["stdout"]
    container(host, state="stopped")
    assert container(host, state="restarted")["container"]["state"] == "running"


def test_commands_are_lists_or_strings(host):
    container(host, command="/bin/sh -c 'exec sleep infinity, or more'", wait="test -e '/etc/passwd'", fails=True)
    assert container(host, command="/bin/sleep 'infinity'", wait="test -e '/etc/passwd'")["container"]["command"] == [
        "/bin/sleep",
        "infinity",
    ]
    assert host.module("conductor_exec", container="web", argv="echo 'a, b' c")["stdout"] == "a, b c"
    assert host.module("conductor_exec", container="web", argv=["echo", 5, "a, b"])["stdout"] == "5 a, b"


def test_a_stopped_container_takes_new_options_and_keeps_its_data(host):
    container(host)
    host.module("conductor_exec", container="web", argv=["touch", "/kept"])
    container(host, state="stopped")
    assert container(host, state="present", env={"A": "2"})["actions"] == ["change env of container web"]
    container(host, env={"A": "2"})
    assert host.module("conductor_exec", container="web", cmd="sh -c 'ls /kept; echo $A'")["stdout_lines"] == [
        "/kept",
        "2",
    ]


def test_options_that_are_not_given_are_kept(host):
    container(host, env={"A": "1"}, memory="64m")
    assert not host.module("conductor_container", name="web")["changed"]
    assert not host.module("conductor_container", name="web", state="present")["changed"]


def test_info_reports_usage_and_changes_nothing(host):
    container(host)
    facts = info(host)
    assert facts["usage"]["pids"] == 1 and facts["usage"]["memory"] > 0 and facts["usage"]["cpu"] > 0
    assert info(host, "nobody") is None
    assert host.module("conductor_container_info")["changed"] is False


def test_the_log_cannot_act_on_a_terminal(host):
    container(host, command=["/usr/bin/printf", "\\033[2Jhello\\007\\n"])
    assert exited(host)["log"] == "\\x1b[2Jhello\\x07\n"


def test_a_host_with_cgroups_of_version_2_only(bare_host, cached_image):
    """The controllers of this host belong to version 1, so that no limits can be set; all else works."""
    host = bare_host
    mount_image(host, cached_image)
    host.run("umount", "--all", "--types", "cgroup")
    facts = container(host)["container"]
    assert host.run("cat", f"/proc/{facts['pid']}/cgroup").stdout.splitlines()[-1].endswith("/conductor/web")
    host.module("conductor_exec", container="web", argv=["true"])
    refused = container(host, memory="64m", fails=True)
    assert "a cgroup controller is missing" in refused["msg"]
    container(host, state="stopped", memory=0)
    assert "conductor/web" not in host.run("find", "/sys/fs/cgroup", "-type", "d").stdout
    host.module("conductor_container", name="web", state="absent")


def test_a_host_has_one_directory_of_containers_at_a_time(host):
    container(host)
    for module, params in (
        ("conductor_container", {"name": "other", "image": "debian"}),
        ("conductor_network", {"state": "reconciled"}),
        ("conductor_container_info", {}),
    ):
        refused = host.module(module, container_dir="/run/other", fails=True, **params)
        assert "container web of /var/lib/conductor/containers is running" in refused["msg"]
    assert host.run("ls", "-d", "/run/other", check=False).stdout == ""
    container(host, state="stopped")
    elsewhere = container(host, name="other", container_dir="/run/other")["container"]
    assert elsewhere["state"] == "running"
    host.module("conductor_container", name="other", container_dir="/run/other", state="absent")
    host.run("rmdir", "/run/other")


def test_detach_false_returns_exit_status_and_output(host):
    wish = {"name": "job", "image": "debian", "detach": False}
    say = ["/bin/sh", "-c", "echo out; echo err >&2; sleep 0.3; echo end"]
    predicted = host.module("conductor_container", **wish, command=say, check=True)
    assert predicted["changed"] and predicted["rc"] is None
    for _ in range(2):
        done = host.module("conductor_container", **wish, command=say)
        assert (done["rc"], done["stdout"], done["changed"]) == (0, "out\nerr\nend\n", True)
        assert (done["container"]["state"], done["container"]["exit_code"]) == ("exited", 0)
    host.module("conductor_container", name="job", state="absent")
    failed = host.module("conductor_container", **wish, command=["/bin/sh", "-c", "echo why; exit 3"], fails=True)
    assert (failed["rc"], failed["stdout"], failed["changed"]) == (3, "why\n", True)
    assert "job: the command exited with status 3. See its output: why" in failed["msg"]
    refused = host.module("conductor_container", **wish, restart_policy="always", fails=True)["msg"]
    assert "restart_policy: no" in refused


def test_container_of_a_waiting_task_can_be_stopped(host):
    """No lock is held meanwhile."""
    wish = {"name": "job", "image": "debian", "command": SLEEP, "detach": False}
    with ThreadPoolExecutor() as pool:
        running = pool.submit(host.module, "conductor_container", **wish, fails=True)
        until(lambda: (found := info(host, "job")) and found["state"] == "running", "it runs")
        host.module("conductor_container", name="job", state="stopped", lock_timeout=1)
        assert running.result()["rc"] == 137


def test_failed_start_reports_earlier_actions_and_changed(host):
    failed = container(host, command=["/no/such/program"], fails=True)
    assert failed["changed"] and failed["actions"][-1] == "create container web from image debian"
    assert "one before: " in failed["msg"] and "create container web" in failed["msg"]
    assert info(host)["state"] == "created"
    again = container(host, command=["/no/such/program"], fails=True)
    assert (again["changed"], again["actions"]) == (False, [])


def test_init_that_cannot_boot_fails_the_task_with_its_output(host):
    host.module("conductor_container", name="web", image="debian", init=True, state="present")
    rootfs = "/var/lib/conductor/containers/web/upper/usr/sbin"
    script = "#!/bin/sh\necho no inotify instances left\nexit 255\n"
    write = f"mkdir -p {rootfs}; cat > {rootfs}/init; chmod 755 {rootfs}/init"
    host.run("sh", "-c", write, stdin=script)
    failed = host.module("conductor_container", name="web", fails=True)
    assert "web: init exited with status 255 right after the start. See its output: no inotify inst" in failed["msg"]
    assert failed["changed"] and failed["container"]["state"] == "exited"
