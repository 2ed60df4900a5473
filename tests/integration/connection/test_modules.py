"""Modules of ansible-core in a booted Debian, in one long playbook, on the controller and over ssh."""

import image_cache
import pytest
from controller import Controller

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
UNIT = """
[Service]
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv/www 8000
User=app
"""
PLAYBOOK = """
- name: apt, from an archive that the image has with it
  ansible.builtin.shell: |
    rm -f /etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/debs ./' > /etc/apt/sources.list
- ansible.builtin.raw: apt-get update && apt-get install --yes python3-apt
- ansible.builtin.apt: {name: [sudo, cron, git, nginx], install_recommends: false, update_cache: true}
- ansible.builtin.apt: {name: [sudo, cron, git, nginx], install_recommends: false}
  register: again
- ansible.builtin.assert: {that: [again is not changed]}

- name: users, files, templates
  ansible.builtin.user: {name: app, uid: 1500, shell: /bin/bash, groups: [www-data]}
- ansible.builtin.file: {path: /srv/www, state: directory, owner: app, group: www-data, mode: "0750"}
- ansible.builtin.template: {src: page.j2, dest: /srv/www/index.html, owner: app, mode: "0640"}
- ansible.builtin.copy: {src: unit, dest: /etc/systemd/system/app.service, mode: "0644"}
- ansible.builtin.lineinfile: {path: /etc/environment, line: "FROM=conductor"}
- ansible.builtin.stat: {path: /srv/www/index.html}
  register: page
- ansible.builtin.assert:
    that: [page.stat.pw_name == "app", page.stat.mode == "0640"]

- name: services, by systemd and by service
  ansible.builtin.systemd: {name: app, state: started, enabled: true, daemon_reload: true}
- ansible.builtin.uri: {url: "http://127.0.0.1:8000/", return_content: true}
  register: answer
  retries: 50
  delay: 0.2
  until: answer is not failed
- ansible.builtin.assert: {that: ["answer.content == 'served by box as app'"]}
- ansible.builtin.service: {name: nginx, state: restarted}
- ansible.builtin.service_facts:
- ansible.builtin.assert: {that: ["ansible_facts.services['app.service'].state == 'running'"]}

- name: become another user by sudo
  ansible.builtin.command: whoami
  become: true
  become_user: app
  register: who
- ansible.builtin.assert: {that: [who.stdout == "app"]}
- ansible.builtin.copy: {content: "of app", dest: /home/app/note, mode: "0600"}
  become: true
  become_user: app
- ansible.builtin.stat: {path: /home/app/note}
  register: note
- ansible.builtin.assert: {that: [note.stat.pw_name == "app", note.stat.size == 6]}

- name: cron and git
  ansible.builtin.cron: {name: job, minute: "5", job: /bin/true, user: app}
- ansible.builtin.command: crontab -l -u app
  register: jobs
- ansible.builtin.assert: {that: ["'5 * * * * /bin/true' in jobs.stdout"]}
- ansible.builtin.shell: |
    git init --quiet /srv/origin && cd /srv/origin && echo text > file && git add file
    git -c user.name=a -c user.email=a@b commit --quiet --message first
- ansible.builtin.git: {repo: /srv/origin, dest: /srv/clone, version: HEAD}
- ansible.builtin.command: cat /srv/clone/file
  register: cloned
- ansible.builtin.assert: {that: [cloned.stdout == "text"]}
"""


@pytest.fixture
def host(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.ARCHIVE_RECIPE))
    bare_host.module("conductor_container", name="box", image="debian", init=True, wait=BOOTED)
    yield bare_host
    bare_host.module("conductor_container", name="box", state="absent")


# By ssh a shorter one runs in tests/integration/machine/test_modules.py.
@pytest.mark.parametrize("way", ["local", pytest.param("ssh", marks=pytest.mark.long)])
def test_one_long_playbook(host, tmp_path, way):
    controller = Controller(tmp_path)
    (tmp_path / "page.j2").write_text("served by {{ ansible_facts.hostname }} as app")
    (tmp_path / "unit").write_text(UNIT)
    controller.add("box", **({"ansible_user": "root", **controller.let_in(host)} if way == "ssh" else {}))
    printed = controller.playbook(PLAYBOOK, on=host if way == "local" else None, gather_facts=True)
    assert "failed=0" in printed
