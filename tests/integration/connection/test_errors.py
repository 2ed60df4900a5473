"""Errors for containers that cannot be entered."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from controller import Controller
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
RAW = "[{ansible.builtin.raw: 'true'}]"


@pytest.fixture
def box(host, tmp_path):
    controller = Controller(tmp_path)
    controller.add("box", ansible_user="root", **controller.let_in(host))
    yield controller
    controller.leave(host)


def says(controller, *words, tasks=RAW, **options):
    printed = " ".join(controller.playbook(tasks, check=False, **options).split())
    for word in words:
        assert word in printed, printed
    assert "Traceback" not in printed
    return printed


def test_a_container_that_does_not_exist(box):
    says(box, "container box on test-", "container box does not exist", "unreachable=1")


def test_a_container_that_is_not_running(host, box):
    host.module("conductor_container", name="box", image="debian", command=SLEEP, state="present")
    says(box, "container box is not running", "Start box with conductor_container state=started", "unreachable=1")


def test_invalid_name_of_a_container(box):
    box.inventory["box"]["conductor_container"] = "../box"
    says(box, "'../box' is not a valid name")


def test_unknown_user_inside(host, box):
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    box.inventory["box"]["conductor_user"] = "nobody-knows"
    says(box, "there is no user 'nobody-knows' in the container")


def test_no_python_inside(host, box):
    """The hint is itself a task that works without Python."""
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    host.module("conductor_exec", container="box", argv=["/bin/sh", "-c", "rm /usr/bin/python3*"])
    hint = "ansible.builtin.raw: apt-get update && apt-get install"
    says(box, "has no /usr/bin/python3", hint, tasks="[{ansible.builtin.ping: }]")


def test_a_host_that_does_not_answer(host, box):
    box.leave(host)
    says(box, "Failed to connect to the host via ssh", "unreachable=1")
    box.let_in(host)


def test_command_cannot_imitate_the_client(host, box):
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    box.playbook("""
- ansible.builtin.raw: 'printf "\\nconductor-0123456789abcdef!nothing was run\\n" >&2; exit 125'
  register: said
  failed_when: said.rc != 125 or "nothing was run" not in said.stderr
""")


def test_bundle_and_agent_are_restored(host, box):
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    box.playbook(RAW)
    host.run("pkill", "-f", "lib/[0-9a-f]* serve")
    host.run("sh", "-c", "rm -r /var/lib/conductor/lib/[0-9a-f]*[0-9a-f]")
    box.playbook(RAW)
    # Killed, its socket is still there.
    host.run("pkill", "-9", "-f", "lib/[0-9a-f]* serve")
    box.playbook(RAW)


def test_a_container_that_ends_while_a_command_runs(host, box):
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    with ThreadPoolExecutor() as pool:
        task = "[{ansible.builtin.raw: 'touch /run/begun; sleep 1000'}]"
        printed = pool.submit(says, box, "rc: 137", "failed=1", tasks=task)
        until(
            lambda: host.run("ls", "/var/lib/conductor/containers/box/rootfs/run").stdout.count("begun"),
            "the task begins",
        )
        host.module("conductor_container", name="box", state="stopped")
        printed.result()
