"""Results in check mode if earlier tasks of the play would make the image, container or file that a task needs."""

import importlib
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.store import write_spec
from ansible_collections.conductor.containers.plugins.module_utils._engine.container_records import read_common_spec
from ansible_collections.conductor.containers.plugins.module_utils._engine.names import STACK_LABEL
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths, ImagePaths
from ansible_collections.conductor.containers.plugins.module_utils._engine.run_use_case import run_use_case
from ansible_collections.conductor.containers.plugins.module_utils._image.spec.recipe import Image, Recipe, Source
from ansible_collections.conductor.containers.plugins.module_utils._image.store import write_image
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import NetworkSpec
from ansible_collections.conductor.containers.plugins.module_utils._network.store import write_network

MODULES = "ansible_collections.conductor.containers.plugins.modules"
USE_CASES = {
    "conductor_container": "_stack.build_container_case:build",
    "conductor_copy": "_container.copy.use_case:CopyCase",
    "conductor_exec": "_container.exec.use_case:ExecCase",
    "conductor_image": "_build.use_case:ImageCase",
    "conductor_network": "_network.use_case:build",
    "conductor_peer": "_network.peer_use_case:PeerCase",
    "conductor_stack": "_stack.use_case:build",
}
# Values of "returned" that hold for every task here.
ALWAYS = {
    "always",
    "success",
    "success, and O(state) is not V(reconciled)",
    "success, or if containers failed",
    "success, or if the command failed or timed out",
    "success, or if the command failed with O(detach=false)",
}
ATTACHED = "success, or if the command failed, with O(detach=false)"
TASKS = [
    ("conductor_container", {"name": "box", "image": "app"}, set()),
    ("conductor_container", {"name": "box", "image": "app", "detach": False}, {ATTACHED}),
    (
        "conductor_container",
        {"name": "box", "image": "app", "network": {}, "detach": False},
        {ATTACHED, "success, with O(network) or O(peers), unless O(state=absent)"},
    ),
    ("conductor_network", {"container": "box"}, set()),
    ("conductor_peer", {"container": "box", "peer": "db"}, set()),
    ("conductor_copy", {"container": "box", "content": "hello", "dest": "/greeting"}, {"success, for a file"}),
    ("conductor_copy", {"container": "box", "src": "/srv/new", "dest": "/srv/"}, set()),
    ("conductor_copy", {"container": "box", "src": "/etc/passwd", "dest": "/srv", "direction": "out"}, set()),
    (
        "conductor_exec",
        {"container": "box", "argv": ["true"]},
        {"success, or if the command failed or timed out; not if the command was detached"},
    ),
    ("conductor_exec", {"container": "box", "argv": ["true"], "detach": True}, {"success, with O(detach=true)"}),
    ("conductor_image", {"name": "app", "source": {"image": "base"}}, set()),
    (
        "conductor_image",
        {"name": "app", "state": "exported", "archive": "/app.tar"},
        {"success, with O(state=exported)"},
    ),
    ("conductor_stack", {"name": "shop", "containers": {"box": {"image": "app"}}}, set()),
]


@pytest.fixture
def predict(tmp_path):
    """Run a module in check mode on a host without images, whose containers are below `tmp_path`."""

    def predict(module, options):
        spec = importlib.import_module(f"{MODULES}.{module}").ARGUMENT_SPEC
        given = ArgumentSpecValidator(spec).validate(options).validated_parameters
        own = {"container_dir": str(tmp_path), "image_dir": str(tmp_path / "images"), "lock_timeout": 1.0}
        result = run_use_case(USE_CASES[module], {**dict.fromkeys(spec), **given, **own}, only_check=True)
        assert "In check mode, earlier tasks of the play have not" in str(result.get("warnings")), result
        return result

    return predict


@pytest.fixture
def paths(tmp_path):
    """Paths of container box, which has a network and does not run."""
    paths = ContainerPaths.of(str(tmp_path), "box")
    (tmp_path / "box").mkdir()
    spec = ContainerSpec(name="box", image="app", userns="host", hostname="box", labels=((STACK_LABEL, "shop"),))
    write_spec(paths, spec, running=False)
    identity = read_common_spec(paths)["id"]
    network = NetworkSpec(identity, ipv4="10.87.0.2", gateway4="10.87.0.1", mac="02:4d:21:0c:94:aa")
    write_network(str(tmp_path), "box", network)
    return paths


@pytest.mark.parametrize(("module", "options", "more"), TASKS)
def test_result_has_the_values_that_the_module_documents(predict, module, options, more):
    documented = yaml.safe_load(importlib.import_module(f"{MODULES}.{module}").RETURN)
    returned = {name for name, value in documented.items() if value["returned"] in ALWAYS | more}
    assert more <= {value["returned"] for value in documented.values()}
    assert returned - predict(module, options).keys() == set()


def test_container_that_exists_is_in_the_result_with_its_network_and_the_change(predict, paths):
    change = {"name": "box", "state": "present", "seccomp": "/srv/new/profile.json"}
    for network in ({}, {"network": {}}):
        result = predict("conductor_container", {**change, **network})
        assert (result["container"]["name"], result["container"]["seccomp"]) == ("box", "default")
        assert result["diff"]["before"]["seccomp"] == "default"
        assert result["diff"]["after"]["seccomp"] == "/srv/new/profile.json"
        assert "change seccomp of container box" in result["actions"]
    assert result["network"]["ipv4"] == "10.87.0.2"


def test_stack_lists_its_containers_that_exist(predict, paths):
    wanted = {"image": "app", "seccomp": "/srv/new/profile.json"}
    result = predict("conductor_stack", {"name": "shop", "containers": {"box": wanted, "db": wanted}})
    assert result["containers"]["box"]["seccomp"] == "default" and result["containers"]["db"] is None
    assert result["networks"]["box"]["ipv4"] == "10.87.0.2" and "db" not in result["networks"]


@pytest.mark.parametrize(
    ("src", "dest", "target", "size"),
    [
        ("site", "/srv", "/srv/site", 5),
        ("site/", "/srv/", "/srv", 5),
        ("site/index", "/srv/", "/srv/index", 5),
        ("site/index", "/srv/page", "/srv/page", 5),
        ("later", "/srv/", "/srv/later", None),
        ("later", "/srv/page", "/srv/page", None),
    ],
)
def test_copy_has_target_and_size_as_far_as_they_are_known(predict, tmp_path, src, dest, target, size):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index").write_text("hello")
    result = predict("conductor_copy", {"container": "web", "src": f"{tmp_path}/{src}", "dest": dest})
    assert (result["target"], result["size"]) == (target, size)


def test_copy_of_content_has_its_size_and_mode(predict):
    options = {"container": "web", "content": "grüße", "dest": "/greeting", "mode": "0600"}
    result = predict("conductor_copy", options)
    assert (result["target"], result["size"], result["mode"]) == ("/greeting", 7, "0600")


def test_image_that_exists_is_in_the_result(predict, tmp_path):
    paths = ImagePaths.of(str(tmp_path / "images"), "app")
    Path(paths.directory).mkdir(parents=True)
    recipe = Recipe(source=Source(archive="/srv/app.tar"))
    write_image(paths, Image("app", "01234567", "2026-01-01T00:00:00+00:00", recipe, "archive", 0))
    for options in ({"source": {"image": "base"}, "force": True}, {"state": "exported", "archive": "/srv/new/app.tar"}):
        result = predict("conductor_image", {"name": "app", **options})
        assert result["image"]["id"] == "01234567"
