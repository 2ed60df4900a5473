"""The host command on a test host: installed by the module, and run as its users do."""

import contextlib
import json
import shlex
import subprocess

import pexpect
from waiting import until

PROGRAM = "/usr/local/bin/conductor"
COMPLETION = "/usr/share/bash-completion/completions/conductor"
PROMPT = "host-prompt> "
HOLD = """
import fcntl, os, sys
os.makedirs("/run/conductor/locks", mode=0o700, exist_ok=True)
lock = open(f"/run/conductor/locks/{sys.argv[1]}.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
os.unlink(lock.name)
"""


class Command:
    """The program, at a shell of the host's without a terminal, or with one."""

    def __init__(self, host):
        self.host = host

    def __call__(self, *argv, status=0, **options):
        """Run it; what it printed. Fails where its exit status is another."""
        done = self.host.run(PROGRAM, *argv, check=False, **options)
        assert done.returncode == status, f"{argv} exited {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def json(self, *argv, **options):
        """The result that it prints as JSON."""
        return json.loads(self(*argv, "--json", **options).stdout)

    def terminal(self, rows=33, columns=101):
        """A shell of the host's on a terminal."""
        shell = self.spawn("/bin/bash", "--norc", rows=rows, columns=columns)
        shell.sendline(f"PS1='{PROMPT}'")
        shell.expect_exact(f"\n{PROMPT}")
        return shell

    def spawn(self, *argv, rows=33, columns=101):
        """A command on a terminal of its own."""
        first, *rest = [*self.host.enter, *argv]
        path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        env = {"PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8", "HISTFILE": "/dev/null"}
        return pexpect.spawn(first, rest, dimensions=(rows, columns), encoding="utf-8", timeout=20, env=env)


def at(shell, command, prompt=PROMPT):
    """What `command` (a list, or a line for the shell) prints at `prompt` of `shell`."""
    shell.sendline(command if isinstance(command, str) else shlex.join(command))
    shell.expect_exact("\n")
    shell.expect_exact(prompt)
    return shell.before.replace("\r", "").strip()


def actions(done):
    """The lines that a verb has printed: what it did."""
    return done.stdout.splitlines()


def pid_of(host, pattern):
    """The oldest process with such a command line, as the host knows it; "" where there is none."""
    return host.run("pgrep", "-o", "-f", f"^/usr/bin/python3 -IS {pattern}", check=False).stdout.strip()


@contextlib.contextmanager
def held_lock(host, name):
    """Hold the lock `name` for the block."""
    holder = host.popen("/usr/bin/python3", "-c", HOLD, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.communicate()


def wait_for_lock(host, pattern):
    """The pid of the process with such a command line, as soon as it waits for a lock, or the agent does for it."""
    pid = until(lambda: pid_of(host, pattern), "it runs")
    until(lambda: pids_that_wait_for_a_lock(host), "it waits for the lock")
    return pid


def pids_that_wait_for_a_lock(host):
    """Those of the programs and of the agent, as text."""
    ours = "pgrep -f '^/usr/bin/python3 -I'"
    line = f"for pid in $({ours}); do grep -q nanosleep /proc/$pid/wchan && echo $pid; done; true"
    return host.run("sh", "-c", line).stdout
