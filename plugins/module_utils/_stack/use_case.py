# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_stack: bring all containers of a stack to the requested state, together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._build.use_case import ImageCase
from .._container import store
from .._container.error_context import about_container
from .._container.facts import container_facts
from .._container.plan.container import (
    CreateContainer,
    RegisterIds,
    StartProcess,
    UpdateSpec,
)
from .._container.readiness import check_init_boots, run_until_exit, wait_until_ready
from .._container.spec.request import RUNNING
from .._container.subid_files import register_ids
from .._container.use_case import STARTING
from .._engine.action import Action, Plan
from .._engine.container_records import container_names
from .._engine.convert_options import convert_options
from .._engine.engine import Run, UseCase, perform
from .._engine.locks import container_lock, ids_lock, image_lock
from .._engine.names import STACK_LABEL
from .._engine.parallel import Job, Outcome, run_jobs
from .._engine.paths import LOCK_DIR, ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, Damaged, EffectFailed
from .._image.spec.request import MODULE_OPTIONS as IMAGE_OPTIONS
from .._kernel.flock import Lock, locked
from .._network.plan.result import network_result
from .._network.spec.options import NetworkOptions
from .member_case import MemberCase, choose_all, read_ids_view
from .networks import apply_networks, observe_networks, policy_of
from .plan.network import NetworkWish
from .plan.stack import (
    ChangeImage,
    ChangeNetworks,
    MemberAction,
    StackPlan,
    StackView,
    plan_stack,
    predict,
    require_own,
)
from .spec.source import with_containers
from .spec.stack import Member, Stack, parse_stack


@dataclass
class StackRun:
    """The errors of single containers, by name: the others go on."""

    failures: dict[str, ConductorError] = field(default_factory=dict)


class StackCase(UseCase[StackView]):
    """The request of conductor_stack, or of one container with its network; see UseCase in _engine/engine.py.

    `records_dependencies`: container.json keeps depends_on for the next boot. `starts_after_failures`: containers are
    started even if others failed that they depend on.
    """

    records_dependencies = True
    starts_after_failures = False

    def __init__(
        self, stack: Stack, settings: Settings, params: Mapping[str, Any], warnings: Sequence[str] = ()
    ) -> None:
        """Parse the rest of the module's `params`. Raises InvalidInput."""
        self.settings = settings
        self.stack = stack
        self.warnings = warnings
        self.state = params["state"]
        self.prune = bool(params.get("prune")) or self.state == "absent"
        self.request = {name: bool(params.get(name)) for name in ("restart", "recreate")}
        self.images = [
            ImageCase(convert_options(IMAGE_OPTIONS, image, f"images[{index}]"), settings)
            for index, image in enumerate(params.get("images") or ())
        ]
        self.wishes = {name: self._network_of(member) for name, member in self.stack.members.items()}
        # Read at most once, even if all members are new.
        self._read_ids = functools.lru_cache(maxsize=1)(functools.partial(read_ids_view, settings))
        self.cases = {name: self._case(member.options, self.state) for name, member in self.stack.members.items()}
        for name, member in self.stack.members.items() if self.records_dependencies else ():
            self.cases[name].changes["depends_on"] = tuple(sorted(other for other, _ in member.depends_on))

    def _case(self, options: Mapping[str, Any], state: str) -> MemberCase:
        params = {**options, **self.request, "state": state, "detach": True, "force": False}
        if state not in RUNNING:
            params["wait"] = None
        with about_container(params["name"]):
            return MemberCase(params, self.settings, self._read_ids)

    def _network_of(self, member: Member) -> NetworkWish:
        given = member.network
        if given is None:
            return NetworkWish(None)
        pool4, pool6 = given.get("pool4") or self.settings.pool4, given.get("pool6") or self.settings.pool6
        with about_container(member.name):
            options = NetworkOptions.parse(given, pool4, pool6, given.get("uplink") or self.settings.uplink)
        return NetworkWish(options, member.peers)

    def prepare(self) -> Iterable[Action]:
        """Build the images, each under its own lock."""
        done: list[Action] = []
        for case in self.images if self.state != "absent" else ():
            try:
                done += (ChangeImage(case.request.name, text) for text in perform(case)["actions"])
            except ConductorError as error:
                actions = [*(one.describe() for one in done), *_texts(error.facts.get("actions"))]
                error.facts |= {"changed": bool(actions), "actions": actions}
                raise
        return done

    def locks(self) -> Iterable[Lock]:
        images = {case.changes["image"] for case in self.cases.values() if "image" in case.changes}
        names = sorted({*self.cases, *self._unlisted()[0]})
        return [*(image_lock(name, shared=True) for name in sorted(images)), *map(container_lock, names)]

    def _has_completed(self, name: str) -> bool:
        try:
            return (store.read_exit(self.cases[name].paths) or {}).get("exit_code") == 0
        except Damaged:
            return False

    def _unlisted(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the containers with the label of the stack that are not listed, and reasons why others are unknown."""
        found, damaged = [], []
        for name in container_names(self.settings.container_dir):
            if name in self.cases:
                continue
            try:
                spec = store.read_spec(ContainerPaths.of(self.settings.container_dir, name))
            except Damaged as error:
                damaged.append(str(error))
                continue
            if spec is not None and dict(spec.labels).get(STACK_LABEL) == self.stack.name:
                found.append(name)
        return tuple(found), tuple(damaged)

    def observe(self) -> StackView:
        unlisted, damaged = self._unlisted()
        cases = self._all_cases(unlisted)
        self._read_ids.cache_clear()
        # Empty in a real run, which has built them already.
        pending = tuple(
            ChangeImage(case.request.name, action.describe())
            for case in (self.images if self.state != "absent" else ())
            for action in case.plan(case.observe()).actions
        )
        containers = {name: case.observe() for name, case in cases.items()}
        missing = {change.image for change in pending}
        for name, case in self.cases.items():
            if case.changes.get("image") in missing:
                # The rest cannot be checked without the image.
                containers[name] = replace(containers[name], image_exists=True, problem=None)
        networks = observe_networks(self.settings, self._all_wishes(unlisted))
        completed = frozenset(name for name in self.cases if self._is_job(name) and self._has_completed(name))
        return StackView(containers, networks, unlisted, pending, completed, damaged)

    def _all_cases(self, unlisted: Iterable[str]) -> dict[str, MemberCase]:
        pruned = {name: self._case({"name": name, "wait_timeout": 60.0}, "absent") for name in unlisted}
        return {**self.cases, **(pruned if self.prune else {})}

    def _all_wishes(self, unlisted: Iterable[str]) -> dict[str, NetworkWish]:
        if self.state == "absent":
            return {name: NetworkWish(None) for name in (*self.cases, *unlisted)}
        return {**self.wishes, **(dict.fromkeys(unlisted, NetworkWish(None)) if self.prune else {})}

    def plan(self, observed: StackView) -> Plan:
        return self._plan(observed).plan()

    def _plan(self, view: StackView, started: Collection[str] = (), after_run: bool = False) -> StackPlan:
        """Return the plan; after a run without another start of the `started` ones, whose commands may have exited."""
        self._require_own(view)
        plans = {}
        for name, case in self._all_cases(view.unlisted).items():
            wish = case.request
            if after_run and wish.state == "restarted":
                wish = replace(wish, state="started")
            own = view.containers[name]
            has_network = self.state != "absent" and name in self.wishes and self.wishes[name].has_network
            plan = case.plan_as(replace(own, has_network=has_network), wish)
            is_done = name in view.completed and not any(isinstance(one, UpdateSpec) for one in plan.actions)
            if name in started or (is_done and self._is_job(name) and wish.state != "restarted"):
                plan = replace(plan, actions=tuple(one for one in plan.actions if not isinstance(one, STARTING)))
            plans[name] = plan
        return plan_stack(plans, view, self._all_wishes(view.unlisted), policy_of(self.settings), self._hostnames())

    def _is_job(self, name: str) -> bool:
        """Return whether other members wait until the command of `name` has exited: it runs once."""
        return any(dict(member.depends_on).get(name) == "completed" for member in self.stack.members.values())

    def _require_own(self, view: StackView) -> None:
        require_own(self.stack, view)

    def _hostnames(self) -> dict[str, str]:
        if self.state == "absent":
            return {}
        return {name: case.changes.get("hostname") or name for name, case in self.cases.items()}

    def predict(self, planned: Plan, observed: StackView) -> Iterable[Action]:
        return predict(
            self._plan(observed), observed, self._all_wishes(observed.unlisted), policy_of(self.settings),
            self._hostnames(),
        )  # fmt: skip

    def carry_out(self, plan: Plan, run: Run[StackView]) -> None:
        run.outcome = StackRun()
        if not plan.actions:
            return
        phases = self._plan(run.observed)
        cases = self._all_cases(run.observed.unlisted)
        if phases.register:
            register_ids(phases.register, self.settings.lock_timeout)
            run.done.append(RegisterIds(phases.register))
        self._in_parallel(cases, phases.down, run, self._stopped_after)
        self._change_networks(ChangeNetworks(detached=phases.detach), run) if phases.detach else None
        with locked(LOCK_DIR, ids_lock(), self.settings.lock_timeout):
            self._choose_ids(cases, phases.local)
            self._in_parallel(cases, phases.local, run)
        self._change_networks(ChangeNetworks(attached=True), run) if phases.attach else None
        self._start(cases, phases.up, run)

    def apply(self, action: Action, run: Run[StackView]) -> None:
        raise AssertionError("carry_out applies the actions in phases")

    def _choose_ids(self, cases: Mapping[str, MemberCase], actions: Iterable[MemberAction]) -> None:
        new = {
            one.container: one.action.spec
            for one in actions
            if isinstance(one.action, CreateContainer)
            or (isinstance(one.action, UpdateSpec) and "userns" in one.action.options)
        }
        if new:
            for name, ids in choose_all(new, read_ids_view(self.settings)).items():
                cases[name].ids = ids

    def _stopped_after(self, name: str) -> Iterable[str]:
        """Return the members that are stopped before `name`, because they depend on it."""
        return (other for other, member in self.stack.members.items() if name in dict(member.depends_on))

    def _in_parallel(
        self,
        cases: Mapping[str, MemberCase],
        actions: Iterable[MemberAction],
        run: Run[StackView],
        after: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        """Carry out the actions of each container in order, those of several containers at the same time."""
        own: dict[str, list[MemberAction]] = {}
        for action in actions:
            if action.container not in run.outcome.failures:
                own.setdefault(action.container, []).append(action)
        jobs = {
            name: Job(
                functools.partial(_apply_all, cases[name], listed),
                frozenset(after(name) if after else ()),
                requires_success=False,
                is_waiting=after is not None,
            )
            for name, listed in own.items()
        }
        for name, outcome in run_jobs(jobs).items():
            _take(name, outcome, own[name], run)

    def _change_networks(self, change: ChangeNetworks, run: Run[StackView]) -> None:
        wishes = {
            name: wish
            for name, wish in self._all_wishes(run.observed.unlisted).items()
            if name not in run.outcome.failures
        }
        apply_networks(self.settings, change, wishes, run)

    def _start(self, cases: Mapping[str, MemberCase], actions: Iterable[MemberAction], run: Run[StackView]) -> None:
        """Start containers in the order of their dependencies, and wait for those that others wait for."""
        own = {one.container: one for one in actions}
        starting = {name for name, one in own.items() if isinstance(one.action, StartProcess)}
        failed = run.outcome.failures
        jobs = {}
        for name, one in own.items():
            if name in failed:
                continue
            member = self.stack.members[name]
            after = [f"{condition} {other}" for other, condition in member.depends_on]
            broken = next((other for other, _ in member.depends_on if other in failed), None)
            if broken and not self.starts_after_failures:
                failed[name] = EffectFailed(f"container {name} was not started: {broken}, on which it depends, failed")
                continue
            start = functools.partial(_start_one, cases[name], one)
            jobs[f"started {name}"] = Job(start, frozenset(after), requires_success=not self.starts_after_failures)
        for name in {*starting, *self._awaited(starting, run)} - failed.keys():
            for condition, function in self._waits_of(cases[name], name).items():
                jobs[f"{condition} {name}"] = Job(function, frozenset({f"started {name}"}), is_waiting=True)
        for job, outcome in run_jobs(jobs).items():
            kind, _, name = job.partition(" ")
            _take(name, outcome, [own[name]] if kind == "started" else [], run)

    def _awaited(self, starting: Iterable[str], run: Run[StackView]) -> set[str]:
        """Return the members for which those in `starting` wait."""
        return {
            other
            for name in starting
            for other, condition in self.stack.members[name].depends_on
            if condition == "ready" or (condition == "completed" and other not in run.observed.completed)
        }

    def _waits_of(self, case: MemberCase, name: str) -> dict[str, Callable[[], Any]]:
        """Return the conditions for which the start of `name` waits, each with a function that does."""
        waits: dict[str, Callable[[], Any]] = {}
        if self._is_job(name):
            waits["completed"] = functools.partial(_wait_for_exit, self.settings, case.paths)
        if case.wait:
            waits["ready"] = functools.partial(
                wait_until_ready, self.settings, case.paths, case.wait, case.wait_timeout
            )
        elif not self._is_job(name):
            waits["ready"] = functools.partial(check_init_boots, self.settings, case.paths)
        return waits

    def observe_again(self, run: Run[StackView]) -> tuple[StackView, Iterable[Action]]:
        observed = self.observe()
        if run.outcome.failures:
            # The next run finishes it.
            return observed, ()
        started = {
            one.container for one in run.done if isinstance(one, MemberAction) and isinstance(one.action, StartProcess)
        }
        return observed, self._plan(observed, started, after_run=True).plan().actions

    def wait_for_completion(self, run: Run[StackView]) -> None:
        failures = run.outcome.failures if run.outcome else {}
        if not failures:
            return
        told = "; ".join(str(error).rstrip(".") for error in failures.values())
        raise EffectFailed(
            f"stack {self.stack.name}: {len(failures)} of {len(self.cases)} containers failed: {told}",
            "correct that and run this again: it goes on where this run has ended",
            failed_containers={name: str(error) for name, error in failures.items()},
            containers=self._facts(),
        )

    def _facts(self) -> dict[str, Any]:
        return {name: container_facts(self.settings, name) for name in self.cases}

    def result(self, observed: StackView, run: Run[StackView]) -> dict[str, Any]:
        warnings = [*self.warnings, *run.all_warnings()]
        if self.prune:
            of = f"so it is not known whether its container belongs to stack {self.stack.name}"
            warnings += [f"{problem.rstrip('.')} ({of})" for problem in observed.damaged]
        if observed.unlisted and not self.prune:
            warnings.append(
                f"stack {self.stack.name}: {', '.join(observed.unlisted)} are not listed any more. "
                "Set prune: true to remove them, or list them"
            )
        networks = {name: network_result(observed.network, name) for name in self.cases}
        return {
            "containers": {} if self.state == "absent" else self._facts(),
            "networks": {name: found for name, found in networks.items() if found},
            **({"warnings": warnings} if warnings else {}),
        }


def build(params: dict[str, Any], settings: Settings) -> StackCase:
    """Return the use case of conductor_stack. Raises InvalidInput."""
    params, warnings = with_containers(params)
    return StackCase(parse_stack(params), settings, params, warnings)


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def _apply_all(case: MemberCase, actions: list[MemberAction]) -> list[str]:
    """Carry out actions of one container, in a process of their own; return the warnings."""
    run: Run[Any] = Run(None)
    for one in actions:
        case.apply(one.action, run)
    return run.warnings


def _start_one(case: MemberCase, one: MemberAction) -> list[str]:
    run: Run[Any] = Run(None)
    try:
        case.apply(one.action, run)
    except (ConductorError, OSError):
        case.undo(one.action, run)
        raise
    return run.warnings


def _wait_for_exit(settings: Settings, paths: ContainerPaths) -> None:
    run_until_exit(settings, paths)


def _take(name: str, outcome: Outcome, actions: list[MemberAction], run: Run[StackView]) -> None:
    if outcome.blocked_by:
        other = outcome.blocked_by.partition(" ")[2]
        run.outcome.failures.setdefault(
            name, EffectFailed(f"container {name} was not started: {other}, on which it depends, failed")
        )
    elif outcome.error is not None:
        run.outcome.failures.setdefault(name, outcome.error)
    else:
        run.done += actions
        run.warnings += outcome.value or ()
