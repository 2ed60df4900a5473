"""`conductor logs --since`: the part of a log that was written since a time."""

import signal
import time

from host_command import PROGRAM
from supervision import supervisor_pid
from waiting import until

LOG = "/var/lib/conductor/containers/box/console.log"
TIMES = "/var/lib/conductor/containers/box/console.times"


def say(command, text):
    """Have the container write a line, as its first process would."""
    command("exec", "box", "--", "/bin/sh", "-c", f"echo {text} >> /proc/1/fd/1")


def recorded(host):
    """Wait until the size of the log is recorded; return a time after that, in seconds since 1970."""

    def last():
        fields = host.run("tail", "-n1", TIMES, check=False).stdout.split()
        size = host.run("stat", "-c", "%s", LOG).stdout.strip()
        return float(fields[0]) if fields[1:] == [size] else None

    when = until(last, "the size is recorded")
    return until(lambda: time.time() if time.time() > when else None, "that time is over")


def since(command, when, *options):
    return command("logs", "--since", f"{when:.3f}", *options, "box").stdout.split()


def test_logs_begin_with_what_was_written_since_a_time(command):
    host = command.host
    command("run", "debian", "box")
    say(command, "first")
    after_first = recorded(host)
    say(command, "second")
    say(command, "third")
    after_third = recorded(host)
    assert since(command, after_first) == ["second", "third"]
    assert since(command, after_first, "--tail", "1") == ["third"]
    assert since(command, after_third) == []
    assert since(command, 999999999) == command("logs", "--since", "1h", "box").stdout.split()
    assert since(command, 999999999) == ["first", "second", "third"]
    # What follows is new, also for a supervisor that did not see it.
    pid = supervisor_pid(host)
    host.run("kill", f"-{int(signal.SIGKILL)}", str(pid))
    until(lambda: supervisor_pid(host) != pid, "it is dead")
    say(command, "alone")
    command("run", "debian", "other")
    after_alone = recorded(host)
    assert since(command, after_third) == ["alone"] and since(command, after_alone) == []
    command("restart", "box")
    say(command, "again")
    assert since(command, after_alone) == ["again"]


def test_a_truncated_log_is_shown_as_a_whole(command):
    host = command.host
    command("run", "debian", "box")
    say(command, "a-long-first-line")
    after_first = recorded(host)
    host.run("truncate", "-s", "0", LOG)
    say(command, "short")
    assert since(command, after_first) == ["short"]
    recorded(host)
    assert since(command, after_first) == ["short"]


def test_a_container_that_writes_all_the_time_is_recorded_once_a_second(command):
    command("run", "debian", "box", "--", "/bin/sh", "-c", "while :; do echo line; done")
    begin = time.monotonic()
    until(lambda: len(command.host.run("cat", TIMES).stdout.splitlines()) > 3, "times are recorded")
    lines = command.host.run("cat", TIMES).stdout.splitlines()
    assert len(lines) <= time.monotonic() - begin + 3
    command("rm", "--force", "box")


def test_a_value_that_is_no_time_is_refused(command):
    done = command.host.run(PROGRAM, "logs", "--since", "yesterday", "box", check=False)
    assert done.returncode == 2 and "neither a duration, as 10m" in done.stderr
