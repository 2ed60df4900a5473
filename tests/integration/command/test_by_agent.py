"""Verbs that the agent runs for the program: they are as if the program had run them, also its signals and rights."""

import signal
import subprocess

import pytest
from host_command import PROGRAM, held_lock, pid_of, pids_that_wait_for_a_lock, wait_for_lock
from waiting import until

AGENT = "serve /run/conductor/entry/"


@pytest.fixture(params=["by the agent", "by itself"])
def run(request, box):
    """Runs a line of the shell, in which `conductor` is the program, and returns what it printed."""
    # The agent has another priority.
    words = f"nice -n 1 {PROGRAM}" if request.param == "by itself" else PROGRAM
    return lambda line, **options: box.host.run("sh", "-c", f'conductor() {{ {words} "$@"; }}; {line}', **options)


@pytest.fixture
def waiting(box):
    """`conductor restart box`, which waits for a lock, and the pid of the process of the agent that runs it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with held_lock(box.host, "container-box"):
        # The tests may run under nohup(1).
        receptive = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)}
        program = box.host.popen(PROGRAM, "restart", "box", **pipes, **receptive)
        pid = wait_for_lock(box.host, f"{PROGRAM} restart")
        worker = until(lambda: pids_that_wait_for_a_lock(box.host), "it waits for the lock").strip()
        assert worker != pid
        yield program, worker
    program.kill()


def has_ended(host, pid):
    return host.run("ps", "-p", pid, check=False).returncode


def test_a_verb_has_the_streams_environment_and_status_of_its_caller(run, box):
    assert run("echo first; conductor ps -q; echo last").stdout == "first\nbox\nlast\n"
    assert "running" in run("conductor ps >/tmp/out; cat /tmp/out; rm /tmp/out").stdout
    done = run("conductor inspect nothing; echo $?")
    assert (done.stdout, done.stderr[:45]) == ("3\n", "conductor: container nothing does not exist. ")
    times = {run(f"TZ={zone} conductor ps").stdout.split()[-1] for zone in ("UTC", "UTC-7")}
    assert len(times) == 2, "local times"
    assert run("conductor images >&-; conductor ps --nothing; echo $?").stdout == "2\n"


def test_a_verb_prints_to_the_terminal_of_its_caller(box):
    shell = box.spawn(PROGRAM, "ps", "-q")
    shell.expect_exact("box\r\n")
    shell.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_program_ends_the_verb(waiting, box, number):
    program, worker = waiting
    box.host.run("kill", f"-{number:d}", pid_of(box.host, f"{PROGRAM} restart"))
    assert program.communicate(timeout=20) == (b"", b"")
    assert program.returncode == (130 if number == signal.SIGINT else -number)
    until(lambda: has_ended(box.host, worker), "the verb has ended")


def test_the_end_of_the_program_ends_the_verb(waiting, box):
    _, worker = waiting
    box.host.run("kill", "-KILL", pid_of(box.host, f"{PROGRAM} restart"))
    until(lambda: has_ended(box.host, worker), "the verb has ended")


def test_nohup_spares_the_verb(box):
    with held_lock(box.host, "container-box"):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        program = box.host.popen("nohup", PROGRAM, "restart", "box", stdin=subprocess.DEVNULL, **pipes)
        box.host.run("kill", "-HUP", wait_for_lock(box.host, f"{PROGRAM} restart"))
        until(lambda: pids_that_wait_for_a_lock(box.host), "it goes on")
    assert b"start container box" in program.communicate(timeout=20)[0] and program.returncode == 0


def test_killed_agent_is_reported(waiting, box):
    program, _ = waiting
    box.host.run("pkill", "-KILL", "-f", AGENT)
    assert program.communicate(timeout=20)[1] == b"conductor: the agent that ran this was killed. Run it again\n"
    assert program.returncode == 8


def test_a_caller_with_fewer_rights_or_in_another_namespace_has_only_these(box):
    box("ps")
    without = ("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
    failed = box.host.run(*without, PROGRAM, "create", "debian", "other", check=False)
    assert failed.returncode and "not permitted" in failed.stderr
    box.host.run("unshare", "--net", PROGRAM, "run", "-p", "8080:80", "debian", "apart", "--", "sleep", "infinity")
    links = box.host.run("ip", "-o", "link").stdout
    box("rm", "--force", "apart")
    assert "apart" not in links


def test_the_agent_has_not_the_priority_of_the_program_that_started_it(box):
    box.host.run("pkill", "-KILL", "-f", AGENT, check=False)
    box.host.run("nice", "-n", "7", PROGRAM, "exec", "box", "--", "true")
    agent = box.host.run("pgrep", "--oldest", "-f", AGENT).stdout.strip()
    assert box.host.run("ps", "-o", "ni=", "-p", agent).stdout.strip() == "0"
