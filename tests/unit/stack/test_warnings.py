"""Warnings about containers that are to start when the host boots, on a host without a service that starts them."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container import warnings
from ansible_collections.conductor.containers.plugins.module_utils._container.plan.container import ContainerView
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.use_case import ContainerCase
from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import Run
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import NetworkView
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.stack import StackView
from ansible_collections.conductor.containers.plugins.module_utils._stack.use_case import build

WEB = {"name": "web", "image": "debian", "wait_timeout": 60}
STOPS = ContainerSpec("web", "debian", autostart=False)


@pytest.fixture
def service(monkeypatch, tmp_path):
    """The path of the service that starts containers at boot, which does not exist."""
    monkeypatch.setattr(warnings, "BOOT_SERVICES", (str(tmp_path / "conductor.service"),))
    return tmp_path / "conductor.service"


@pytest.fixture(params=["conductor_container", "conductor_stack"])
def warn(request, service, tmp_path):
    """Return the warnings of a task whose container has the spec `present`, None if it does not exist."""
    settings = Settings(image_dir=str(tmp_path), container_dir=str(tmp_path))

    def by_container(present=None, state="started", **options):
        case = ContainerCase({**WEB, **options, "state": state}, settings)
        view = ContainerView(present)
        return case.result(view, Run(view)).get("warnings", [])

    def by_stack(present=None, state="started", **options):
        containers = {"web": {"image": "debian", **options}}
        case = build({"name": "shop", "containers": containers, "state": state, "definition": None}, settings)
        view = StackView({"web": ContainerView(present)}, NetworkView())
        return case.result(view, Run(view)).get("warnings", [])

    return by_container if request.param == "conductor_container" else by_stack


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"autostart": True}, "autostart"),
        ({"restart_policy": "always"}, "restart_policy=always"),
        ({"restart_policy": "unless-stopped"}, "restart_policy=unless-stopped"),
    ],
)
def test_container_that_nothing_starts_at_boot_is_a_warning(warn, service, options, reason):
    (warning,) = warn(**options)
    assert warning.startswith(f"container web: nothing starts it when the host boots, in spite of {reason}. ")
    assert warn(state="absent", **options) == []
    service.touch()
    assert warn(**options) == []


@pytest.mark.parametrize(
    ("present", "options"),
    [
        (None, {}),
        (None, {"restart_policy": "on-failure"}),
        (None, {"restart_policy": "always", "autostart": False}),
        (STOPS, {"restart_policy": "always"}),
        (ContainerSpec("web", "debian", autostart=True), {"env": {"A": "a"}}),
    ],
)
def test_task_that_does_not_ask_for_a_start_at_boot_has_no_warning(warn, present, options):
    assert warn(present, **options) == []
