"""conductor_exec: results, creates and removes, check mode, timeout; compatible with ansible.builtin.command."""

import sys

import pytest
from testhost import module_environment
from waiting import until


@pytest.fixture
def web(host):
    host.module("conductor_container", name="web", image="debian", env={"FROM": "container"})
    return host


def run(host, **params):
    return host.module("conductor_exec", container="web", **params)


def test_result_is_that_of_a_command(web):
    result = run(web, argv=["/bin/sh", "-c", "echo out; echo err >&2"])
    assert (result["changed"], result["rc"], result["stdout_lines"], result["stderr"]) == (True, 0, ["out"], "err")
    assert set(result) >= {"start", "end", "delta", "cmd", "stderr_lines"}


def test_nonzero_exit_status_fails_with_all_results(web):
    result = run(web, argv=["/bin/sh", "-c", "echo half; exit 9"], fails=True)
    assert (result["rc"], result["stdout"], result["msg"], result["changed"]) == (
        9,
        "half",
        "container web: non-zero return code",
        True,
    )


def test_signal_is_a_negative_exit_status(web):
    assert run(web, argv=["/bin/sh", "-c", "kill -USR1 $$"], fails=True)["rc"] == -10


def test_arguments_are_never_given_to_a_shell(web):
    assert run(web, argv=["echo", "a  b", "$(id)", "*"])["stdout"] == "a  b $(id) *"
    assert run(web, cmd="echo 'a  b' $HOME")["stdout"] == "a  b $HOME"


def test_stdin_is_run_by_bash_without_a_command(web):
    result = run(web, stdin="set -e\ncd /usr\npwd\nhostname")
    assert result["stdout_lines"] == ["/usr", "web"]


def test_large_input_and_output_pass_whole(web):
    text = "0123456789abcde\n" * 40000
    result = run(web, argv=["cat"], stdin=text)
    assert result["stdout"] + "\n" == text


def test_env_user_and_chdir(web):
    script = "id -un; id -gn; pwd; echo $FROM $MINE $HOME"
    result = run(web, argv=["sh", "-c", script], env={"MINE": "exec"}, user="games", chdir="/usr/share")
    assert result["stdout_lines"] == ["games", "games", "/usr/share", "container exec /usr/games"]


def test_creates_and_removes_guard_inside_the_container(web):
    web.run("touch", "/run/only-on-host")
    assert run(web, argv=["touch", "/made"], creates="/made")["changed"]
    skipped = run(web, argv=["touch", "/made"], creates="/made")
    assert (skipped["changed"], skipped["msg"], skipped["rc"]) == (False, "skipped, since /made exists", 0)
    assert not run(web, argv=["true"], creates="/ma*")["changed"]
    assert run(web, argv=["true"], creates="/run/only-on-host")["changed"]
    assert not run(web, argv=["true"], removes="/nothing")["changed"]
    assert run(web, argv=["true"], removes="/made")["changed"]
    run(web, argv=["ln", "-s", "/proc/1/root/run/only-on-host", "/link"])
    web.run("rm", "/run/only-on-host")


def test_check_mode_runs_nothing(web):
    result = run(web, argv=["touch", "/made"], check=True)
    assert result["changed"] and result["actions"] == ["run touch /made in container web"]
    assert run(web, argv=["test", "-e", "/made"], fails=True)["rc"] == 1
    assert not run(web, argv=["touch", "/etc"], creates="/etc", check=True)["changed"]


def test_timeout_kills_the_command_and_its_group(web):
    result = run(web, argv=["sh", "-c", "echo begun; sleep 777 & sleep 777"], timeout=0.5, fails=True)
    assert "longer than 0.5 s" in result["msg"] and result["stdout"] == "begun"
    until(lambda: "sleep 777" not in web.run("ps", "ax").stdout, "all of the group is gone")


def test_detach_leaves_it_running_with_its_output_in_the_log(web):
    result = run(web, argv=["sh", "-c", "echo from detached; exec sleep 888"], detach=True)
    until(lambda: "sleep 888" in web.run("ps", "ax").stdout, "it runs")
    facts = web.module("conductor_container_info", name=["web"])["containers"][0]
    assert facts["log"] == "from detached\n" and result["rc"] is None and result["pid"] > 1


def test_a_background_process_is_not_waited_for(web):
    assert run(web, argv=["sh", "-c", "sleep 999 & echo done"], timeout=20)["stdout"] == "done"


def test_it_has_no_more_rights_than_the_container(web):
    of = "grep -E 'Cap(Bnd|Eff|Prm)' /proc/{}/status"
    assert (
        run(web, argv=["sh", "-c", of.format("self")])["stdout"]
        == run(web, argv=["sh", "-c", of.format("1")])["stdout"]
    )
    same = "for n in mnt pid net uts ipc cgroup; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ]; done"
    run(web, argv=["sh", "-ec", same])
    assert run(web, argv=["cat", "/proc/self/cgroup"])["stdout"] == run(web, argv=["cat", "/proc/1/cgroup"])["stdout"]


def test_command_can_stop_its_own_container(web):
    result = run(web, argv=["sh", "-c", "kill -9 1; kill -HUP 1; sleep 0.1; echo survived"], timeout=20)
    assert result["stdout"] == "survived", "pid 1 is protected from its own namespace"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"argv": ["/no/such"]}, "/no/such: No such file or directory"),
        ({"argv": ["/etc/passwd"]}, "/etc/passwd: Permission denied"),
        ({"argv": ["true"], "chdir": "/no/dir"}, "working directory /no/dir"),
        ({"argv": ["true"], "user": "nobody-such"}, "there is no user 'nobody-such'"),
    ],
)
def test_command_that_cannot_be_executed_reports_the_reason(web, params, message):
    assert message in run(web, **params, fails=True)["msg"]


def test_container_that_does_not_run_is_an_error(web):
    web.module("conductor_container", name="web", state="stopped")
    assert "container web is not running" in run(web, argv=["true"], fails=True)["msg"]
    web.module("conductor_container", name="web", state="absent")
    assert "container web does not exist" in run(web, argv=["true"], fails=True)["msg"]


def test_commands_that_fail_leave_no_descriptor_open(web):
    """A readiness check runs repeatedly; it must not run out of descriptors."""

    loop = """
import os
from ansible_collections.conductor.containers.plugins.module_utils._container.exec import enter, run_inside
from ansible_collections.conductor.containers.plugins.module_utils._container.cgroup_paths import container_cgroup
from ansible_collections.conductor.containers.plugins.module_utils._engine import container_records as records
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
process = records.process_in(records.read_run_state(ContainerPaths.of("/var/lib/conductor/containers", "web")))
before = len(os.listdir("/proc/self/fd"))
for argv in [("/no/such",), ("/bin/false",)] * 20:
    try:
        command = enter.Command(argv, "root", (), "/", frozenset())
        run_inside.run_inside(process, container_cgroup("web"), command, b"", 9)
    except enter.EffectFailed:
        pass
print(len(os.listdir("/proc/self/fd")) - before)
"""
    assert web.run(sys.executable, "-c", loop, env=module_environment()).stdout == "0\n"


def test_commands_ignore_no_signals(host):
    """Python ignores SIGPIPE, and ignored signals stay ignored across an exec: `yes | head` would never end."""
    look = ["grep", "SigIgn", "/proc/self/status"]
    host.module("conductor_container", name="web", image="debian", command=look)
    until(lambda: "SigIgn" in host.module("conductor_container_info", name=["web"])["containers"][0]["log"], "it ran")
    assert host.module("conductor_container_info", name=["web"])["containers"][0]["log"].split()[1] == "0" * 16
    host.module("conductor_container", name="box", image="debian", command=["/bin/sleep", "infinity"])
    assert host.module("conductor_exec", container="box", argv=look)["stdout"].split()[1] == "0" * 16
