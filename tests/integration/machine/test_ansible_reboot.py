"""ansible.builtin.reboot with its defaults restarts a container, over both ways of the connection."""

import pytest
from controller import Controller

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
PLAYBOOK = """
- ansible.builtin.command: cat /proc/sys/kernel/random/boot_id
  register: before
- ansible.builtin.reboot:
  register: rebooted
- ansible.builtin.command: cat /proc/sys/kernel/random/boot_id
  register: after
- ansible.builtin.assert:
    that: [rebooted.rebooted, before.stdout != after.stdout]
"""


@pytest.mark.parametrize("way", ["local", "ssh"])
def test_reboot_with_its_defaults(host, tmp_path, way):
    host.module("conductor_container", name="box", image="debian", init=True, wait=BOOTED)
    controller = Controller(tmp_path)
    controller.add("box", **({"ansible_user": "root", **controller.let_in(host)} if way == "ssh" else {}))
    printed = controller.playbook(PLAYBOOK, on=host if way == "local" else None, gather_facts=True)
    assert "failed=0" in printed
    if way == "ssh":
        controller.leave(host)
