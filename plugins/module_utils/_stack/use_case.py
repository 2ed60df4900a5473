# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_stack: bring all containers of a stack to the requested state, together."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._build.use_case import ImageCase
from .._container import store
from .._container.error_context import about_container
from .._container.facts import container_facts
from .._container.plan.container import StartProcess, UpdateSpec
from .._container.readiness import check_init_boots, run_until_exit, wait_until_ready
from .._container.spec.request import RUNNING
from .._container.spec.values import parse_argv
from .._container.start_checks import check_sources
from .._container.use_case import STARTING
from .._engine.action import Action, Plan
from .._engine.convert_options import convert_options
from .._engine.engine import Run, UseCase, perform
from .._engine.locks import container_lock, image_lock
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, Damaged, EffectFailed
from .._image.spec.request import MODULE_OPTIONS as IMAGE_OPTIONS
from .._kernel.flock import Lock
from .._network.plan.result import network_result
from .._network.plan.stages import NetworkStage
from .._network.plan.view import NetworkView
from .._network.spec.options import NetworkOptions
from .member_case import MemberCase, read_ids_view
from .networks import observe_networks, policy_of, warnings_of
from .others import find_others
from .phases import Phases, Wait, Waits
from .plan.network import NetworkWish
from .plan.stack import (
    ChangeImage,
    MemberAction,
    Others,
    StackPlan,
    StackView,
    plan_stack,
    predict,
    predict_networks,
    require_own,
    with_networks,
)
from .plan.update import RemoveStandIn, ServiceUpdate, split_updates
from .progress import Progress, progress_log
from .rolling_update import UpdatedMember, Updates, rollback_images
from .spec.source import with_containers
from .spec.stack import Member, Stack, parse_stack
from .stack_run import StackRun


class StackCase(UseCase[StackView]):
    """The request of conductor_stack, or of one container with its network; see UseCase in _engine/engine.py.

    `records_dependencies`: container.json keeps depends_on and wait for the next boot. `starts_after_failures`:
    containers are started even if others failed that they depend on. `progress`: without a log, unless `build` gives
    one.
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
        self.progress = Progress()
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
        self.phases = Phases(settings, stack, self._waits_of, self.starts_after_failures)
        self.cases = {name: self._case(member.options, self.state) for name, member in self.stack.members.items()}
        for name, member in self.stack.members.items() if self.records_dependencies else ():
            wait = member.options.get("wait")
            if self.state == "stopped" and not member.depends_on and not wait:
                continue
            self.cases[name].changes["depends_on"] = tuple(sorted(other for other, _ in member.depends_on))
            self.cases[name].changes["wait"] = parse_argv(wait, "wait") if wait else ()

    def _case(self, options: Mapping[str, Any], state: str) -> MemberCase:
        params = {**options, **self.request, "state": state, "detach": True, "force": False}
        if state not in RUNNING:
            params["wait"] = None
        with about_container(params["name"]):
            return MemberCase(params, self.settings, self._read_ids)

    def _network_of(self, member: Member) -> NetworkWish:
        given = member.network
        # A stop keeps what is not given.
        keeps_network = self.state == "stopped" and (given is None or not member.has_network_options)
        peers = None if keeps_network and not member.peers else member.peers
        if given is None:
            return NetworkWish(None, peers, keeps_network)
        pool4, pool6 = given.get("pool4") or self.settings.pool4, given.get("pool6") or self.settings.pool6
        with about_container(member.name):
            options = NetworkOptions.parse(given, pool4, pool6, given.get("uplink") or self.settings.uplink)
        return NetworkWish(options, peers, keeps_network)

    def prepare(self) -> Iterable[Action]:
        """Build the images, each under its own lock."""
        if self.images and self.state != "absent":
            # Before builds, which take minutes.
            for name, member in self.cases.items():
                with about_container(name):
                    check_sources(member.changes.get("mounts") or ())
        done: list[Action] = []
        for case in self.images if self.state != "absent" else ():
            try:
                texts = perform(case)["actions"]
                # For the observations that follow: it has been built again.
                case.request = replace(case.request, force=False)
                done += (ChangeImage(case.request.name, text) for text in texts)
                self.progress.image_done(texts)
            except ConductorError as error:
                self.progress.image_failed(case.request.name, error)
                actions = [*(one.describe() for one in done), *_texts(error.facts.get("actions"))]
                error.facts |= {"changed": bool(actions), "actions": actions}
                raise
        return done

    def locks(self) -> Iterable[Lock]:
        images = {case.changes["image"] for case in self.cases.values() if "image" in case.changes}
        former = rollback_images(self.stack, self.settings) if self.state in RUNNING else set()
        found = self._others()
        stand_ins = {update.stand_in for update in self.stack.updates.values() if update.stand_in}
        names = sorted({*self.cases, *found.unlisted, *found.stand_ins, *stand_ins})
        return [*(image_lock(name, shared=True) for name in sorted(images | former)), *map(container_lock, names)]

    def _has_completed(self, name: str) -> bool:
        try:
            return (store.read_exit(self.cases[name].paths) or {}).get("exit_code") == 0
        except Damaged:
            return False

    def _others(self) -> Others:
        return find_others(self.stack, self.settings, self.cases)

    def observe(self) -> StackView:
        found = self._others()
        removed = self._removed(found)
        cases = self._all_cases(removed)
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
        networks = observe_networks(self.settings, self._all_wishes(removed))
        completed = frozenset(name for name in self.cases if self.stack.is_job(name) and self._has_completed(name))
        return StackView(containers, networks, found, pending, completed)

    def _removed(self, others: Others) -> tuple[str, ...]:
        """Return the containers to remove with the others. Stand-ins of running containers are removed later."""
        stand_ins = () if self.state in RUNNING else others.stand_ins
        return (*stand_ins, *(others.unlisted if self.prune else ()))

    def _all_cases(self, removed: Iterable[str]) -> dict[str, MemberCase]:
        return {**self.cases, **{name: self._absent_case(name) for name in removed}}

    def _absent_case(self, name: str) -> MemberCase:
        return self._case({"name": name, "wait_timeout": 60.0}, "absent")

    def _all_wishes(self, removed: Iterable[str]) -> dict[str, NetworkWish]:
        kept = dict.fromkeys(self.cases, NetworkWish(None)) if self.state == "absent" else self.wishes
        return {**kept, **dict.fromkeys(removed, NetworkWish(None))}

    def _wishes_before_updates(self, view: StackView, updates: Iterable[ServiceUpdate]) -> dict[str, NetworkWish]:
        """Return the networks until containers are updated, which keep theirs, and until stand-ins are removed."""
        updated = {one.container for update in updates for one in update.members}
        wishes = self._all_wishes(self._removed(view.others))
        for name in wishes if self.state in RUNNING else ():
            own = view.network.containers.get(name)
            present = own.spec if own else None
            if present is not None and name in updated:
                wishes[name] = NetworkWish(None, None, keeps_network=True)
            elif present is not None and present.stand_in and present.stand_in.name in view.others.stand_ins:
                wishes[name] = replace(wishes[name], stand_in=present.stand_in)
        return wishes

    def _further_member(self, member: Member) -> UpdatedMember:
        """Return a container beside the listed ones, which starts."""
        case = self._case(member.options, "started")
        return UpdatedMember(case, self._network_of(member), case.request)

    def _absent_member(self, name: str) -> UpdatedMember:
        """Return a container that is removed."""
        case = self._absent_case(name)
        return UpdatedMember(case, NetworkWish(None), case.request)

    def plan(self, observed: StackView) -> Plan:
        return self._plan(observed).plan()

    def _member_plans(
        self, view: StackView, names: Iterable[str], started: Collection[str] = (), after_run: bool = False
    ) -> dict[str, Plan]:
        """Return plans of single containers.

        `after_run`: without another start of the `started` ones, whose commands may have exited.
        """
        plans = {}
        cases = self._all_cases(self._removed(view.others))
        for name in names:
            case, wish = cases[name], cases[name].request
            if after_run and wish.state == "restarted":
                wish = replace(wish, state="started")
            own = view.containers[name]
            network = NetworkWish(None) if self.state == "absent" else self.wishes.get(name, NetworkWish(None))
            has_network = network.gives_network(own.has_network)
            plan = case.plan_as(replace(own, has_network=has_network), wish)
            is_done = name in view.completed and not any(isinstance(one, UpdateSpec) for one in plan.actions)
            if name in started or (is_done and self.stack.is_job(name) and wish.state != "restarted"):
                left = tuple(one for one in plan.actions if not isinstance(one, STARTING))
                plan = replace(plan, actions=left, after={**plan.after, "state": plan.before["state"]})
            plans[name] = plan
        return plans

    def _plan(self, view: StackView) -> StackPlan:
        self._require_own(view)
        plans = self._member_plans(view, self._all_cases(self._removed(view.others)))
        policy, hostnames = policy_of(self.settings), self._hostnames(view)
        plans, updates = split_updates(plans, self.stack, view.containers)
        planned = plan_stack(plans, view, self._wishes_before_updates(view, updates), policy, hostnames)
        if updates:
            # For its errors, before anything is changed.
            wishes = self._all_wishes(self._removed(view.others))
            attaching = predict_networks(planned, view, wishes, policy, hostnames)[1]
            planned = with_networks(planned, attaching, view.network)
        return replace(planned, updates=updates, stand_ins=view.others.stand_ins if self.state in RUNNING else ())

    def _require_own(self, view: StackView) -> None:
        require_own(self.stack, view)

    def _hostnames(self, view: StackView) -> dict[str, str]:
        if self.state == "absent":
            return {}
        return {name: case.wanted_hostname(view.containers[name].spec) for name, case in self.cases.items()}

    def predict(self, planned: Plan, observed: StackView) -> Iterable[Action]:
        plan = self._plan(observed)
        wishes = self._wishes_before_updates(observed, plan.updates)
        return predict(plan, observed, wishes, policy_of(self.settings), self._hostnames(observed))

    def carry_out(self, plan: Plan, run: Run[StackView]) -> None:
        run.outcome = StackRun(progress=self.progress)
        with self.progress.until_end():
            if plan.actions:
                self._carry_out(run)
        if self.state == "absent" and not run.outcome.failures:
            self.progress.remove()

    def _carry_out(self, run: Run[StackView]) -> None:
        phases = self._plan(run.observed)
        cases = self._all_cases(self._removed(run.observed.others))
        wishes = self._wishes_before_updates(run.observed, phases.updates)
        # Networks are one of them, since their actions are planned when they are due.
        self.progress.begin(f"{len(phases.plan().actions)} steps planned")
        self.phases.carry_out(phases, cases, wishes, run)
        if phases.updates or phases.stand_ins:
            members = {name: UpdatedMember(case, self.wishes[name], case.request) for name, case in self.cases.items()}
            Updates(self.settings, self.stack, members, self._further_member, self._absent_member).carry_out(
                phases, run
            )

    def apply(self, action: Action, run: Run[StackView]) -> None:
        raise AssertionError("carry_out applies the actions in phases")

    def _waits_of(self, case: MemberCase, name: str) -> Waits:
        """Return the conditions that `name` fulfills some time after its start."""
        waits = {}
        if self.stack.is_job(name):
            waits["completed"] = Wait(functools.partial(_wait_for_exit, self.settings, case.paths))
        if case.wait:
            is_ready = functools.partial(wait_until_ready, self.settings, case.paths, case.wait, case.wait_timeout)
            waits["ready"] = Wait(is_ready)
        elif not self.stack.is_job(name):
            boots = functools.partial(check_init_boots, self.settings, case.paths)
            waits["ready"] = Wait(boots, is_short=True)
        return waits

    def observe_again(self, run: Run[StackView]) -> tuple[StackView, Iterable[Action]]:
        observed = self.observe()
        if run.outcome.failures:
            # The next run finishes it.
            return observed, ()
        started = {
            one.container for one in run.done if isinstance(one, MemberAction) and isinstance(one.action, StartProcess)
        }
        # Other runs may have changed what is not locked any more. Networks were observed again under their lock.
        locked = [
            name
            for name in (*self._all_cases(self._removed(observed.others)), *observed.others.stand_ins)
            if run.locks is None or container_lock(name) in run.locks
        ]
        own = [name for name in locked if name in observed.containers]
        plans = self._member_plans(observed, own, started, after_run=True)
        left: list[Action] = [
            MemberAction(name, action)
            for name, plan in plans.items()
            for action in plan.actions
            if not isinstance(action, NetworkStage)
        ]
        left += (RemoveStandIn(name) for name in locked if name not in observed.containers)
        return observed, left

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

    def predicted_result(self) -> dict[str, Any]:
        """Return the result in check mode if an earlier task of the play would create what this one needs."""
        return {"actions": [f"deploy stack {self.stack.name}"], **self._present(self._present_networks())}

    def _present_networks(self) -> NetworkView:
        """Return the networks; none if earlier tasks of the play would install the libraries to read them."""
        try:
            return observe_networks(self.settings, self.wishes)
        except ConductorError:
            return NetworkView()

    def _present(self, networks: NetworkView) -> dict[str, Any]:
        """Return the containers of the stack and their networks."""
        found = {name: network_result(networks, name) for name in self.cases}
        return {
            "containers": {} if self.state == "absent" else self._facts(),
            "networks": {name: network for name, network in found.items() if network},
        }

    def _facts(self) -> dict[str, Any]:
        return {name: container_facts(self.settings, name) for name in self.cases}

    def _network_warnings(self, observed: StackView) -> list[str]:
        if self.state == "absent":
            return []
        return warnings_of(observed.network, self.stack.members.values(), self.wishes, self._hostnames(observed))

    def result(self, observed: StackView, run: Run[StackView]) -> dict[str, Any]:
        own = [text for name, case in self.cases.items() for text in case.warnings(observed.containers[name])]
        warnings = [*self.warnings, *run.all_warnings(), *own]
        if self.prune:
            of = f"so it is not known whether its container belongs to stack {self.stack.name}"
            warnings += [f"{problem.rstrip('.')} ({of})" for problem in observed.others.damaged]
        if observed.others.unlisted and not self.prune:
            warnings.append(
                f"stack {self.stack.name}: {', '.join(observed.others.unlisted)} are not listed any more. "
                "Set prune: true to remove them, or list them"
            )
        warnings += self._network_warnings(observed)
        return {**self._present(observed.network), **({"warnings": warnings} if warnings else {})}


def build(params: dict[str, Any], settings: Settings) -> StackCase:
    """Return the use case of conductor_stack. Raises InvalidInput."""
    params, warnings = with_containers(params)
    case = StackCase(parse_stack(params), settings, params, warnings)
    case.progress = Progress(progress_log(case.stack.name))
    return case


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def _wait_for_exit(settings: Settings, paths: ContainerPaths) -> None:
    run_until_exit(settings, paths)
