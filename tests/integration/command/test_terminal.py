"""The host command on a terminal: an interactive shell in a container, without access to the host's terminal."""

import hashlib
import json

import pexpect
import pytest
from host_command import PROGRAM, PROMPT, at
from seams import build_command, build_environment
from seams.audits import audit_from_setns, audit_until_exec
from seams.interference import import_before
from waiting import until

INSIDE = "inside> "
# Plain words from both shells, with a prompt that only the inner one has.
SHELL = f"conductor exec -e 'PS1={INSIDE}' {{}} -- /bin/bash --norc"


@pytest.fixture
def shell(command):
    """A shell on a terminal of a host with the container box."""
    command("run", "debian", "box")
    terminal = command.terminal()
    yield terminal
    terminal.close(force=True)


def enter(shell, options="box"):
    """Open a shell in the container from the host's shell."""
    at(shell, SHELL.format(options), INSIDE)


def modes(shell):
    """The settings of the host's terminal."""
    return at(shell, "stty -g")


def inside(command, pattern):
    """Processes of the container with this command line, from ps in the container."""
    return [line for line in command("exec", "box", "--", "ps", "-eo", "args").stdout.splitlines() if pattern in line]


def test_interactive_shell_behaves_like_a_local_one(command, shell):
    before = modes(shell)
    enter(shell)
    assert at(shell, "tty", INSIDE) == "/dev/pts/0"
    assert at(shell, "stty size", INSIDE) == "33 101"
    # Its own size at once, and that of a window that is made larger.
    shell.setwinsize(44, 132)
    until(lambda: at(shell, "stty size", INSIDE) == "44 132", "the new size is known inside")
    assert at(shell, "echo 'äö€'", INSIDE) == "äö€"
    # Keys go to the foreground process group.
    shell.sendline("sleep 777")
    until(lambda: inside(command, "sleep 777"), "it sleeps")
    shell.sendintr()
    shell.expect_exact(INSIDE)
    assert at(shell, "echo rc=$?", INSIDE) == "rc=130"
    # Jobs.
    assert "[1]" in at(shell, "sleep 888 &", INSIDE)
    assert "Running" in at(shell, "jobs", INSIDE)
    shell.sendline("fg")
    shell.expect_exact("sleep 888\r\n")
    shell.send("\x1a")
    shell.expect_exact("Stopped")
    shell.expect_exact(INSIDE)
    # A shell does not let go of a job that is stopped, and may not know yet that this one has ended.
    at(shell, "kill -9 %1; disown -a", INSIDE)
    at(shell, "exit 42")
    assert at(shell, "echo $?") == "42"
    assert modes(shell) == before
    assert not inside(command, "bash --norc")


def test_command_has_a_controlling_terminal(command, shell):
    """A shell would take a controlling terminal by itself."""
    assert at(shell, "conductor exec box -- sh -c 'echo by name > /dev/tty'") == "by name"
    shell.sendline("conductor exec box -- sleep 777")
    until(lambda: inside(command, "sleep 777"), "it sleeps")
    shell.sendintr()
    shell.expect_exact(PROMPT)
    assert at(shell, "echo $?") == "130"


def test_control_d_exits_and_typed_ahead_keys_are_kept(shell):
    shell.sendline(SHELL.format("box"))
    shell.sendline("echo typed ahead")
    shell.expect_exact(INSIDE)
    shell.expect_exact("\ntyped ahead")
    shell.send("\x04")
    shell.expect_exact(PROMPT)
    assert at(shell, "echo $?") == "0"


@pytest.mark.parametrize("userns", ["auto", "host"])
def test_terminal_belongs_to_the_container(command, shell, userns):
    """CVE-2025-52565 and others: input can be injected into the host's terminal, and a mount of it redirected."""
    command.host.module("conductor_container", name="own", image="debian", userns=userns)
    hosts = at(shell, "stat -c %d /dev/pts")
    enter(shell, "own")
    # The file system that the terminal belongs to, not the device that it is.
    look = "stat -L -c %d /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /dev/pts /dev/pts/ptmx $(tty)"
    found = at(shell, look, INSIDE).split()
    assert len(found) == 6 and len(set(found)) == 1 and hosts not in found
    assert at(shell, "ls /proc/$$/fd", INSIDE).split() == ["0", "1", "2", "255"], "the last is bash's own"
    assert at(shell, "for n in 0 1 2 255; do readlink /proc/$$/fd/$n; done", INSIDE).split() == ["/dev/pts/0"] * 4
    assert at(shell, "ps -o tty= -p $$; ps -o sess= -p $$ | tr -d ' '; echo $$", INSIDE).split()[0] == "pts/0"
    assert at(shell, "cat /proc/mounts | grep -c devpts", INSIDE) == "1"
    assert at(shell, "stat -c '%U %G %a' $(tty)", INSIDE) == "root tty 620"
    # Programs that create terminals work in it too: script(1), like sudo, tmux and ssh.
    assert "/dev/pts/1" in at(shell, "script -qec tty /dev/null", INSIDE)
    at(shell, "exit")


def test_terminal_is_owned_by_the_requested_user(shell):
    enter(shell, "-u games box")
    assert at(shell, "id -un; stat -c '%U %G %a' $(tty)", INSIDE).split() == ["games", "games", "tty", "620"]
    assert at(shell, "echo by name > $(tty)", INSIDE) == "by name"
    assert at(shell, "echo by dev > /dev/tty", INSIDE) == "by dev"
    at(shell, "exit")


def test_all_output_arrives_before_the_exit_status(shell):
    shell.sendline("conductor exec box -- sh -c 'seq 1 50000; exit 9'; echo status=$?")
    shell.expect(r"status=(\d+)")
    assert shell.match[1] == "9"
    lines = [line for line in shell.before.replace("\r", "").split("\n") if line.isdigit()]
    assert lines == [str(number) for number in range(1, 50001)]


def test_large_paste_arrives(command, shell):
    at(shell, "conductor exec box -- sh -c 'stty raw -echo; echo ready; head -c 200000 | md5sum'", "ready")
    pasted = "0123456789abcdef" * 12500
    for begin in range(0, len(pasted), 1000):
        shell.send(pasted[begin : begin + 1000])
    shell.expect(r"([0-9a-f]{32})  -")
    assert shell.match[1] == hashlib.md5(pasted.encode()).hexdigest()


@pytest.mark.parametrize(("number", "status"), [("TERM", 143), ("HUP", 129), ("INT", 130)])
def test_signal_restores_the_terminal_and_hangs_up(command, shell, number, status):
    before = modes(shell)
    shell.sendline("conductor exec box -- sh -c 'echo ready; sleep 777'")
    shell.expect_exact("ready\r\n")
    command.host.run("pkill", f"-{number}", "-f", f"^/usr/bin/python3 -IS {PROGRAM} exec")
    shell.expect_exact(PROMPT)
    assert at(shell, "echo $?") == str(status)
    assert modes(shell) == before
    until(lambda: not inside(command, "sleep 777"), "it got SIGHUP")


@pytest.mark.parametrize("number", ["TERM", "HUP", "INT"])
def test_signal_to_all_with_the_command_line_reaches_the_program_only(command, shell, number):
    """The process that waits for the command has the program's command line, and must not end before the command."""
    shell.sendline("conductor exec box -- sh -c 'echo ready; read line; exit 5'")
    shell.expect_exact("ready\r\n")
    command.host.run("pkill", f"-{number}", "--newest", "-f", f"^/usr/bin/python3 -IS {PROGRAM} exec")
    shell.sendline("go on")
    shell.expect_exact(PROMPT)
    assert at(shell, "echo $?") == "5"


def test_closed_terminal_hangs_up(command, shell):
    shell.sendline("conductor exec box -- sh -c 'echo ready; sleep 777'")
    shell.expect_exact("ready\r\n")
    shell.close(force=True)
    until(lambda: not inside(command, "sleep 777"), "it got SIGHUP")
    until(lambda: f"{PROGRAM} exec" not in command.host.run("ps", "ax").stdout, "the program has ended")


def test_removed_container_restores_the_terminal(command, shell):
    before = modes(shell)
    shell.sendline("conductor exec box -- sh -c 'stty raw; echo ready; sleep 777'")
    # Not the line that was typed: there ";" follows.
    shell.expect_exact("ready\n")
    command("stop", "box")
    shell.expect_exact(PROMPT)
    assert at(shell, "echo $?") == "137"
    assert modes(shell) == before


def test_command_that_closes_its_terminal_is_waited_for(shell):
    script = "trap '' HUP; exec < /dev/null > /dev/null 2>&1; sleep 1; exit 6"
    at(shell, f'conductor exec box -- sh -c "{script}"')
    assert at(shell, "echo $?") == "6"


def test_background_processes_do_not_keep_the_terminal(shell):
    assert at(shell, "conductor exec box -- sh -c 'trap \"\" HUP; sleep 999 & echo done'") == "done"


def test_no_terminal_without_one_on_both_sides(command, shell):
    assert at(shell, "conductor exec box -- tty | cat") == "not a tty"
    assert at(shell, "conductor exec box -- tty < /dev/null") == "not a tty"
    # The key is for the command all the same.
    shell.sendline("conductor exec box -- sleep 777 | cat")
    until(lambda: inside(command, "sleep 777"), "it sleeps")
    shell.sendintr()
    shell.expect_exact(PROMPT)
    assert at(shell, "echo ${PIPESTATUS[0]}") == "130"
    assert not inside(command, "sleep 777")


def test_run_opens_a_shell_unless_detached(command, shell):
    assert "start container quiet" in at(shell, "conductor run -d debian quiet")
    assert "start container cmd" in at(shell, "conductor run debian cmd -- /bin/sleep infinity")
    shell.sendline("TERM=xterm conductor run debian talk")
    shell.expect_exact("`conductor stop talk` deletes it")
    shell.expect_exact("root@talk:/# ")
    shell.sendline("echo $TERM; exit 3")
    shell.expect_exact("xterm\r\n")
    shell.expect_exact(PROMPT)
    assert at(shell, "echo $?") == "3"
    states = {one["name"]: one["state"] for one in command.json("ps")["containers"]}
    assert states == dict.fromkeys(("box", "cmd", "quiet", "talk"), "running")


def test_a_log_cannot_act_on_the_terminal(command, shell):
    command("run", "debian", "loud", "--", "/usr/bin/printf", r"plain\033]0;title\007 \303\244\nnext\n")
    until(lambda: command.json("ps")["containers"][1]["state"] == "exited", "it has ended")
    assert at(shell, "conductor logs loud").split("\n") == [r"plain\x1b]0;title\x07 ä", "next"]
    assert at(shell, "conductor logs loud | od -c | head -1 | cut -c1-40").count("033") == 1


@pytest.mark.parametrize(
    "trap", ["true", "mkfifo /dev/ptmx", "ln -s /etc/passwd /dev/ptmx", "ln -s /dev/zero /dev/ptmx"]
)
def test_replaced_ptmx_is_a_one_line_error(command, shell, trap):
    before = modes(shell)
    command("exec", "box", "--", "sh", "-c", f"rm /dev/ptmx; {trap}")
    told = at(shell, "conductor exec box")
    assert told.startswith("conductor: container box: terminal in the container: ") and "\n" not in told
    assert at(shell, "echo $?") == "8"
    assert modes(shell) == before


# What the process that becomes the command imports and opens on the way in (CVE-2019-14271).
AUDIT = [audit_from_setns(marker="/marks-the-container"), audit_until_exec(path="/tmp/audit")]
MAY_OPEN = {"open '/'", "open '/proc/self/status'"}


def test_cve_2019_14271_nothing_is_loaded_on_the_way_to_a_terminal_inside(command, shell):
    command("exec", "box", "--", "touch", "/marks-the-container")
    audit = "/var/lib/conductor/containers/box/rootfs/tmp/audit"

    def found(*seams):
        environment = [f"{name}={value}" for name, value in build_environment().items()]
        program = build_command([*AUDIT, *seams], "command", "exec", "box", "--", "/usr/bin/tty")
        run = command.spawn("env", *environment, *program)
        run.expect(pexpect.EOF)
        assert "/dev/pts/0" in run.before, run.before
        return set(json.loads(command.host.run("cat", audit).stdout)["seen"])

    assert "import 'colorsys'" in found(import_before("_container.exec.terminal:open_pty", module="colorsys"))
    assert found() <= MAY_OPEN
