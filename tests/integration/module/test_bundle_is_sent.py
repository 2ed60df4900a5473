"""A module runs from the bundle on the managed host. The action plugin sends the bundle if it is missing there."""

import pytest
from controller import Controller
from snapshot import difference, take
from testhost import PYTHON

LIBRARY = "/var/lib/conductor/lib"
LIST = {"conductor.containers.conductor_image_info": {}, "register": "found"}
DONE = {"ansible.builtin.assert": {"that": "found.images == []"}}


@pytest.fixture
def alpha(bare_host, tmp_path):
    """A controller with a managed host that nothing of ours has been on, reached by ssh as root."""
    controller = Controller(tmp_path)
    controller.add_host("alpha", bare_host, ansible_python_interpreter=PYTHON)
    yield controller
    controller.leave(bare_host)


def bundles(host) -> list[str]:
    """Directories of bundles on the host."""
    return host.run("find", LIBRARY, "-mindepth", "1", "-maxdepth", "1", "-type", "d", check=False).stdout.split()


@pytest.mark.core
def test_bundle_is_sent_once(alpha, bare_host):
    assert alpha.playbook(LIST, DONE, options=["-vvv"]).count("bundle.zip") > 0
    (bundle,) = bundles(bare_host)
    bare_host.run("test", "-e", f"{bundle}/conductor/_image/__pycache__")
    assert "bundle.zip" not in alpha.playbook(LIST, DONE, options=["-vvv"])
    assert bundles(bare_host) == [bundle]


@pytest.mark.core
def test_check_mode_on_a_new_host_leaves_nothing(alpha, bare_host):
    before = take(bare_host)
    create = {"name": "web", "image": "none", "state": "present"}
    printed = alpha.playbook({"conductor.containers.conductor_container": create}, LIST, DONE, options=["--check"])
    assert "image none does not exist" in printed and "changed=1" in printed
    assert bare_host.run("find", LIBRARY, check=False).stdout == ""
    assert [line for line in difference(before, take(bare_host)) if "sshd" not in line] == []


@pytest.mark.core
def test_async_task_has_the_bundle(alpha, bare_host):
    alpha.playbook({**LIST, "async": 60, "poll": 1}, DONE)
    assert len(bundles(bare_host)) == 1
    wait = {"ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "found",
            "until": "found.finished", "delay": 1, "retries": 60}  # fmt: skip
    alpha.playbook({**LIST, "async": 60, "poll": 0, "register": "job"}, wait, DONE)
    bare_host.run("rm", "-r", "/root/.ansible_async")


@pytest.mark.core
def test_check_mode_of_an_async_task_on_a_new_host_leaves_nothing(alpha, bare_host):
    create = {"name": "web", "image": "none", "state": "present"}
    task = {"conductor.containers.conductor_container": create, "async": 60, "poll": 1}
    printed = alpha.playbook(task, options=["--check"])
    assert "image none does not exist" in printed and "changed=1" in printed
    assert bare_host.run("find", LIBRARY, check=False).stdout == ""
    bare_host.run("rm", "-r", "/root/.ansible_async")


def test_concurrent_tasks_install_one_bundle(alpha, bare_host):
    alpha.inventory["again"] = dict(alpha.inventory["alpha"])
    assert alpha.playbook(LIST, DONE).count("failed=0") == 2
    assert len(bundles(bare_host)) == 1


def test_without_root_nothing_is_sent(bare_host, tmp_path):
    controller = Controller(tmp_path)
    # PYTHON may be below /root, where nobody cannot execute it.
    local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    controller.inventory["alpha"] = {**local, "ansible_remote_tmp": "/tmp/ansible-nobody"}
    printed = controller.playbook(
        {**LIST, "become": True, "become_user": "nobody"},
        on=bare_host, check=False, options=["-vvv"],
    )  # fmt: skip
    assert "needs root on the managed host. Set become: true" in printed and "bundle.zip" not in printed
    assert bundles(bare_host) == []


def test_a_damaged_bundle_is_named(alpha, bare_host):
    alpha.playbook(LIST, DONE)
    (bundle,) = bundles(bare_host)
    bare_host.run("rm", "-r", f"{bundle}/conductor/_image")
    printed = alpha.playbook(LIST, check=False)
    assert f"{bundle} is damaged" in printed and "Delete that directory" in printed and "Traceback" not in printed
    bare_host.run("rm", "-r", bundle)
    alpha.playbook(LIST, DONE)
