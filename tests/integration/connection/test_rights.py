"""Permissions to enter a container: unprivileged login users, users inside, and passwords for both."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client as stream
from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import Client
from controller import Controller
from image_cache import mount_image
from testhost import PYTHON

SLEEP = ["/bin/sleep", "infinity"]
RAW = "[{ansible.builtin.raw: 'true'}]"
# As on a host on which no module has run.
NO_BUNDLE = "rm -r /var/lib/conductor/lib/[0-9a-f]*[0-9a-f]"
WHO = """
- ansible.builtin.command: whoami
  register: who
- ansible.builtin.copy: {content: "{{ who.stdout }}", dest: "/tmp/of-{{ who.stdout }}", mode: "0600"}
- ansible.builtin.debug: {var: who.stdout}
"""
# Inside is no sudo, so this stands for it: it asks for a password as sudo -S does, and is whoever it shall be.
SUDO = """#!/bin/sh
prompt=
while [ $# -gt 0 ]; do
  case $1 in
    -p) prompt=$2; shift 2 ;;
    -u) user=$2; shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
if [ ! -e /nopasswd ]; then
  printf %s "$prompt" >&2
  read -r given
  [ "$given" = 'in side' ] || { echo 'Sorry, try again.' >&2; exit 1; }
fi
exec setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
"""


@pytest.fixture
def host(bare_host, cached_image):
    """A host with the image `debian`, without the check for what is left: its users and sudo's rules are changed."""
    mount_image(bare_host, cached_image)
    # sudo looks it up, and there is nobody to ask.
    bare_host.run("sh", "-c", "echo 127.0.1.1 testhost >> /etc/hosts")
    yield bare_host
    bare_host.module("conductor_container", name="box", state="absent", force=True)


@pytest.fixture
def box(host, tmp_path):
    """The container `box` of a host that lets its user `deploy` in, who may become root if sudo says so."""
    controller = Controller(tmp_path)
    managed = controller.let_in(host)
    host.run("useradd", "--create-home", "--home-dir", "/run/deploy", "--shell", "/bin/sh", "deploy")
    host.run("chpasswd", stdin="deploy:out side\n")
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    controller.add("box", ansible_user="deploy", **managed)
    controller.variables = controller.inventory["box"]
    return controller


def allow(host, how="NOPASSWD:"):
    host.run("tee", "/etc/sudoers.d/deploy", stdin=f"deploy ALL=(ALL) {how} ALL\n")


def put_sudo_inside(host):
    script = "cat > /usr/bin/sudo; chmod 755 /usr/bin/sudo"
    host.module("conductor_exec", container="box", argv=["/bin/sh", "-ec", script], stdin=SUDO)


def test_entering_requires_root(box):
    printed = box.playbook(WHO, check=False)
    assert "container box on test-" in printed and "requires root on the host" in printed
    assert "unreachable=1" in printed


@pytest.mark.core
@pytest.mark.parametrize("told", ["by a keyword", "by variables"])
def test_a_target_that_a_play_adds_is_reached_as_root_like_its_host(host, box, told):
    ssh = {name.replace("conductor_host", "ansible_host"): value for name, value in box.variables.items()}
    managed = {**ssh, "ansible_connection": "ssh"}
    if told == "by variables":
        managed |= {"ansible_become": True, "ansible_become_password": "out side"}
    allow(host, "NOPASSWD:" if told == "by a keyword" else "")
    box.inventory = {"alpha": managed}
    printed = box.playbook(
        """
- conductor.containers.conductor_target: {container: box}
- ansible.builtin.command: sh -c 'whoami; cat /etc/hostname'
  delegate_to: box.alpha
  register: who
- ansible.builtin.assert: {that: 'who.stdout_lines == ["root", "box"]'}
""",
        options=["-vvv"],
        **({"become": True} if told == "by a keyword" else {}),
    )
    assert "out side" not in printed


def test_root_by_sudo_on_the_host(host, box):
    allow(host)
    box.variables["conductor_host_become"] = True
    assert "who.stdout: root" in box.playbook(WHO)


@pytest.mark.parametrize("how", ["NOPASSWD:", ""])
def test_become_runs_once_per_run(host, box, how):
    allow(host, how)
    box.variables.update(conductor_host_become=True, conductor_host_become_password="out side")
    host.run("sh", "-c", NO_BUNDLE)
    assert box.commands_on_the_host(RAW) > 3
    log = box.ssh_log()
    more = f"{RAW[:-1]}, {{ansible.builtin.ping: }}, {{ansible.builtin.setup: }}]"
    # The task itself, who logs in, and root who admits them.
    assert box.commands_on_the_host(RAW) == box.commands_on_the_host(more) == 3
    # What an earlier run has opened is of use.
    assert "-O forward" not in log.read_text()
    (forwarded,) = box.forwarded()
    assert forwarded.is_socket() and forwarded.stat().st_mode & 0o077 == 0


def test_secret_is_not_kept_after_a_run(host, box):
    allow(host)
    box.variables["conductor_host_become"] = True
    box.playbook(RAW)
    (path,) = box.forwarded()
    assert stream.accepts_requests(str(path)) is False
    kept = host.run("sh", "-c", "cat /run/conductor/entry/*-[0-9]*").stdout
    assert len(kept) == 64
    for file in box.directory.rglob("*"):
        assert not file.is_file() or kept not in file.read_text(errors="replace"), file


def test_secret_is_not_printed(host, box):
    allow(host)
    box.variables["conductor_host_become"] = True
    printed = box.playbook(RAW, options=["-vvvvv"])
    assert "stdout and stderr censored" in printed
    assert host.run("sh", "-c", "cat /run/conductor/entry/*-[0-9]*").stdout not in printed


def test_output_of_a_login_shell_is_ignored(host, box):
    allow(host)
    says = 'ForceCommand echo welcome, 7 and 8; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    host.run("tee", "-a", "/run/ssh/sshd_config", stdin=f"{says}\n")
    box.variables["conductor_host_become"] = True
    box.playbook(RAW)
    assert len(box.forwarded()) == 1


def test_become_runs_for_each_task_without_forwarding(host, box):
    allow(host)
    host.run("sh", "-c", "echo AllowStreamLocalForwarding no >> /run/ssh/sshd_config")
    box.variables["conductor_host_become"] = True
    box.playbook(RAW)
    log = box.ssh_log()
    assert box.commands_on_the_host(f"{RAW[:-1]}, {RAW[1:-1]}, {RAW[1:-1]}]") == 5
    assert log.read_text().count("-O forward") == 1
    assert box.forwarded() == []


def test_new_agent_admits_the_user_again(host, box):
    allow(host)
    box.variables["conductor_host_become"] = True
    kill = {"ansible.builtin.command": "pkill -9 -f 'lib/[0-9a-f]* serve'", "delegate_to": "of-the-host"}
    box.add_host("of-the-host", host)
    box.inventory["of-the-host"] |= {"ansible_python_interpreter": PYTHON}
    assert "who.stdout: root" in box.playbook(RAW, kill, WHO, hosts="box")


def test_an_unprivileged_user_enters_containers_of_the_machine_itself(host, box):
    allow(host)
    # In a directory that the user can get to.
    with tempfile.TemporaryDirectory() as directory:
        box.directory = Path(directory)
        box.inventory.clear()
        box.add("box", conductor_host_become=True)
        subprocess.run(["chown", host.run("id", "-u", "deploy").stdout.strip(), directory], check=True)
        host.run("sh", "-c", NO_BUNDLE)
        printed = box.playbook(RAW, WHO, on=host.user("deploy"), options=["-vvv"])
        assert "who.stdout: root" in printed
        # The task itself with the bundle for it, who that user is, and root who admits them.
        assert printed.count("> EXEC ") == 5


def test_root_by_sudo_with_a_password_on_the_host(host, box):
    allow(host, "")
    box.variables.update(conductor_host_become=True, conductor_host_become_password="out side")
    assert "who.stdout: root" in box.playbook(WHO)
    box.variables["conductor_host_become_password"] = "wrong"
    printed = box.playbook(WHO, check=False)
    assert "Incorrect sudo password" in printed and "failed=1" in printed


@pytest.mark.core
@pytest.mark.parametrize("asked", [True, False])
def test_passwords_of_host_and_container_are_separate(host, box, asked):
    """Inside it is sent whether it is asked for or not: then it must not be taken for the data."""
    allow(host, "")
    put_sudo_inside(host)
    if not asked:
        host.module("conductor_exec", container="box", argv=["/bin/touch", "/nopasswd"])
    box.variables.update(conductor_host_become=True, conductor_host_become_password="out side")
    printed = box.playbook(WHO, become=True, become_user="www-data", vars={"ansible_become_password": "in side"})
    assert "who.stdout: www-data" in printed
    assert "out side" not in printed and "in side" not in printed


def test_ask_become_pass_is_the_password_inside(host, box, tmp_path):
    allow(host, "")
    put_sudo_inside(host)
    (tmp_path / "asked").write_text("in side")
    box.variables["conductor_host_become"] = True
    asked = {"options": ["--become-password-file", "asked"], "become": True, "become_user": "www-data"}
    assert "Missing sudo password" in box.playbook(WHO, check=False, **asked)
    box.variables["conductor_host_become_password"] = "out side"
    assert "who.stdout: www-data" in box.playbook(WHO, **asked)


def test_wrong_password_inside_is_reported(host, box):
    allow(host)
    put_sudo_inside(host)
    box.variables["conductor_host_become"] = True
    wrong = {"ansible_become_password": "wrong"}
    printed = box.playbook(WHO, check=False, become=True, become_user="www-data", vars=wrong)
    assert "Incorrect sudo password" in printed


def test_only_pipes_are_passed_to_a_command(host, box):
    """A file or a directory of the host's would be a way out, and its terminal a way to type on it."""
    allow(host)
    box.variables["conductor_host_become"] = True
    box.playbook(WHO)
    client = Client(["own", *stream.command_request("box", "root", "ls -l /proc/self/fd")], "/usr/bin/python3").command
    for given in ("< /", "< /etc/passwd", "< /dev/null", "> /run/output"):
        told = host.run("sh", "-c", f"{{ {client} {given}; }} 2>&1 | cat", check=False).stdout
        assert "standard input, output and error must be pipes" in told, given


def test_socket_of_the_agent_is_private_to_root(host, box):
    allow(host)
    box.variables["conductor_host_become"] = True
    box.playbook(WHO)
    socket = host.run("find", "/run/conductor/entry", "-type", "s").stdout.strip()
    as_deploy = ["setpriv", "--reuid", "deploy", "--regid", "deploy", "--clear-groups"]
    assert host.run(*as_deploy, "test", "-e", socket, check=False).returncode
    # The directory is not all that keeps others out.
    host.run("chmod", "755", "/run/conductor", "/run/conductor/entry")
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect({socket!r})"
    refused = host.run(*as_deploy, "python3", "-c", connect, check=False)
    host.run("chmod", "700", "/run/conductor/entry")
    assert "PermissionError" in refused.stderr


@pytest.mark.parametrize("options", [["--check"], []])
def test_no_copy_of_a_directory_is_left_for_a_login_user(host, box, options):
    """A directory of root's below a directory of one's own is nothing that a user can remove."""
    allow(host)
    (box.directory / "site").mkdir()
    (box.directory / "site/key").write_text("secret\n")
    box.inventory.clear()
    box.add_host("target", host, ansible_user="deploy", ansible_python_interpreter=PYTHON)
    copy = "[{conductor.containers.conductor_copy: {container: box, src: site, dest: /srv}}]"
    printed = box.playbook(copy, options=options, become=True)
    assert "changed=1" in printed
    assert "Error deleting remote temporary files" not in printed
    assert host.run("ls", "/run/deploy/.ansible/tmp").stdout == ""
