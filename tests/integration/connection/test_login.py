"""Tasks have the environment of a login by ssh."""

import pytest
from controller import Controller

ENVIRONMENT = """\
# a comment
export EDITOR='vi -e'
TZ="Europe/Berlin"
PLAIN=a=b
HOME_IS = $HOME
1 BAD=x
"""
USERS = "useradd -m -s /bin/bash worker; useradd -M -d /nowhere homeless; cat > /etc/environment"


@pytest.fixture
def controller(host, tmp_path):
    """A controller on the host of container box, which has some users."""
    host.module("conductor_container", name="box", image="debian", command=["/bin/sleep", "infinity"], env={"OWN": "1"})
    inside(host, USERS, stdin=ENVIRONMENT)
    return Controller(tmp_path)


@pytest.fixture
def environment(host, controller):
    """A function that returns the working directory and the variables of a task of a user in container box."""

    def look(user):
        controller.add("box", conductor_user=user)
        controller.playbook("[{ansible.builtin.raw: '{ pwd; env; } > /tmp/look'}]", on=host)
        directory, *lines = inside(host, "cat /tmp/look; rm /tmp/look").splitlines()
        return directory, dict(line.split("=", 1) for line in lines)

    return look


def inside(host, script, **options):
    return host.module("conductor_exec", container="box", argv=["/bin/sh", "-c", script], **options)["stdout"]


def test_variables_and_directory_are_those_of_the_user(environment):
    directory, found = environment("worker")
    assert directory == "/home/worker" == found["HOME"] and found["SHELL"] == "/bin/bash"
    assert found["USER"] == found["LOGNAME"] == "worker"
    directory, found = environment("root")
    assert (directory, found["HOME"], found["USER"]) == ("/root", "/root", "root")


@pytest.mark.core
@pytest.mark.parametrize("number", [True, False])
def test_temporary_directories_are_in_the_home_of_a_user_in_any_form(host, controller, number):
    user = f"{inside(host, 'id -u worker') if number else 'worker'}:adm"
    controller.add("box", conductor_user=user)
    controller.playbook("[{ansible.builtin.copy: {content: text, dest: ~/file}}]", on=host)
    look = "cd /home/worker; stat -c '%U %G' file; ls -d .ansible/tmp; find / . -maxdepth 1 -name '~*'"
    assert inside(host, look).splitlines() == ["worker adm", ".ansible/tmp"]


def test_user_without_home_directory_is_in_the_root(host, environment):
    directory, found = environment("homeless")
    assert (directory, found["HOME"], found["USER"]) == ("/", "/nowhere", "homeless")
    directory, found = environment("4711")
    assert (directory, found["USER"]) == ("/", "4711")
    groups = host.module("conductor_exec", container="box", argv=["id", "-G"], user="4711")["stdout"]
    assert groups == "0", "none of those without members"


def test_system_wide_variables_and_those_of_the_container(environment):
    _, found = environment("worker")
    assert {name: found.get(name) for name in ("EDITOR", "TZ", "PLAIN", "HOME_IS", "OWN")} == {
        "EDITOR": "vi -e",
        "TZ": "Europe/Berlin",
        "PLAIN": "a=b",
        "HOME_IS": "$HOME",
        "OWN": "1",
    }
    assert "1 BAD" not in found


@pytest.mark.parametrize(
    "trap",
    [
        "rm /etc/environment; mkfifo /etc/environment",
        "truncate -s 1T /etc/environment",
        "ln -sf /proc/kmsg /etc/environment",
    ],
)
def test_bad_file_of_variables_keeps_no_task_from_running(host, environment, trap):
    inside(host, trap)
    _, found = environment("worker")
    assert found["USER"] == "worker"
