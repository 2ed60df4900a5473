"""The option update of an entry: its values, the stand-in, and which containers are updated in which order."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container import store
from ansible_collections.conductor.containers.plugins.module_utils._container.plan.container import (
    ContainerView,
    RegisterIds,
    StartProcess,
    StopProcesses,
    UpdateSpec,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._engine.action import Plan
from ansible_collections.conductor.containers.plugins.module_utils._engine.locks import image_lock
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.update import split_updates
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.document import parse_compose
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import parse_stack
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.update import Update
from ansible_collections.conductor.containers.plugins.module_utils._stack.use_case import StackCase


def parse(containers, **params):
    return parse_stack({"name": "shop", "containers": containers, **params})


def test_update_has_the_defaults_of_docker_and_the_wait_of_the_entry():
    stack = parse({"web": {"count": 2, "wait": ["true"], "update": {}}, "db": {}})
    assert stack.updates == {"web": Update(("web-1", "web-2"), "", 1, ("true",), False)}
    assert stack.updates["web"].order == "stop-first" and stack.stand_ins == {}


def test_defaults_of_the_stack_hold_for_update():
    stack = parse({"web": {}, "db": {"update": {"parallel": 3}}}, defaults={"update": {"on_failure": "rollback"}})
    assert stack.updates == {"web": Update(("web",), rolls_back=True), "db": Update(("db",), parallel=3)}


@pytest.mark.parametrize(
    ("key", "name"),
    [("web", "web-update"), ("web-{n}", "web-update"), ("{n}", "container-update"), ("w" * 63, "w" * 56 + "-update")],
)
def test_stand_in_is_one_more_container_with_addresses_of_its_own(key, name):
    entry = {"expose": ["80-8080"], "network": {"ipv4": "10.87.0.9", "mtu": 1400}, "peers": ["db"], "memory": "64m"}
    stack = parse({key: {**entry, "update": {"order": "start-first", "wait": "test -e /x"}}, "db": {}})
    found = stack.stand_ins[key]
    assert (found.name, stack.updates[key].stand_in, stack.updates[key].wait) == (name, name, ("test", "-e", "/x"))
    assert found.network["ipv4"] is None and found.network["expose"] == [] and found.network["mtu"] == 1400
    assert found.options["memory"] == "64m" and [peer.name for peer in found.peers] == ["db"]
    assert found.options["labels"] == {
        "conductor.stack": "shop", "conductor.service": key, "conductor.stand-in": key
    }  # fmt: skip


def test_stand_in_of_a_called_entry_has_a_network():
    stack = parse({"web": {"peers": ["db"]}, "db": {"update": {"order": "start-first"}}})
    assert stack.members["db"].network is not None and stack.stand_ins["db"].network is not None


@pytest.mark.parametrize(
    ("containers", "told"),
    [
        ({"web": {"update": {"parallel": 0}}}, "containers.web: update: parallel 0 is out of range"),
        ({"web": {"update": {"order": "first"}}}, "containers.web.update.order: 'first' is invalid"),
        ({"web": {"update": {"delay": 1}}}, "containers.web.update: unknown option 'delay'"),
        ({"web": {"update": {"wait": "a 'b"}}}, 'containers.web: update.wait: "a \'b" cannot be split'),
        (
            {"web": {"update": {"order": "start-first"}}, "web-update": {}},
            "containers.web: update: order start-first needs a container web-update, and web-update has one",
        ),
        (
            {"web": {"update": {"order": "start-first"}}, "web{n}": {"update": {"order": "start-first"}}},
            "containers.web{n}: update: order start-first needs a container web-update, and web has one",
        ),
    ],
)
def test_mistakes_in_update_are_refused(containers, told):
    with pytest.raises(InvalidInput) as caught:
        parse(containers)
    assert told in str(caught.value)


def test_compose_sets_update_by_update_config():
    def update_of(**config):
        service = {"image": "debian", "deploy": {"replicas": 2, "update_config": config}}
        return parse_compose({"services": {"web": service}}, "shop").options["containers"]["web"]["update"]

    assert update_of(order="start-first", parallelism=2, failure_action="rollback") == {
        "order": "start-first", "parallel": 2, "on_failure": "rollback"
    }  # fmt: skip
    assert update_of(failure_action="pause") == {"on_failure": "stop"}
    assert update_of(parallelism=0)["parallel"] > 4096


def plans(*names, stops=()):
    spec = {name: ContainerSpec(name=name, image="debian", hostname=name) for name in names}
    changed = {
        name: (RegisterIds(()), StopProcesses(name), UpdateSpec(spec[name], ("env",)), StartProcess(spec[name]))
        for name in names
    }
    return {name: Plan(changed[name] if name in stops else (StartProcess(spec[name]),), {}, {}) for name in names}


def test_running_containers_that_are_stopped_are_updated_after_the_rest_in_the_order_of_dependencies():
    update = {"update": {"parallel": 2}}
    stack = parse({"web": {"count": 3, "depends_on": ["db"], **update}, "db": update, "lone": {}})
    given = plans("web-1", "web-2", "web-3", "db", "lone", stops=("web-1", "web-2", "web-3", "db", "lone"))
    views = {name: ContainerView(running=name != "web-2") for name in given}
    rest, updates = split_updates(given, stack, views)
    assert [[one.container for one in batch] for update in updates for batch in update.batches()] == [
        ["db"], ["web-1", "web-3"]
    ]  # fmt: skip
    assert rest["web-1"].actions == rest["db"].actions == (RegisterIds(()),)
    assert rest["web-2"] == given["web-2"] and rest["lone"] == given["lone"]
    assert [action.describe() for update in updates for action in update.actions()] == [
        "update container db (stop-first): change env",
        "update container web-1 (stop-first): change env",
        "update container web-3 (stop-first): change env",
    ]


def test_unchanged_containers_are_not_updated():
    stack = parse({"web": {"update": {"order": "start-first"}}})
    given = plans("web")
    assert split_updates(given, stack, {"web": ContainerView(running=True)}) == (given, ())


@pytest.mark.parametrize(
    ("state", "on_failure", "images"),
    [
        ("started", "rollback", ["new", "old-1", "old-2"]),
        ("started", "stop", ["new"]),
        ("stopped", "rollback", ["new"]),
    ],
)
def test_former_images_of_containers_that_may_be_rolled_back_are_locked(tmp_path, state, on_failure, images):
    for name, image in (("web-1", "old-1"), ("web-2", "old-2")):
        store.create_directory(ContainerPaths.of(str(tmp_path), name), ContainerSpec(name, image), None)
    stack = parse({"web": {"count": 3, "image": "new", "update": {"on_failure": on_failure}}})
    case = StackCase(stack, Settings(container_dir=str(tmp_path)), {"state": state})
    shared = [lock for lock in case.locks() if lock.shared]
    assert shared == [image_lock(image, shared=True) for image in images]
