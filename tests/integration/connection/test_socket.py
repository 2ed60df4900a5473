"""Tasks reach the agent through a socket that ssh forwards, or fall back to the client."""

import contextlib
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from controller import Controller
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
RAW = "[{ansible.builtin.raw: 'true'}]"
RUN = "/var/lib/conductor/containers/box/rootfs/run"


@pytest.fixture
def box(host, tmp_path):
    """The container `box`, over ssh."""
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    controller = Controller(tmp_path)
    controller.managed = controller.let_in(host)
    controller.add("box", ansible_user="root", **controller.managed)
    yield controller
    controller.leave(host)


def ssh_that_stays(controller):
    """Pid of the ssh that keeps the connection."""
    return re.search(r"pid=(\d+)", subprocess.run(
        ["ssh", "-O", "check", "-S", next((controller.directory / "cp").glob("[0-9a-f]" * 10)), "any"],
        capture_output=True, text=True, check=True,
    ).stderr)[1]  # fmt: skip


@contextlib.contextmanager
def using(controller):
    """The connection in use by something else meanwhile, so that it does not end where it is reset."""
    path = next((controller.directory / "cp").glob("[0-9a-f]" * 10))
    with subprocess.Popen(["ssh", "-S", path, "any", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        user.stdin.write(b".")
        user.stdin.flush()
        user.stdout.read(1)
        yield


def test_after_the_first_task_nothing_is_run_on_the_host(box):
    assert box.commands_on_the_host(RAW) > 0
    assert box.commands_on_the_host(f"{RAW[:-1]}, {{ansible.builtin.ping: }}, {{ansible.builtin.setup: }}]") == 0
    (forwarded,) = box.forwarded()
    assert forwarded.is_socket() and forwarded.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("why", ["the host does not let it", "ssh keeps no connection"])
def test_forwarding_is_tried_once_and_tasks_fall_back_to_the_client(host, box, why):
    if why == "the host does not let it":
        host.run("sh", "-c", "echo AllowStreamLocalForwarding no >> /run/ssh/sshd_config")
    else:
        box.inventory["box"]["ansible_ssh_args"] = "-o ControlMaster=no"
    box.playbook(RAW)
    log = box.ssh_log()
    assert box.commands_on_the_host(f"{RAW[:-1]}, {{ansible.builtin.ping: }}, {{ansible.builtin.ping: }}]") == 3
    assert log.read_text().count("-O forward") == 1
    assert box.forwarded() == []


def test_concurrent_tasks_open_one_socket(host, box):
    for number in range(4):
        name = f"box{number}"
        host.module("conductor_container", name=name, image="debian", command=SLEEP)
        box.add(name, ansible_user="root", **box.managed)
    # So that they begin together, with the program there and the connection open.
    box.playbook(RAW, hosts="box")
    box.forwarded()[0].unlink()
    log = box.ssh_log()
    box.playbook("[{ansible.builtin.raw: 'true'}, {ansible.builtin.raw: 'true'}]", options=["--forks", "8"])
    assert log.read_text().count("-O forward") == 1
    assert len(box.forwarded()) == 1
    assert box.commands_on_the_host(RAW) == 0


def test_stale_socket_of_an_ended_connection_is_replaced(box):
    box.playbook(RAW)
    # Killed, it removes nothing.
    subprocess.run(["kill", "-9", ssh_that_stays(box)], check=True)
    (stale,) = box.forwarded()
    with socket.socket(socket.AF_UNIX) as probe:
        until(lambda: probe.connect_ex(str(stale)), "nobody listens")
    assert box.commands_on_the_host(RAW) == 1
    assert box.commands_on_the_host(RAW) == 0


def test_reset_makes_a_new_connection(box):
    box.playbook(RAW)
    before = ssh_that_stays(box)
    with using(box):
        box.playbook(f"[{{ansible.builtin.meta: reset_connection}}, {RAW[1:]}")
        assert ssh_that_stays(box) != before
    assert box.commands_on_the_host(RAW) == 0


def test_ended_agent_is_started_again(host, box):
    box.playbook(RAW)
    for signal in ("-15", "-9"):
        host.run("pkill", signal, "-f", "lib/[0-9a-f]* serve")
        assert box.commands_on_the_host(RAW) == 1
        assert box.commands_on_the_host(RAW) == 0


def test_lost_connection_is_reported_and_the_command_goes_on(host, box):
    box.playbook(RAW)
    command = "touch /run/begun; while [ ! -e /run/go-on ]; do sleep 0.1; done; touch /run/done"
    with ThreadPoolExecutor() as pool:
        play = pool.submit(box.playbook, f"[{{ansible.builtin.raw: '{command}'}}]", check=False)
        until(lambda: host.run("test", "-e", f"{RUN}/begun", check=False).returncode == 0, "the task begins")
        subprocess.run(["kill", "-9", ssh_that_stays(box)], check=True)
        printed = " ".join(play.result().split())
    assert "the connection was lost while a command was running" in printed and "unreachable=1" in printed
    host.run("touch", f"{RUN}/go-on")
    until(lambda: host.run("test", "-e", f"{RUN}/done", check=False).returncode == 0, "it goes on to its end")


LISTEN = """
import socket
listener = socket.socket(fileno=0)
listener.listen()
print("listens", flush=True)
while True:
    connection, _ = listener.accept()
    print(connection.recv(100), flush=True)
"""


def test_nothing_is_sent_to_a_foreign_socket(box):
    """As one that another user has put there, where the directory for connections is not one's own."""
    box.playbook(RAW)
    (forwarded,) = box.forwarded()
    forwarded.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(forwarded))
        somebody = subprocess.Popen(
            ["setpriv", "--reuid", "65534", "--clear-groups", "--regid", "65534", "/usr/bin/python3", "-c", LISTEN],
            stdin=listener.fileno(), stdout=subprocess.PIPE,
        )  # fmt: skip
        assert somebody.stdout.readline() == b"listens\n"
        box.playbook(RAW)
        somebody.kill()
        heard, _ = somebody.communicate()
    # Two have looked who listens: the task, and, after it, whoever would have it forwarded.
    assert set(heard.splitlines()) == {b"b''"}
