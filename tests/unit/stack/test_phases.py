"""Phases of a stack: those that depend on a failure are not started, in whatever order they are listed."""

import itertools

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.plan.container import (
    Request,
    StartProcess,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._engine.action import Plan
from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import Run
from ansible_collections.conductor.containers.plugins.module_utils._engine.locks import container_lock, image_lock
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._errors import EffectFailed
from ansible_collections.conductor.containers.plugins.module_utils._kernel.flock import HeldLocks
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import NetworkView
from ansible_collections.conductor.containers.plugins.module_utils._stack import phases
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.stack import (
    MemberAction,
    StackPlan,
    StackView,
)
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.update import ServiceUpdate, UpdateMember
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import Member, Stack
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.update import Update
from ansible_collections.conductor.containers.plugins.module_utils._stack.stack_run import StackRun

DEPENDS_ON = {"web": "app", "app": "db", "db": None, "other": None}


class Startable:
    """A container whose start does nothing."""

    def apply(self, action, run):
        pass


@pytest.mark.parametrize("order", [order for order in itertools.permutations(DEPENDS_ON) if order[-1] != "other"])
def test_those_behind_a_failure_are_not_started(monkeypatch, tmp_path, order):
    monkeypatch.setattr(phases, "LOCK_DIR", str(tmp_path))
    members = {
        name: Member(name, name, {}, depends_on=((DEPENDS_ON[name], "started"),) if DEPENDS_ON[name] else ())
        for name in order
    }
    starts = [MemberAction(name, StartProcess(ContainerSpec(name=name, image="debian"))) for name in order]
    run = Run(StackView({}, NetworkView()), outcome=StackRun({"db": EffectFailed("db was not created")}))
    carried = phases.Phases(Settings.load({}), Stack("shop", members), lambda case, name: {})
    carried.carry_out(StackPlan(up=tuple(starts)), dict.fromkeys(order, Startable()), {}, run)
    assert [one.container for one in run.done] == ["other"]
    told = {name: str(error) for name, error in run.outcome.failures.items()}
    assert set(told) == {"db", "app", "web"}
    assert "app, on which it depends, failed" in told["web"] and "db, on which it depends" in told["app"]


class StillPlanned(Startable):
    """A container whose start is still planned when it is due."""

    settings, request = Settings(), Request("started")

    def __init__(self, start):
        self.start = start

    def locks(self):
        return []

    def observe(self):
        return None

    def plan_as(self, view, wish):
        return Plan((self.start,), {}, {})


@pytest.mark.parametrize("updates", [True, False])
def test_images_stay_locked_for_updates_while_a_container_is_waited_for(monkeypatch, tmp_path, updates):
    monkeypatch.setattr(phases, "LOCK_DIR", str(tmp_path))
    start = StartProcess(ContainerSpec(name="db", image="debian"))
    update = ServiceUpdate("web", Update(("web",), rolls_back=True), (UpdateMember("web", "stop-first", ("image",)),))
    plan = StackPlan(up=(MemberAction("db", start),), updates=(update,) if updates else ())
    stack = Stack("shop", {name: Member(name, name, {}) for name in ("db", "web")})
    carried = phases.Phases(Settings(), stack, lambda case, name: {"ready": phases.Wait(lambda: None)})
    images = [image_lock(name, shared=True) for name in ("former", "new")]
    with HeldLocks(str(tmp_path), 0) as locks:
        acquired = [*images, container_lock("db"), container_lock("web")]
        locks.acquire(acquired)
        run = Run(StackView({}, NetworkView()), outcome=StackRun(), locks=locks)
        carried.carry_out(plan, {"db": StillPlanned(start), "web": StillPlanned(start)}, {}, run)
        assert [lock for lock in acquired if lock in locks] == ([*images, container_lock("web")] if updates else [])
    assert not run.outcome.failures and [one.container for one in run.done] == ["db"]
