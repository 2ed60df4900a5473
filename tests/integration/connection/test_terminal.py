"""Become methods that require a terminal, such as machinectl, get one of the container."""

import pytest
from controller import Controller

# It becomes nobody, but asks what it runs on.
PLUGIN = '''
from ansible.plugins.become import BecomeBase
DOCUMENTATION = """
name: terminal
short_description: requires a terminal
description: requires a terminal
author: nobody
options:
  become_user: {default: root, description: user, vars: [{name: ansible_become_user}]}
  become_exe: {default: "", description: program, vars: [{name: ansible_become_exe}]}
  become_flags: {default: "", description: flags, vars: [{name: ansible_become_flags}]}
  become_pass: {description: password, vars: [{name: ansible_become_password}]}
"""
class BecomeModule(BecomeBase):
    name = "terminal"
    require_tty = True
    pipelining = False
    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        return "test -t 0 && test -t 1 && " + self._build_success_command(cmd, shell) if cmd else cmd
'''
TASKS = """
- ansible.builtin.command: sh -c 'echo it; echo "is here"; exit 3'
  become: true
  become_method: terminal
  register: command
  failed_when: command.rc != 3
- ansible.builtin.assert: {that: ["command.stdout_lines == ['it', 'is here']"]}
- ansible.builtin.raw: tty
  become: true
  become_method: terminal
  register: device
- ansible.builtin.assert: {that: ["device.stdout is search('/dev/pts/')"]}
- ansible.builtin.raw: exit 4
  become: true
  become_method: terminal
  register: status
  failed_when: status.rc != 4
"""


@pytest.mark.parametrize("way", ["local", "ssh"])
def test_command_runs_on_a_terminal_of_the_container(host, tmp_path, way):
    controller = box(host, tmp_path, way)
    printed = controller.playbook(TASKS, on=host if way == "local" else None)
    assert "failed=0" in printed
    if way == "ssh":
        controller.leave(host)


def test_password_at_a_terminal_is_an_error_that_says_what_to_do(host, tmp_path):
    controller = box(host, tmp_path, "local")
    controller.inventory["box"]["ansible_become_password"] = "secret"
    printed = controller.playbook(TASKS, on=host, check=False)
    assert "asks for a password at a terminal" in printed and "use sudo or su" in printed and "secret" not in printed


def box(host, directory, way):
    """Ansible with the container `box` as its target, and the become plugin."""
    host.module("conductor_container", name="box", image="debian", command=["/bin/sleep", "infinity"])
    controller = Controller(directory)
    controller.add("box", **(controller.let_in(host) if way == "ssh" else {}))
    (directory / "become_plugins").mkdir()
    (directory / "become_plugins/terminal.py").write_text(PLUGIN)
    return controller
