"""Facts, diffs and messages about a container: values are under the names of the options that users give."""

import json

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container import store
from ansible_collections.conductor.containers.plugins.module_utils._container.facts import container_facts
from ansible_collections.conductor.containers.plugins.module_utils._container.plan import container as plan
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import options
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.merge import merge, parse_changes
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict

CAPABILITIES = {"add": ["NET_ADMIN"], "drop": ["CHOWN", "MKNOD"]}


def spec_of(**given):
    return merge(None, parse_changes({"name": "web", "image": "debian", **given}))


def test_facts_have_each_option_under_its_own_name(tmp_path):
    store.create_directory(ContainerPaths.of(str(tmp_path), "web"), spec_of(capabilities=CAPABILITIES), None)
    facts = json.loads(json.dumps(container_facts(Settings(container_dir=str(tmp_path)), "web")))
    assert set(options()) <= set(facts) and facts["capabilities"] == CAPABILITIES
    assert not [name for name in facts if name.startswith("capabilities_")]
    assert spec_of(capabilities=facts["capabilities"]) == spec_of(capabilities=CAPABILITIES)


def plan_change(**wish):
    """The plan for a running container that is to get other capabilities."""
    view = plan.ContainerView(spec=spec_of(), running=True, should_run=True)
    return plan.plan_container(spec_of(capabilities=CAPABILITIES), "web", view, plan.Request("started", **wish))


def test_change_of_an_option_is_shown_under_its_name():
    planned = plan_change(restart=True)
    assert planned.after["capabilities"] == {"add": ("NET_ADMIN",), "drop": ("CHOWN", "MKNOD")}
    assert "change capabilities of container web" in [action.describe() for action in planned.actions]


def test_refused_change_of_two_parts_of_an_option_names_it_once():
    with pytest.raises(Conflict, match=r"^web: capabilities cannot change while the container runs"):
        plan_change()
