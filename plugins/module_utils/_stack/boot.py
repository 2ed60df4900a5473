# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot and shutdown of a host: start the containers that it had, and stop all without changing what is wanted."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._container import store
from .._container.error_context import about_container
from .._container.plan.container import ContainerView, Request, StartProcess, StopProcesses
from .._container.readiness import wait_until_ready
from .._container.spec.container import ContainerSpec
from .._engine.action import Action, Plan
from .._engine.container_records import container_names
from .._engine.engine import Run, perform
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._network.store import read_network
from .member_case import MemberCase
from .phases import Wait, Waits
from .plan.boot import autostarts, start_order
from .plan.network import NetworkWish
from .plan.stack import MemberAction, Others, StackView
from .spec.stack import Member, Stack
from .use_case import StackCase

# Seconds that a shutdown waits for the lock of a container, since the host does not wait for long.
_LOCK_TIMEOUT = 10.0
# Seconds that a boot waits until a container is ready. Then those that depend on it are started all the same.
_READY_TIMEOUT = 60.0


@dataclass
class Outcomes:
    """Names of the containers that were started or stopped, of those that were so already, and errors by name."""

    done: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, ConductorError] = field(default_factory=dict)


class _DeadlinePassed(Exception):
    """The time of a boot is over."""


class HostMember(MemberCase):
    """A container whose wanted state is that of before the boot or shutdown. `deadline`: as of time.monotonic()."""

    deadline: float | None = None
    was_wanted = False

    def observe(self) -> ContainerView:
        view = super().observe()
        # A container that is already kept for the next boot needs no other stop.
        return replace(view, kept_for_boot=False) if self.request.state == "stopped" else view

    def plan_as(self, view: ContainerView, wish: Request) -> Plan:
        plan = super().plan_as(view, wish)
        stopped = self.was_wanted and not (view.running or view.should_run or view.kept_for_boot)
        # Since this boot began, which must not undo that.
        return replace(plan, actions=(), after=plan.before) if stopped and wish.state == "started" else plan

    def undo(self, action: Action, run: Run[ContainerView]) -> None:
        super().undo(action, run)
        spec = store.read_spec(self.paths)
        if spec is not None:
            store.write_spec(self.paths, spec, running=self.was_wanted)

    def write_stopped(self, spec: ContainerSpec) -> None:
        store.keep_for_boot(self.paths, spec)

    def stop_timeout(self, spec: ContainerSpec) -> float:
        left = spec.stop_timeout if self.deadline is None else self.deadline - time.monotonic()
        return max(0.0, min(spec.stop_timeout, left))


class HostStack(StackCase):
    """Containers of the host, whatever stack they belong to, in the order of `after`; see `start_order`."""

    records_dependencies = False
    starts_after_failures = True

    def __init__(
        self, after: Mapping[str, Collection[str]], state: str, settings: Settings, deadline: float | None = None
    ) -> None:
        self._deadline = deadline
        self._wait_commands = waits = {
            name: spec.wait
            for name in after
            if state == "started" and (spec := store.read_spec(ContainerPaths.of(settings.container_dir, name)))
        }
        members = {
            name: Member(
                name,
                name,
                {"name": name, "wait_timeout": None},
                depends_on=tuple(
                    (other, "ready" if waits.get(other) else "started") for other in sorted(others) if other in after
                ),
            )
            for name, others in after.items()
        }
        super().__init__(Stack("host", members), settings, {"state": state})
        self.outcomes = Outcomes()

    def carry_out(self, plan: Plan, run: Run[StackView]) -> None:
        try:
            super().carry_out(plan, run)
        finally:
            # Of the part that was done before the time was over.
            self.outcomes = _outcomes(run)

    def _network_of(self, member: Member) -> NetworkWish:
        return NetworkWish(None, None, keeps_network=True)

    def _case(self, options: Mapping[str, Any], state: str) -> HostMember:
        params = {**options, "state": state}
        case = HostMember(params, self.settings, self._read_ids)
        case.deadline = self._deadline
        case.was_wanted = store.is_wanted(case.paths)
        return case

    def _others(self) -> Others:
        return Others()

    def _require_own(self, view: StackView) -> None:
        """Accept every container."""

    def _waits_of(self, case: MemberCase, name: str) -> Waits:
        argv = self._wait_commands.get(name)
        if not argv:
            return {}
        return {"ready": Wait(functools.partial(wait_until_ready, self.settings, case.paths, argv, _READY_TIMEOUT))}

    def wait_for_completion(self, run: Run[StackView]) -> None:
        """Wait for nothing: `result` has the errors."""

    def result(self, observed: StackView, run: Run[StackView]) -> dict[str, Any]:
        found = self.outcomes
        found.unchanged += (
            name
            for name in self.cases.keys() - found.failed.keys() - set(found.done)
            if observed.containers[name].running == (self.state == "started")
        )
        return {}


def boot(settings: Settings, timeout: float) -> Outcomes:
    """Start all containers that start at boot and do not run, within `timeout` seconds."""
    outcomes, names = Outcomes(), []
    for name in container_names(settings.container_dir):
        with _failure_of(name, outcomes):
            paths = ContainerPaths.of(settings.container_dir, name)
            spec = store.read_spec(paths)
            if spec is not None and autostarts(spec, store.is_wanted(paths), os.path.exists(paths.exit)):
                names.append(name)
    try:
        with _within(timeout):
            _carry_out(names, "started", settings, outcomes)
    except _DeadlinePassed:
        for name in set(names) - {*outcomes.done, *outcomes.unchanged, *outcomes.failed}:
            if store.observe_process(ContainerPaths.of(settings.container_dir, name))[1]:
                outcomes.unchanged.append(name)
                continue
            error = EffectFailed(f"container {name} was not started within {timeout:g} s", "start it, or boot again")
            outcomes.failed[name] = error
    return outcomes


def shutdown(settings: Settings, timeout: float) -> Outcomes:
    """Stop all running containers, so that a boot starts them again. Kills those that still run after `timeout` s."""
    settings = replace(settings, lock_timeout=min(settings.lock_timeout, _LOCK_TIMEOUT))
    outcomes, names = Outcomes(), []
    for name in container_names(settings.container_dir):
        with _failure_of(name, outcomes):
            paths = ContainerPaths.of(settings.container_dir, name)
            if store.observe_process(paths)[1]:
                names.append(name)
    _carry_out(names, "stopped", settings, outcomes, time.monotonic() + timeout)
    return outcomes


def _carry_out(
    names: Iterable[str], state: str, settings: Settings, outcomes: Outcomes, deadline: float | None = None
) -> None:
    """Bring the containers to `state`, all together, and without those that have an error of their own."""
    able = []
    for name in names:
        with _failure_of(name, outcomes):
            alone = HostStack({name: ()}, state, settings, deadline)
            alone.cases[name].plan(alone.cases[name].observe())
            able.append(name)
    order = _order_of(able, settings)
    try:
        _perform(HostStack(order, state, settings, deadline), outcomes)
    except ConductorError:
        # An error of one container, like its address or the lock of another run, must not keep the others back.
        for name in order if state == "started" else reversed(order):
            with _failure_of(name, outcomes):
                _perform(HostStack({name: ()}, state, settings, deadline), outcomes)


def _perform(case: HostStack, outcomes: Outcomes) -> None:
    """Perform `case`, and add its outcomes, or those until the time was over."""
    try:
        perform(case)
    except _DeadlinePassed:
        _take(case.outcomes, outcomes)
        raise
    _take(case.outcomes, outcomes)


def _take(found: Outcomes, outcomes: Outcomes) -> None:
    outcomes.done += found.done
    outcomes.unchanged += found.unchanged
    outcomes.failed |= found.failed


def _outcomes(run: Run[StackView]) -> Outcomes:
    """Return those that `run` has started or stopped, and its errors."""
    actions = [one for one in run.done if isinstance(one, MemberAction)]
    done = [one.container for one in actions if isinstance(one.action, (StartProcess, StopProcesses))]
    return Outcomes(done, [], dict(run.outcome.failures) if run.outcome else {})


def _order_of(names: Iterable[str], settings: Settings) -> dict[str, frozenset[str]]:
    """Return the order of starts; the names in it are sorted so that each follows those that it is started after."""
    depends_on, peers = {}, {}
    for name in names:
        spec = store.read_spec(ContainerPaths.of(settings.container_dir, name))
        network = read_network(settings.container_dir, name)
        depends_on[name] = spec.depends_on if spec else ()
        peers[name] = [peer.peer for peer in network.spec.peers] if network and network.spec else []
    order = start_order(depends_on, peers)
    ranked: dict[str, frozenset[str]] = {}
    while len(ranked) < len(order):
        ranked |= {name: after for name, after in order.items() if name not in ranked and after <= ranked.keys()}
    return ranked


@contextlib.contextmanager
def _failure_of(name: str, outcomes: Outcomes) -> Iterator[None]:
    """Keep an error of the block as that of the container `name`."""
    try:
        with about_container(name):
            yield
    except ConductorError as error:
        outcomes.failed[name] = error


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise _DeadlinePassed in the block after `seconds`. A fork does not inherit the timer (setitimer(2))."""

    def end(*_: object) -> None:
        raise _DeadlinePassed

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
