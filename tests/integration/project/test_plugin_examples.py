"""The examples of the inventory plugin and of the connection plugin, used as a reader does."""

import json
import re

import pytest
from controller import Controller
from image_cache import mount_image
from plugin_examples import Executed, example_text

executes = Executed()
SLEEP = ["/bin/sleep", "infinity"]
PASSWORD = "out side"


@pytest.fixture
def host(bare_host, cached_image):
    """A host with the containers `web` and `db`, and with the login user `deploy`, who becomes root by a password."""
    mount_image(bare_host, cached_image)
    # sudo looks it up, and there is no name server.
    bare_host.run("sh", "-c", "echo 127.0.1.1 testhost >> /etc/hosts")
    bare_host.run("useradd", "--create-home", "--home-dir", "/run/deploy", "--shell", "/bin/sh", "deploy")
    bare_host.run("chpasswd", stdin=f"deploy:{PASSWORD}\n")
    bare_host.run("tee", "/etc/sudoers.d/deploy", stdin="deploy ALL=(ALL) ALL\n")
    bare_host.module("conductor_container", name="web", image="debian", command=SLEEP, labels={"tier": "front"})
    bare_host.module("conductor_container", name="db", image="debian", command=SLEEP)
    bare_host.module("conductor_container", name="idle", image="debian", command=SLEEP, state="present")
    return bare_host


@pytest.fixture
def reader(host, tmp_path):
    """A controller whose ssh reaches `host` by any name."""
    controller = Controller(tmp_path)
    ssh = controller.let_in(host)
    controller.environment = {
        "ANSIBLE_SSH_COMMON_ARGS": ssh["ansible_ssh_common_args"],
        "ANSIBLE_PRIVATE_KEY_FILE": ssh["ansible_ssh_private_key_file"],
        "ANSIBLE_SSH_CONTROL_PATH_DIR": ssh["ansible_control_path_dir"],
        "ANSIBLE_TIMEOUT": str(ssh["ansible_timeout"]),
    }
    return controller


def in_comments(plugin):
    """The YAML documents in the comments of a plugin's examples, each below a title."""
    comments = [line[2:] for line in example_text(plugin).splitlines() if line.startswith("#")]
    return [text for text in re.split(r"(?m)^[A-Z`].*$", "\n".join(comments)) if text.strip()]


def answers(printed):
    """First word of the output of a command by target."""
    return dict(re.findall(r"^(\S+) \| CHANGED \| rc=0 >>\n(\S+)", printed, re.MULTILINE))


@pytest.mark.long
@executes("connection/conductor")
def test_examples_of_the_connection(host, reader):
    local, fleet = in_comments("connection/conductor")
    (reader.directory / "local.yml").write_text(local)
    hostname = ["-m", "ansible.builtin.raw", "-a", "hostname"]
    assert answers(reader.run("ansible", "web", "-i", "local.yml", *hostname, on=host)) == {"web": "web"}
    (reader.directory / "fleet.yml").write_text(fleet)
    (reader.directory / "play.yml").write_text(example_text("connection/conductor"))
    secret = ["-e", json.dumps({"vault_beta_sudo": PASSWORD})]
    printed = reader.run("ansible-playbook", "-i", "fleet.yml", "play.yml", *secret)
    assert "web-on-alpha" in printed and "ok=1 " in printed, printed
    user = ["-m", "ansible.builtin.raw", "-a", "id -un"]
    found = answers(reader.run("ansible", "all", "-i", "fleet.yml", *secret, *user))
    assert found == {"web-on-alpha": "root", "db-on-alpha": "root", "web-on-beta": "www-data"}


@pytest.mark.long
@executes("inventory/conductor")
def test_examples_of_the_inventory(host, reader):
    # One in the group web; the other one has the address that the example names.
    (reader.directory / "hosts").write_text("[web]\nalpha\n")
    (short,) = in_comments("inventory/conductor")
    (reader.directory / "fleet.conductor.yml").write_text(short)
    text = example_text("inventory/conductor")
    program, *arguments = re.search("`(.*)`", text)[1].split()
    graph = reader.run(program, *arguments)
    assert all(name in graph for name in ("web.alpha", "db.alpha", "idle.alpha", "@conductor_host_alpha")), graph
    host.run("tee", "/etc/sudoers.d/deploy", stdin="deploy ALL=(ALL) NOPASSWD: ALL\n")
    cache = reader.directory / "cache"
    (reader.directory / "fleet.conductor.yml").write_text(text.replace("/var/cache/ansible", str(cache)))
    printed = reader.run(program, *arguments[:-1], "--list")
    found = json.loads(printed[printed.index("{") :])
    names = ["db.alpha", "db.db.example.com", "web.alpha", "web.db.example.com"]
    assert sorted(found["conductor"]["hosts"]) == names, printed
    assert sorted(found["tier_front"]["hosts"]) == names[2:] and sorted(found["tier_none"]["hosts"]) == names[:2]
    assert found["_meta"]["hostvars"]["web.alpha"]["conductor_host_user"] == "deploy"
    assert list(cache.iterdir())
