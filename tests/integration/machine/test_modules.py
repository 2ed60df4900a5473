"""Modules of ansible-core that need the rights of a machine, over both ways of the connection."""

import image_cache
import pytest
from controller import Controller

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
PLAYBOOK = """
- name: host name
  ansible.builtin.hostname: {name: renamed.example}
- ansible.builtin.hostname: {name: renamed.example}
  register: again
- ansible.builtin.setup: {gather_subset: [min]}
- ansible.builtin.assert: {that: [again is not changed, ansible_facts.hostname == 'renamed']}

- name: firewall
  ansible.builtin.iptables: {chain: INPUT, protocol: tcp, destination_port: "8080", jump: DROP, comment: ours}
- ansible.builtin.iptables: {chain: INPUT, protocol: tcp, destination_port: "8080", jump: DROP, comment: ours}
  register: again
- ansible.builtin.assert: {that: [again is not changed]}
- ansible.builtin.shell: |
    nft add table inet own && nft add chain inet own in '{ type filter hook input priority 0; policy accept; }'
    nft list ruleset | grep -c 'table'
  register: tables

- name: mounts and kernel settings, as ansible.posix.mount and sysctl do
  ansible.builtin.shell: |
    set -e
    echo 'tmpfs /srv/memory tmpfs size=1m 0 0' >> /etc/fstab
    mkdir -p /srv/memory /srv/bound && mount /srv/memory && mount --bind /etc /srv/bound
    mountpoint /srv/memory && [ -e /srv/bound/passwd ] && umount /srv/bound
    echo 'net.core.somaxconn = 99' > /etc/sysctl.d/own.conf && sysctl -p /etc/sysctl.d/own.conf
    [ "$(cat /proc/sys/net/core/somaxconn)" = 99 ]

- name: users, and units of their own
  ansible.builtin.group: {name: team}
- ansible.builtin.user: {name: app, groups: [team], shell: /bin/bash}
- ansible.builtin.command: loginctl enable-linger app
- ansible.builtin.wait_for: {path: /run/user/1000/systemd/private}
- ansible.builtin.copy:
    content: "[Service]\\nExecStart=/bin/sleep infinity\\n"
    dest: /etc/systemd/user/own.service
    mode: "0644"
- ansible.builtin.systemd_service: {name: own, scope: user, state: started, daemon_reload: true}
  become: true
  become_user: app
  environment: {XDG_RUNTIME_DIR: /run/user/1000}
- ansible.builtin.command: sudo -n -u app id -un
  register: who
- ansible.builtin.assert: {that: [who.stdout == 'app']}
- ansible.builtin.command: su - app -c pwd
  register: home
- ansible.builtin.assert: {that: [home.stdout == '/home/app']}

- name: asynchronous, and facts
  ansible.builtin.command: sleep 1
  async: 30
  poll: 0
  register: job
- ansible.builtin.async_status: {jid: "{{ job.ansible_job_id }}"}
  register: ended
  until: ended.finished
  retries: 30
  delay: 1
- ansible.builtin.service_facts:
- ansible.builtin.package_facts:
- ansible.builtin.assert:
    that:
      - ansible_facts.services['ssh.service'].state == 'running'
      - "'systemd' in ansible_facts.packages"

- name: all of it is there after a reboot
  ansible.builtin.reboot:
- ansible.builtin.wait_for_connection:
- ansible.builtin.shell: |
    mountpoint /srv/memory && hostname && cat /proc/sys/net/core/somaxconn
    systemctl is-system-running --wait
  register: after
- ansible.builtin.assert:
    that:
      - after.stdout_lines[1:] == ['renamed.example', '99', 'running']
"""


@pytest.mark.parametrize("way", [pytest.param("local", marks=pytest.mark.long), "ssh"])
def test_modules_that_need_a_machine(bare_host, tmp_path, way):
    host = bare_host
    image_cache.mount_image(host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    host.module("conductor_container", name="box", image="debian", init=True, network={}, wait=BOOTED)
    controller = Controller(tmp_path)
    controller.add("box", **({"ansible_user": "root", **controller.let_in(host)} if way == "ssh" else {}))
    printed = controller.playbook(PLAYBOOK, on=host if way == "local" else None, gather_facts=True)
    assert "failed=0" in printed
