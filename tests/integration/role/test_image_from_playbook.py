"""Role image_from_playbook: a user's roles, applied to a container of a base image."""

import re

import pytest
from controller import Controller
from small_image import info
from testhost import PYTHON

# With a handler, a template, a dependency, a role that it includes, facts, a package's maintainer scripts' policy.
ROLES = {
    "site/tasks/main.yml": """
- ansible.builtin.template: {src: site.j2, dest: /etc/site, mode: "0644"}
  notify: Restart the site
- ansible.builtin.include_role: {name: extra}
- ansible.builtin.command: whoami
  delegate_to: localhost
  connection: local
- ansible.builtin.command: test ! -e /etc/site.restarted
- ansible.builtin.command: /usr/sbin/policy-rc.d
  register: policy
  failed_when: policy.rc != 101
- ansible.builtin.file: {path: /etc/debian_version, state: absent}
- ansible.builtin.command: whoami
  become: true
  register: who
  failed_when: who.stdout != "root"
""",
    "site/templates/site.j2": "{{ greeting }} from {{ ansible_facts.hostname }} for {{ inventory_hostname }}\n",
    "site/handlers/main.yml": """
- name: Restart the site
  ansible.builtin.copy: {content: "yes", dest: /etc/site.restarted, mode: "0644"}
""",
    "site/meta/main.yml": "dependencies: [below]\n",
    "below/tasks/main.yml": "- ansible.builtin.copy: {content: below, dest: /etc/below, mode: '0644'}\n",
    "extra/tasks/main.yml": "- ansible.builtin.copy: {content: extra, dest: /etc/extra, mode: '0644'}\n",
}
PLAY = """
- ansible.builtin.include_role: {name: conductor.containers.image_from_playbook}
  vars:
    conductor_image_from_playbook_name: site
    conductor_image_from_playbook_base: debian
    conductor_image_from_playbook_roles: [site]
    conductor_image_from_playbook_values: ["{{ greeting }}"]
    conductor_image_from_playbook_network: {}
"""


@pytest.fixture
def controller(host, tmp_path):
    """A controller with the roles, and the managed host `alpha`."""
    controller = Controller(tmp_path)
    controller.add_host("alpha", host, ansible_python_interpreter=PYTHON, conductor_host_python=PYTHON)
    for path, text in ROLES.items():
        file = tmp_path / "roles" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    yield controller
    controller.leave(host)
    for name in host.run("ls", "/var/lib/conductor/containers", check=False).stdout.split():
        host.module("conductor_container", name=name, state="absent")
    host.module("conductor_image", name="site", state="absent")
    host.run("rm", "-rf", "/var/lib/conductor/images/.logs")


def make(controller, *more, check=True, options=(), on=None, greeting="hello", **play):
    return controller.playbook(
        PLAY, *more, hosts="alpha", vars={"greeting": greeting}, check=check, options=options, on=on, **play
    )


def changed(printed):
    return int(re.search(r"^alpha .*changed=(\d+)", printed, re.M)[1])


def read(host, *paths):
    host.module("conductor_container", name="look", image="site", command=["/bin/sleep", "infinity"])
    found = host.module("conductor_exec", container="look", argv=["/bin/cat", *paths])["stdout"]
    host.module("conductor_container", name="look", state="absent")
    return found


def test_roles_make_an_image_once(host, controller):
    before = info(host)
    foretold = make(controller, options=["--check"])
    assert changed(foretold) == 1 and "would be made on debian by site: image site" in foretold
    assert info(host) == before
    printed = make(controller, "[{ansible.builtin.debug: {var: ansible_facts.hostname}}]", gather_facts=True)
    assert read(host, "/etc/site", "/etc/site.restarted", "/etc/below", "/etc/extra") == (
        "hello from build-site for alpha\nyesbelowextra"
    )
    assert "ansible_facts.hostname: build-site" not in printed, "the host's own facts are back"
    assert host.module("conductor_container_info")["containers"] == []
    image = {one["name"]: one for one in info(host)}["site"]
    assert image["base"]["name"] == "debian" and image["size"] < 1 << 20
    layer = host.run("find", "/var/lib/conductor/images/site/rootfs", "!", "-type", "d", "-printf", "%P ").stdout
    # What is emptied looks old, so that apt reads its lists anew.
    lists = "/var/lib/conductor/images/site/rootfs/var/lib/apt/lists"
    assert host.run("stat", "-c", "%Y", lists).stdout == "0\n"
    assert ".conductor-target" not in layer
    assert "etc/debian_version" in layer and "policy-rc.d" not in layer and ".ansible" not in layer
    again = make(controller)
    assert changed(again) == 0 and info(host)[1] == image


@pytest.mark.long
def test_image_is_rebuilt_if_inputs_change(host, controller):
    make(controller)
    one = info(host)[1]["id"]
    assert changed(make(controller, greeting="good day", options=["--check"])) == 1
    tasks = "- ansible.builtin.copy: {content: other, dest: /etc/extra, mode: '0644'}\n"
    (controller.directory / "roles/extra/tasks/main.yml").write_text(tasks)
    # In use: nothing of it may change.
    host.module("conductor_container", name="user", image="site", state="present")
    for options in ([], ["--check"]):
        refused = make(controller, check=False, options=options)
        assert "is used by user. Remove these first" in " ".join(refused.split()) and "failed=1" in refused
    host.module("conductor_container", name="user", state="absent")
    assert changed(make(controller)) > 0
    assert info(host)[1]["id"] != one and read(host, "/etc/extra") == "other"
    assert changed(make(controller)) == 0


@pytest.mark.long
def test_failed_role_keeps_the_previous_image(host, controller):
    make(controller)
    before = info(host)
    (controller.directory / "roles/site/tasks/main.yml").write_text("- ansible.builtin.command: cat /nothing\n")
    printed = make(controller, check=False)
    assert "/nothing: No such file" in printed and "failed=1" in printed
    assert info(host) == before and host.module("conductor_container_info")["containers"] == []


def test_foreign_container_of_the_same_name_is_unchanged(host, controller):
    box = {"name": "build-site", "image": "debian", "command": ["/bin/sleep", "infinity"]}
    host.module("conductor_container", **box, env={"KEY": "very secret"})
    pid = host.module("conductor_container_info")["containers"][0]["pid"]
    printed = make(controller, check=False)
    assert "container build-site exists" in printed and "failed=1" in printed and "very secret" not in printed
    assert host.module("conductor_container_info")["containers"][0]["pid"] == pid


def interrupt(host, seconds="infinity"):
    """Leave the container of a run that had applied a part of other roles, with the internet, and ended there."""
    labels, command = {"conductor.makes": "site"}, ["/bin/sleep", seconds]
    host.module("conductor_container", name="build-site", image="debian", labels=labels, command=command)
    host.module("conductor_network", container="build-site", internet=True)
    host.module("conductor_exec", container="build-site", argv=["/bin/touch", "/etc/left"])


@pytest.mark.long
def test_interrupted_run_leaves_nothing_in_the_image_of_the_next(host, controller):
    interrupt(host)
    look = """
- ansible.builtin.raw: cat /etc/left /sys/class/net/eth0/address
  register: left
  failed_when: (left.stdout + left.stderr) | regex_findall("No such file") | length != 2
"""
    with open(controller.directory / "roles/below/tasks/main.yml", "a") as tasks:
        tasks.write(look)
    make(controller)
    assert read(host, "/etc/below") == "below"


@pytest.mark.long
def test_interrupted_run_on_the_controller_is_resumed(host, controller):
    interrupt(host, seconds="1000000")
    controller.inventory["alpha"] = {"ansible_connection": "local", "ansible_python_interpreter": PYTHON}
    # With the network that it has unless told otherwise.
    play = PLAY.replace("    conductor_image_from_playbook_network: {}\n", "")
    printed = controller.playbook(
        play, "[{ansible.builtin.debug: {var: ansible_facts.hostname}}]", hosts="alpha", vars={"greeting": "hello"},
        on=host,
    )  # fmt: skip
    assert read(host, "/etc/below") == "below"
    assert "build-site" not in printed.partition("ansible_facts.hostname")[2], "no facts of the container are left"


@pytest.mark.core
def test_a_container_is_a_target_of_later_plays_and_tasks(host, controller):
    host.module("conductor_container", name="box", image="debian", command=["/bin/sleep", "infinity"])
    play = """
- conductor.containers.conductor_target: {container: box, groups: [boxes]}
  register: added
- ansible.builtin.assert: {that: [added.target == "box.alpha", "'box.alpha' in groups.boxes",
    "'inventory_hostname' not in added.add_host.host_vars"]}
- ansible.builtin.command: cat /etc/hostname
  delegate_to: "{{ added.target }}"
  register: name
- ansible.builtin.assert: {that: name.stdout == "box"}
"""
    controller.playbook(play, hosts="alpha")
    # All that modules of the action group have in common.
    settings = {"image_dir": "/var/lib/conductor/images", "container_dir": "/var/lib/conductor/containers"}
    defaults = [{"group/conductor.containers.conductor": {**settings, "lock_timeout": 300}}]
    controller.playbook(play, hosts="alpha", module_defaults=defaults)
    delegated = {
        "conductor.containers.conductor_target": {"container": "box"},
        "delegate_to": "alpha",
        "register": "it",
    }
    right = {"ansible.builtin.assert": {"that": ["it.target == 'box.alpha'"]}}
    controller.playbook(delegated, right, hosts="localhost")
    for taken in ("alpha", "localhost", "all"):
        task = {"conductor.containers.conductor_target": {"container": "box", "name": taken}}
        assert f"{taken}: already" in " ".join(controller.playbook(task, hosts="alpha", check=False).split())
    for wrong in ("../box", "-x"):
        task = {"conductor.containers.conductor_target": {"container": wrong}}
        # Before ansible-core 2.19 quotes are doubled in what is printed.
        assert "is not a valid name of a container" in " ".join(
            controller.playbook(task, hosts="alpha", check=False).split()
        )
    controller.inventory["alpha"]["ansible_connection"] = "winrm"
    printed = controller.playbook(play, hosts="alpha", check=False)
    assert "alpha: connection winrm cannot reach containers" in " ".join(printed.split())


# Ways to have a task that is delegated to the container run elsewhere: here on the managed host itself.
ELSEWHERE = {
    "keyword": {"connection": "local"},
    "play variable": {"vars": {"greeting": "hello", "ansible_connection": "local"}},
    "role variable": {},
    "extra variable": {"options": ["-e", "ansible_connection=local"]},
    "another container": {"options": ["-e", "conductor_container=other"]},
    "environment": {"environment": {"ANSIBLE_CONNECTION": "local", "ANSIBLE_TRANSPORT": "local"}},
}


MARKS = {
    # With the newest ansible-core by default.
    "extra variable": [pytest.mark.core, pytest.mark.long],
    "keyword": [pytest.mark.core, pytest.mark.long],
    "play variable": pytest.mark.long,
    "role variable": pytest.mark.long,
}


@pytest.fixture
def own_files(host):
    """A host whose own programs and home directory can be written to, and nobody else notices."""
    script = """for name in usr/sbin root var/cache var/lib/apt; do mkdir -p /run/own/$name/upper /run/own/$name/work
mount -t overlay -o lowerdir=/$name,upperdir=/run/own/$name/upper,workdir=/run/own/$name/work overlay /$name; done"""
    host.run("sh", "-euc", script)
    yield host
    host.run("umount", "--lazy", "/usr/sbin", "/root", "/var/cache", "/var/lib/apt")
    host.run("rm", "-r", "/run/own")


@pytest.mark.parametrize("how", [pytest.param(how, marks=MARKS.get(how, ())) for how in ELSEWHERE])
def test_roles_run_only_in_the_container(own_files, controller, how):
    """Whatever the connection of the play is, the roles are applied to the container or not at all."""
    host = own_files
    host.module("conductor_container", name="other", image="debian", command=["/bin/sleep", "infinity"])
    controller.inventory["alpha"] = {"ansible_python_interpreter": PYTHON}
    if how != "keyword":
        controller.inventory["alpha"]["ansible_connection"] = "local"
    marks = ["/etc/site", "/etc/below", "/etc/extra", "/etc/site.restarted", "/usr/sbin/policy-rc.d"]
    host.run("rm", "-f", *marks)
    host.run("touch", "/var/lib/apt/lists/kept")
    if how == "role variable":
        (controller.directory / "roles/below/vars").mkdir()
        (controller.directory / "roles/below/vars/main.yml").write_text("ansible_connection: local\n")
    given = {"vars": {"greeting": "hello"}, **ELSEWHERE[how]}
    printed = controller.playbook(PLAY, hosts="alpha", **given, check=False, on=host)
    for root in ("", "/var/lib/conductor/containers/other/upper"):
        found = [mark for mark in marks if host.run("test", "-e", root + mark, check=False).returncode == 0]
        assert found == [], f"written below {root or '/'}: {printed}"
    assert host.run("test", "-e", "/var/lib/apt/lists/kept", check=False).returncode == 0
    images = [one["name"] for one in info(host)]
    assert ("site" in images) == ("failed=0" in printed)
    assert "site" not in images or read(host, "/etc/below") == "below"
