"""run --rm deletes its own container, however it ends, and never that of another run."""

import subprocess

import pytest
from host_command import PROGRAM, held_lock, wait_for_lock
from waiting import until

SLEEP = ["--", "/bin/sleep", "infinity"]
CONTAINERS = "/var/lib/conductor/containers"
# Without a network it is the use case of a container, with one that of a stack.
NETWORKS = pytest.mark.parametrize("network", [[], ["--internet"]], ids=["alone", "connected"])


def container(command):
    """The facts of the only container, None if there is none."""
    (facts,) = command.json("ps")["containers"] or [None]
    return facts


def start(command, *argv):
    # The tests may have been started with signals ignored, by nohup(1) or in the background.
    run = ["env", "--default-signal", PROGRAM, "run", "--rm", *argv]
    return command.host.popen(*run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_run_once_prints_returns_the_status_and_leaves_nothing(command):
    argv = ["run", "--rm", "debian", "trial", "--", "/bin/sh", "-c", "echo out; exit 7"]
    assert command(*argv, status=7).stdout == "out\n"
    assert container(command) is None
    command("run", "debian", "box")
    command("exec", "box", "--", "touch", "/root/data")
    for check in ([], ["--check"]):
        assert "container box exists" in command("run", "--rm", *check, "debian", "box", status=4).stderr
    command("exec", "box", "--", "test", "-e", "/root/data")


@NETWORKS
def test_run_once_that_cannot_start_leaves_nothing(command, network):
    assert "/no/such" in command("run", "--rm", *network, "debian", "trial", "--", "/no/such", status=8).stderr
    assert container(command) is None


@pytest.mark.parametrize(("name", "status"), [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)])
def test_run_once_that_gets_a_signal_leaves_nothing(command, name, status):
    running = start(command, "debian", "trial", "--", "/bin/sh", "-c", "echo up; sleep 1000")
    assert running.stdout.readline() == "up\n"
    command.host.run("pkill", f"-{name}", "-f", f"^/usr/bin/python3 -IS {PROGRAM} run")
    assert running.communicate(timeout=20) == ("", "") and running.returncode == status
    assert container(command) is None


def test_shell_of_run_once_whose_terminal_is_gone_leaves_nothing(command):
    shell = command.spawn(PROGRAM, "run", "--rm", "debian", "trial")
    shell.sendline("echo $((40 + 2))")
    shell.expect_exact("42")
    shell.close(force=False)
    until(lambda: container(command) is None, "it is removed")


@pytest.mark.parametrize(("network", "lock"), [([], "supervisor"), (["--internet"], "network")])
def test_run_once_that_gets_a_signal_while_it_starts_leaves_nothing(command, network, lock):
    with held_lock(command.host, lock):
        running = start(command, *network, "debian", "trial", *SLEEP)
        pid = wait_for_lock(command.host, f"{PROGRAM} run")
        until(lambda: container(command), "it is created")
        command.host.run("kill", "-TERM", pid)
    assert running.communicate(timeout=20) == ("", "") and running.returncode == 143
    assert container(command) is None


@NETWORKS
@pytest.mark.parametrize("ending", [None, "INT"])
def test_run_once_does_not_touch_a_container_that_another_run_creates_meanwhile(command, network, ending):
    host = command.host
    command("create", "debian", "box", *SLEEP)
    before = container(command)
    host.run("mv", f"{CONTAINERS}/box", "/var/lib/conductor/box")
    with held_lock(host, "container-box"):
        running = start(command, *network, "-e", "A=1", "debian", "box", "--", "/bin/true")
        pid = wait_for_lock(host, f"{PROGRAM} run")
        host.run("mv", "/var/lib/conductor/box", f"{CONTAINERS}/box")
        if ending:
            host.run("kill", f"-{ending}", pid)
            # Without the lock, which it does not need any more.
            assert running.wait(20) == 130
    told = running.communicate(timeout=20)[1]
    assert ending or (running.returncode, "container box exists" in told) == (4, True)
    assert container(command) == before


def test_run_once_does_not_delete_a_container_that_replaced_its_own(command):
    running = start(command, "debian", "box", "--", "/bin/sh", "-c", "echo up; sleep 1000")
    assert running.stdout.readline() == "up\n"
    with held_lock(command.host, "container-box"):
        command.host.run("pkill", "-INT", "-f", f"^/usr/bin/python3 -IS {PROGRAM} run")
        wait_for_lock(command.host, f"{PROGRAM} run")
        command.host.run(
            "sed", "-i", r's/"id": *"[0-9a-f]*"/"id": "00112233445566ff"/', f"{CONTAINERS}/box/container.json"
        )
    assert running.wait(20) == 130
    assert container(command)["id"] == "00112233445566ff"
