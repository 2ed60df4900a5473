"""Bytes that are not UTF-8: Ansible refuses a whole result that has one, so that no result has."""

import pytest
from controller import Controller
from testhost import PYTHON

TASKS = r"""
- conductor.containers.conductor_container_info:
  register: found
- ansible.builtin.assert:
    that: found.containers[0].env.A == "a\uFFFD"
- conductor.containers.conductor_exec:
    container: box
    argv: [printf, 'a\377b\n']
  register: done
- ansible.builtin.assert:
    that:
      - done.stdout == "a\uFFFDb" and done.stdout_lines == ["a\uFFFDb"]
      - done.changed and done.rc == 0
- name: Cut within a character
  conductor.containers.conductor_exec:
    container: box
    argv: [printf, "a\u00E9b"]
    output_limit: "2"
  register: done
- ansible.builtin.assert:
    that: done.stdout == "a\uFFFD" and done.stdout_truncated
"""
TOLD = "bytes that are not UTF-8 are shown as \ufffd"


@pytest.mark.core
def test_bytes_of_a_container_hurt_no_task(host, command, tmp_path):
    # From a shell of another encoding.
    command("run", "debian", "box", "-d", "-e", "A=a\udcff", "--", "sleep", "infinity")
    controller = Controller(tmp_path)
    controller.add_host("alpha", host, ansible_python_interpreter=PYTHON)
    try:
        printed = controller.playbook(TASKS, hosts="alpha")
    finally:
        controller.leave(host)
    assert f"stdout: {TOLD}" in printed and f"containers[0].env.A: {TOLD}" in printed
