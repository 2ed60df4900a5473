"""`conductor exec` without a terminal: streams, signals and exit status of the command.

The agent copies the streams, or the program itself if it cannot ask the agent.
"""

import fcntl
import hashlib
import json
import os
import select
import shlex
import signal
import struct
import subprocess
import termios

import pytest
from host_command import PROGRAM, actions, pid_of
from testhost import PYTHON
from waiting import until


@pytest.fixture(params=["by the agent", "by itself"])
def execute(request):
    """The words of the program that begin a command in container box."""
    # A form that the agent is not asked for.
    own = ["--user=root"] if request.param == "by itself" else []
    return ["exec", *own, "box", "--"]


def test_exec_passes_streams_through(box, execute):
    data = os.urandom(1 << 20) * 8
    path = "/run/test"
    subprocess.run([*box.host.enter, "tee", path], input=data, stdout=subprocess.DEVNULL, check=True)
    line = f"{PROGRAM} {shlex.join(execute)} cat < {path} | sha256sum"
    assert box.host.run("sh", "-c", line).stdout.split()[0] == hashlib.sha256(data).hexdigest()
    done = box(*execute, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    box.host.run("rm", path)


def test_exec_passes_output_through_without_buffering(box, execute):
    talk = box.host.popen(PROGRAM, *execute, "sh", "-c", "echo ready; read answer; echo got $answer; cat",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert talk.stdout.readline() == b"ready\n"
    talk.stdin.write(b"this\n")
    talk.stdin.flush()
    assert talk.stdout.readline() == b"got this\n"
    assert (talk.communicate(timeout=20)[0], talk.returncode) == (b"", 0)
    pour = box.host.popen(PROGRAM, *execute, "cat", "/dev/zero", stdout=subprocess.PIPE)
    left = 100 << 20
    while left:
        left -= len(pour.stdout.read(min(1 << 20, left)))
    pid = pid_of(box.host, f"{PROGRAM} exec")
    most = next(line for line in box.host.run("cat", f"/proc/{pid}/status").stdout.splitlines() if "VmHWM" in line)
    assert int(most.split()[1]) < 60000, "kilobytes"
    pour.stdout.close()
    assert pour.wait(20) == 128 + signal.SIGPIPE, "the command wrote to a pipe that nobody read any more"


@pytest.mark.parametrize(("end", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("kill -INT $$", 130), ("true", 0)])
def test_exec_returns_the_status_of_the_command(box, execute, end, status):
    box(*execute, "sh", "-c", end, status=status)


def test_exec_with_json_has_all_output_and_the_same_status(box):
    done = box("--json", "exec", "box", "--", "sh", "-c", "cat; echo err >&2; exit 7", stdin="in\n", status=7)
    told = json.loads(done.stdout)
    assert (told["rc"], told["stdout"], told["stderr"], told["failed"]) == (7, "in", "err", True)
    done = box("--json", "exec", "box", "--", "sh", "-c", "kill -9 $$", status=137)
    assert json.loads(done.stdout)["rc"] == -9
    assert json.loads(box("--json", "exec", "box", "--", "true").stdout)["rc"] == 0
    assert actions(box("exec", "--check", "box", "--", "touch", "/made")) == ["would run touch /made in container box"]
    box("exec", "box", "--", "test", "-e", "/made", status=1)


def test_exec_options(box):
    script = "id -un; pwd; echo $MINE; echo ${TERM-none}"
    argv = ["exec", "-u", "games", "-w", "/usr/share", "-e", "MINE=a=b c", "box", "--", "sh", "-c", script]
    assert box(*argv).stdout == "games\n/usr/share\na=b c\nnone\n"


def test_signal_is_passed_to_the_command(box, execute):
    script = "trap 'echo told; exit 3' TERM; sleep 1000 & echo ready; wait"
    running = box.host.popen(PROGRAM, *execute, "sh", "-c", script, stdout=subprocess.PIPE)
    assert running.stdout.readline() == b"ready\n"
    box.host.run("kill", "-TERM", pid_of(box.host, f"{PROGRAM} exec"))
    assert running.communicate(timeout=20)[0] == b"told\n" and running.returncode == 3
    until(lambda: "sleep 1000" not in box.host.run("ps", "ax").stdout, "all of its group got it")


# Sends SIGTERM to the host command as soon as the command's process is in the container's cgroup; prints its status.
EARLY = """
import glob, signal, subprocess, sys
procs = glob.glob("/sys/fs/cgroup/**/conductor/box/cgroup.procs", recursive=True)[0]
def members():
    with open(procs, "rb", buffering=0) as file:
        return file.read()
before = members()
running = subprocess.Popen([*sys.argv[1:]], stdin=subprocess.DEVNULL)
while members() == before:
    pass
running.send_signal(signal.SIGTERM)
print(running.wait(20))
"""


def test_signal_right_after_the_start_ends_the_command(box, execute):
    for _ in range(5):
        done = box.host.run(PYTHON, "-c", EARLY, PROGRAM, *execute, "sleep", "1000")
        assert done.stdout.split() == [str(128 + signal.SIGTERM)]
        assert "sleep 1000" not in box.host.run("ps", "ax").stdout


def test_blocked_output_does_not_block_other_streams(box, execute):
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    script = "echo; read go; cat /dev/zero & read text; echo $text >&2; wait"
    pour = box.host.popen(PROGRAM, *execute, "sh", "-c", script, **pipes)
    pid = until(lambda: pid_of(box.host, f"{PROGRAM} exec"), "it runs")

    def waiting():
        return struct.unpack("i", fcntl.ioctl(pour.stdout, termios.FIONREAD, bytes(4)))[0]

    # A little first, so that the rest of the pipe is less than is read at once.
    until(lambda: waiting() == 1, "it has begun")
    pour.stdin.write(b"go\n")
    pour.stdin.flush()
    until(lambda: waiting() > (1 << 16) - 2 * select.PIPE_BUF, "the pipe is full")
    pour.stdin.write(b"still here\n")
    pour.stdin.flush()
    assert select.select([pour.stderr], [], [], 20)[0] and pour.stderr.readline() == b"still here\n"
    box.host.run("kill", "-TERM", pid)
    until(lambda: "cat /dev/zero" not in box(*execute, "ps", "ax").stdout, "the command got it")
    assert pour.poll() is None, "there is output left"
    box.host.run("kill", "-TERM", pid)
    assert pour.wait(20) == 128 + signal.SIGTERM


def test_command_inherits_no_descriptors_of_the_caller(box, execute):
    look = "for n in 0 1 2; do readlink /proc/self/fd/$n; done; ls /proc/self/fd | wc -l"
    box.host.run("sh", "-c", f"{PROGRAM} {shlex.join(execute)} sh -c '{look}' < /etc/passwd > /run/test 9< /etc/shadow")
    found = box.host.run("cat", "/run/test").stdout.split()
    box.host.run("rm", "/run/test")
    assert all(link.startswith("pipe:") for link in found[:3]), found
    assert found[3] == "4", "the three, and that of ls itself"


def test_background_processes_are_not_waited_for(box, execute):
    assert box(*execute, "sh", "-c", "sleep 999 & echo done", timeout=20).stdout == "done\n"


def test_removed_container_ends_exec_with_its_status(box, execute):
    running = box.host.popen(PROGRAM, *execute, "sh", "-c", "echo ready; exec sleep 1000",
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert running.stdout.readline() == b"ready\n"
    box("stop", "box")
    assert running.communicate(timeout=20)[1] == b"" and running.returncode == 137


def test_agent_is_the_parent_of_the_command(box):
    script = "echo $(id -un)$PWD$A; exec sleep 1000"
    argv = ["exec", "-u", "games", "-w", "/usr", "-e", "A=b=c", "box", "--", "sh", "-c", script]
    running = box.host.popen(PROGRAM, *argv, stdout=subprocess.PIPE)
    assert running.stdout.readline() == b"games/usrb=c\n"
    command = box.host.run("pgrep", "-f", "^sleep 1000").stdout.strip()
    parent = box.host.run("ps", "-o", "ppid=", "-p", command).stdout.strip()
    assert " serve /run/conductor/entry/" in box.host.run("cat", f"/proc/{parent}/cmdline").stdout.replace("\0", " ")
    box.host.run("kill", command)
    assert running.wait(20) == 128 + signal.SIGTERM


def test_stopped_agent_is_not_waited_for_and_runs_nothing_later(box):
    box("exec", "box", "--", "true")
    pid = box.host.run("pgrep", "--oldest", "-f", "serve /run/conductor/entry/").stdout.strip()
    box.host.run("kill", "-STOP", pid)
    assert box("exec", "box", "--", "sh", "-c", "echo again >> /ran; echo done").stdout == "done\n"
    box.host.run("kill", "-CONT", pid)
    box("exec", "box", "--", "true")
    assert box("exec", "box", "--", "cat", "/ran").stdout == "again\n"


def test_interrupt_while_the_agent_does_not_answer_is_no_traceback(box):
    box("exec", "box", "--", "true")
    pid = box.host.run("pgrep", "--oldest", "-f", "serve /run/conductor/entry/").stdout.strip()
    box.host.run("kill", "-STOP", pid)
    waiting = box.host.popen(PROGRAM, "exec", "box", "--", "touch", "/ran", stderr=subprocess.PIPE)
    program = until(lambda: pid_of(box.host, f"{PROGRAM} exec"), "it runs")
    caught = f"/proc/{program}/status"
    until(lambda: int(box.host.run("awk", "/SigCgt/ {print $2}", caught).stdout, 16) & 1 << 14, "it handles SIGTERM")
    box.host.run("kill", "-INT", program)
    assert waiting.communicate(timeout=20)[1] == b"" and waiting.returncode == 130
    box.host.run("kill", "-CONT", pid)
    box("exec", "box", "--", "test", "-e", "/ran", status=1)


def test_killed_program_closes_the_streams_of_its_command(box):
    script = "echo ready; read line; echo closed > /seen; sleep 1000"
    running = box.host.popen(
        PROGRAM, "exec", "box", "--", "sh", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert running.stdout.readline() == b"ready\n"
    box.host.run("kill", "-KILL", pid_of(box.host, f"{PROGRAM} exec"))
    assert select.select([running.stdout], [], [], 20)[0] and running.stdout.read() == b"", "nobody keeps it open"
    until(lambda: box("exec", "box", "--", "cat", "/seen").stdout == "closed\n", "it has read the end")


def test_killed_agent_is_reported(box):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = box.host.popen(PROGRAM, "exec", "box", "--", "sh", "-c", "echo ready; sleep 1000", **pipes)
    assert running.stdout.readline() == b"ready\n"
    box.host.run("pkill", "-KILL", "-f", "serve /run/conductor/entry/")
    assert b"the agent that ran the command was killed" in running.communicate(timeout=20)[1]
    assert running.returncode == 8
    box("exec", "box", "--", "true")


def test_command_that_cannot_start_has_the_errors_of_the_program(box):
    assert "no-such-program" in box("exec", "box", "--", "no-such-program", status=8).stderr
    assert "nobody-here" in box("exec", "-u", "nobody-here", "box", "--", "true", status=5).stderr
    assert "nothing" in box("exec", "nothing", "--", "true", status=3).stderr
