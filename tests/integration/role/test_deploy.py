"""Role deploy on a managed host, where what it does before its containers run can be seen."""

import json

import pytest
from controller import Controller
from testhost import ROOT

DEPLOY = {"ansible.builtin.include_role": {"name": "conductor.containers.deploy"}}
# An image that cannot be built: were it tried, that would be the error.
RECIPE = {"name": "slow", "suite": "trixie", "mirror": "http://192.0.2.99/debian"}


@pytest.fixture
def managed(bare_host, tmp_path):
    """A controller with the host as its one target."""
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host)
    return controller


def deploy(managed, mounts, check=True, options=()):
    web = {"image": "slow", "mounts": mounts, "command": ["/bin/true"]}
    variables = {
        "conductor_deploy_host": False,
        "conductor_stacks": [{"name": "shop", "images": [RECIPE], "containers": {"web": web}}],
    }
    return managed.playbook(DEPLOY, check=check, options=["-e", json.dumps(variables), *options])


@pytest.mark.parametrize("kind", [{}, {"type": "bind"}])
def test_missing_source_of_a_mount_is_found_before_an_image_is_built(bare_host, managed, kind):
    mounts = [{"type": "tmpfs", "target": "/scratch"}, {"source": "/srv/nothing", "target": "/srv", **kind}]
    printed = " ".join(deploy(managed, mounts, check=False).split())
    assert "web: mounts: source /srv/nothing does not exist on the host" in printed, printed
    assert not bare_host.run("ls", "-A", "/var/lib/conductor/images", check=False).stdout
    # What an earlier task would create is missing in check mode.
    printed = deploy(managed, mounts, options=["--check"])
    assert "failed=0" in printed and "changed=1" in printed


def test_image_is_built_if_all_sources_exist(managed):
    printed = " ".join(deploy(managed, [{"source": "/srv", "target": "/srv"}], check=False).split())
    assert "192.0.2.99" in printed and "mounts: source" not in printed, printed


def test_compose_file_beside_the_playbook_is_deployed(host, managed):
    document = {"services": {"web": {"image": "debian", "command": "sleep infinity", "environment": {"MODE": "$MODE"}}}}
    (managed.directory / "compose.yml").write_text(json.dumps(document))
    stack = {"name": "shop", "src": "compose.yml", "environment": {"MODE": "live"}}
    variables = {"conductor_deploy_host": False, "conductor_stacks": [stack]}
    printed = managed.playbook(DEPLOY, options=["-e", json.dumps(variables)])
    assert "changed=1" in printed, printed
    (web,) = host.module("conductor_container_info")["containers"]
    assert (web["name"], web["state"], web["env"]) == ("web", "running", {"MODE": "live"})
    host.module("conductor_stack", name="shop", state="absent")
    managed.leave(host)


@pytest.mark.parametrize("name", ["container", "image", "deploy"])
def test_secrets_in_items_are_not_printed_on_failure_and_in_verbose_output(managed, name):
    web = {"image": "debian", "command": ["/bin/true"], "env": {"KEY": "very secret"}}
    mirror = "http://login:very secret@192.0.2.99/debian"
    items = {
        "container": {"conductor_container_items": [{"name": "web", **web}]},
        "image": {"conductor_image_items": [{"name": "slow", "suite": "trixie", "mirror": mirror}]},
        "deploy": {"conductor_deploy_host": False, "conductor_stacks": [{"name": "shop", "containers": {"web": web}}]},
    }
    role = {"ansible.builtin.include_role": {"name": f"conductor.containers.{name}"}, "vars": items[name]}
    printed = managed.playbook(role, check=False, options=["-v"])
    assert "failed=1" in printed and "very secret" not in printed, printed


def test_absent_network_with_peers_is_no_error(managed):
    gone = {"container": "web", "state": "absent", "peers": ["db", {"peer": "cache", "direction": "to"}]}
    role = {"ansible.builtin.include_role": {"name": "conductor.containers.network"}}
    printed = managed.playbook(role, vars={"conductor_network_items": [gone]}, check=False)
    assert "failed=0" in printed and "changed=0" in printed, printed


def test_teardown_removes_images_from_the_directories_of_their_stack(host, managed):
    elsewhere = {"image_dir": "/run/elsewhere/images", "container_dir": "/run/elsewhere/containers"}
    host.run("mkdir", "-p", "/run/elsewhere/images/debian/rootfs", "/run/elsewhere/containers")
    host.run("cp", "/var/lib/conductor/images/debian/image.json", "/run/elsewhere/images/debian/")
    stack = {"name": "shop", "images": [{"name": "debian"}], "containers": {}, **elsewhere}
    stacks = [{"name": "plain"}, {"name": "none", "images": None}, stack]
    variables = {"conductor_stacks": stacks, "conductor_teardown_images": True}
    options = ["-e", json.dumps(variables)]
    managed.run("ansible-playbook", str(ROOT / "playbooks/teardown.yml"), *options)
    assert host.module("conductor_image_info", **elsewhere)["images"] == []
    assert [one["name"] for one in host.module("conductor_image_info")["images"]] == ["debian"]
    managed.leave(host)
    host.run("rm", "-r", "/run/elsewhere")
