"""Waits after a start, while the container has no process."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container import readiness
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._errors import EffectFailed


def test_wait_continues_while_the_container_restarts(monkeypatch):
    # Between the end of one first process and the start of the next one.
    monkeypatch.setattr(readiness.store, "read_spec", lambda paths: ContainerSpec("web", "debian"))
    monkeypatch.setattr(readiness.store, "observe_process", lambda paths: (None, True))
    monkeypatch.setattr(readiness, "read_run_state", lambda paths: {})
    monkeypatch.setattr(readiness, "container_facts", lambda settings, name: {"name": name})
    with pytest.raises(EffectFailed, match="was not ready"):
        readiness.wait_until_ready(Settings(), ContainerPaths.of("/nowhere", "web"), ("true",), 0.0)
