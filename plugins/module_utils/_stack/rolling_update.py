# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Update the running containers of one entry of a stack, a few at a time.

With order start-first another container stands in: new connections lead to it while a container is replaced, and lead
back in one transaction when that one is ready. A run that is killed leaves the stand-in, which goes on answering. The
next run removes it as soon as the containers for which it stands in are ready.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace

from .._container import store
from .._container.plan.container import Request
from .._container.readiness import check_keeps_running, wait_until_ready
from .._container.spec.container import ContainerSpec
from .._engine.action import Plan
from .._engine.engine import Run
from .._engine.parallel import Job, run_jobs
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._network.observe import observe_specs
from .._network.spec.network import StandIn
from .member_case import MemberCase
from .networks import observe_networks, policy_of
from .phases import Phases, Wait, Waits
from .plan.network import NetworkWish
from .plan.stack import ChangeNetworks, StackPlan, StackView, plan_stack
from .plan.update import RemoveStandIn, RollBack, ServiceUpdate, StartStandIn
from .spec.stack import Member, Stack
from .spec.update import Update
from .stack_run import StackRun, finish


@dataclass(frozen=True)
class UpdatedMember:
    """A container to bring to its request, and the network that it gets."""

    case: MemberCase
    wish: NetworkWish
    request: Request


@dataclass(frozen=True)
class Updates:
    """The updates of a stack. `members`: its containers; the functions return containers beside them, see StackCase."""

    settings: Settings
    stack: Stack
    members: Mapping[str, UpdatedMember]
    further_member: Callable[[Member], UpdatedMember]
    absent_member: Callable[[str], UpdatedMember]

    def carry_out(self, plan: StackPlan, run: Run[StackView]) -> None:
        """Remove stand-ins of earlier updates, and update the entries of `plan` as far as what they need is sound."""
        by_stand_in = {planned.update.stand_in: planned for planned in plan.updates}
        kept: dict[str, dict[str, NetworkWish]] = {}
        for name in plan.stand_ins:
            led_back = self._lead_back(name, by_stand_in.get(name), run)
            if led_back is not None:
                kept[name] = led_back
        failures = run.outcome.failures
        for planned in plan.updates:
            needed = {other for one in planned.members for other, _ in self.stack.members[one.container].depends_on}
            broken = sorted({*needed, *planned.update.members} & failures.keys())
            for one in planned.members if broken else ():
                error = EffectFailed(f"container {one.container} was not updated: {broken[0]} failed")
                run.outcome.fail(one.container, error)
            if not broken:
                members = {name: self.members[name] for name in planned.update.members}
                further = self.stack.stand_ins.get(planned.service)
                stand_in = self.further_member(further) if further else None
                update = RollingUpdate(self.settings, self.stack, planned, members, stand_in, run)
                update.carry_out(kept.get(planned.update.stand_in))

    def _lead_back(
        self, name: str, planned: ServiceUpdate | None, run: Run[StackView]
    ) -> dict[str, NetworkWish] | None:
        """Lead new connections back to those containers for which `name` stands in that are ready and stay as they are.

        Removes the stand-in then, unless it works and `planned` needs one, and unless a container is not ready: that is
        an error. Returns the networks of the containers that were led back if the stand-in is to be used again.
        """
        own = {
            other: found.spec
            for other, found in run.observed.network.containers.items()
            if other in self.members and found.spec and found.spec.stand_in and found.spec.stand_in.name == name
        }
        updated = {one.container for one in planned.members} if planned else set()
        wishes = {
            other: NetworkWish(None, None, restored=spec) if other in updated else self.members[other].wish
            for other, spec in own.items()
        }
        entries = {other: replace(spec.stand_in, leads=False) for other, spec in own.items() if spec.stand_in}
        staying = [other for other in own if other not in updated]
        if run.outcome.failures.keys() & set(staying):
            return None
        service = self.stack.members[staying[0]].service if staying else ""
        steps = Steps(self.settings, self.stack, self.stack.updates.get(service))
        failed = steps.not_ready(self.members[other].case for other in staying)
        for other, error in failed.items():
            run.outcome.replace_failure(other, error)
        if failed:
            return None
        steps.lead({other: replace(wishes[other], stand_in=entries[other]) for other in staying}, run)
        if planned and self._works(name, planned):
            return {other: wishes[other] for other in staying}
        steps.lead({other: replace(wishes[other], stand_in=entries[other]) for other in own}, run)
        failed = steps.remove(self.absent_member(name), wishes, run)
        for other, error in failed.items():
            run.outcome.replace_failure(other, error)
        if not failed:
            finish(run, RemoveStandIn(name))
        return None

    def _works(self, name: str, planned: ServiceUpdate) -> bool:
        """Return whether the stand-in `name` of an earlier run can stand in for the containers of `planned`, too."""
        case = self.further_member(self.stack.stand_ins[planned.service]).case
        return not Steps(self.settings, self.stack, planned.update).not_ready([case])


def rollback_images(stack: Stack, settings: Settings) -> set[str]:
    """Return the images to which containers return if their update fails. Nothing uses these in the meantime."""
    names = (name for update in stack.updates.values() if update.rolls_back for name in update.members)
    specs = (store.read_spec(ContainerPaths.of(settings.container_dir, name)) for name in names)
    return {spec.image for spec in specs if spec is not None}


class RollingUpdate:
    """The update of one entry. `members`: its containers; `stand_in`: the further one, for start-first."""

    def __init__(
        self,
        settings: Settings,
        stack: Stack,
        planned: ServiceUpdate,
        members: Mapping[str, UpdatedMember],
        stand_in: UpdatedMember | None,
        run: Run[StackView],
    ) -> None:
        self._settings, self._planned, self._members, self._run = settings, planned, members, run
        self._stand_in = stand_in
        self._rolled_back: list[str] = []
        self._led_back: Mapping[str, NetworkWish] = {}
        self._steps = Steps(settings, stack, planned.update)

    def carry_out(self, led_back: Mapping[str, NetworkWish] | None) -> None:
        """Update all containers. Errors become those of the containers in `run.outcome`; see Update for the rest.

        `led_back`: None, or if the stand-in of an earlier run works, the containers for which it no longer stands in.
        """
        replaced = {one.container for one in self._planned.members}
        failed = self._steps.not_ready(one.case for name, one in self._members.items() if name not in replaced)
        if failed:
            self._fail(failed, "nothing was replaced")
            return
        entry = None
        self._led_back = led_back or {}
        if self._stand_in is not None and led_back is not None:
            entry = self._steps.entry_of(self._stand_in.case)
        elif self._stand_in is not None:
            failed = self._steps.bring([self._stand_in], self._run).failures
            if failed:
                self._steps.remove(self._stand_in, {}, self._run)
                self._fail(failed, "nothing was replaced")
                return
            finish(self._run, StartStandIn(self._stand_in.case.name, self._planned.service))
            entry = self._steps.entry_of(self._stand_in.case)
        updated: list[str] = []
        for batch in self._planned.batches():
            names = [one.container for one in batch]
            failed = self._replace([self._members[name] for name in names], entry, self._steps)
            finish(self._run, *(one for one in batch if one.container not in failed))
            updated += [name for name in names if name not in failed]
            if failed:
                self._after_failure(failed, updated, entry)
                return
        self._retire(())

    def _replace(self, members: list[UpdatedMember], entry: StandIn | None, steps: Steps) -> dict[str, ConductorError]:
        """Replace `members` by `steps`, led away from meanwhile if there is a stand-in; return errors by container."""
        if entry is not None:
            self._steps.lead(_with_stand_in(members, entry), self._run)
        wishes = _with_stand_in(members, entry)
        failed = steps.bring([replace(one, wish=wishes[one.case.name]) for one in members], self._run).failures
        if entry is not None:
            ready = [one for one in members if one.case.name not in failed]
            self._steps.lead(_with_stand_in(ready, replace(entry, leads=False)), self._run)
        return failed

    def _after_failure(self, failed: dict[str, ConductorError], updated: list[str], entry: StandIn | None) -> None:
        left = [one.container for one in self._planned.members if one.container not in {*failed, *updated}]
        text = f"not updated: {', '.join(left)}" if left else "all others were updated"
        remaining: Iterable[str] = failed
        if self._planned.update.rolls_back:
            former = [self._former(name) for name in (*updated, *failed)]
            # Not by the command that tells whether the new ones are ready.
            lost = self._replace(former, entry, Steps(self._settings, self._steps.stack, None))
            back = [name for name in (*failed, *updated) if name not in lost]
            self._rolled_back = back
            finish(self._run, *map(RollBack, back))
            text = f"rolled back: {', '.join(back) or 'none'}"
            text += "".join(f"; rollback of {name} failed: {error}" for name, error in lost.items())
            remaining = lost
        self._fail(failed, text)
        self._retire(remaining)

    def _former(self, name: str) -> UpdatedMember:
        """Return the container with the options and the network that it had before the run."""
        before, network = self._run.observed.containers[name].spec, self._run.observed.network.containers[name].spec
        case = copy.copy(self._members[name].case)
        if before is not None:
            case.changes = {one.name: getattr(before, one.name) for one in fields(ContainerSpec) if one.name != "name"}
            case.wait = before.wait
        wish = NetworkWish(None) if network is None else NetworkWish(None, None, restored=network)
        return UpdatedMember(case, wish, Request("started", restart=True, recreate=True))

    def _retire(self, remaining: Iterable[str]) -> None:
        """Remove the stand-in, unless it still answers in place of `remaining` containers."""
        if self._stand_in is None or any(True for _ in remaining):
            return
        wishes = {
            **self._led_back,
            **{one.container: self._members[one.container].wish for one in self._planned.members},
        }
        wishes.update({name: self._former(name).wish for name in self._rolled_back})
        failed = self._steps.remove(self._stand_in, wishes, self._run)
        if not failed:
            finish(self._run, RemoveStandIn(self._stand_in.case.name))
        for name, error in failed.items():
            self._run.outcome.replace_failure(name, error)

    def _fail(self, failed: Mapping[str, ConductorError], text: str) -> None:
        for name, error in failed.items():
            told = f"{error.message.rstrip('.')} (update of {self._planned.service}: {text})"
            self._run.outcome.replace_failure(name, EffectFailed(told, error.hint, **error.facts))


def _with_stand_in(members: Iterable[UpdatedMember], entry: StandIn | None) -> dict[str, NetworkWish]:
    return {one.case.name: replace(one.wish, stand_in=entry) for one in members}


class Steps:
    """The effects of an update on some containers of a stack."""

    def __init__(self, settings: Settings, stack: Stack, update: Update | None) -> None:
        self.stack = stack
        self._settings, self._update = settings, update
        self._phases = Phases(settings, stack, self._waits_of)

    def _waits_of(self, case: MemberCase, _name: str) -> Waits:
        argv = (self._update.wait if self._update else ()) or case.wait
        if argv:
            timeout = case.wait_timeout
            return {"ready": Wait(functools.partial(wait_until_ready, self._settings, case.paths, argv, timeout))}
        return {"ready": Wait(functools.partial(check_keeps_running, self._settings, case.paths))}

    def not_ready(self, cases: Iterable[MemberCase]) -> dict[str, ConductorError]:
        """Wait until running containers are ready; return the errors of those that are not."""
        waits = {case.name: self._waits_of(case, case.name)["ready"] for case in cases}
        outcomes = run_jobs(
            {name: Job(wait.run, is_waiting=True, changes_nothing=True) for name, wait in waits.items()}
        )
        return {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None}

    def bring(self, members: list[UpdatedMember], run: Run[StackView]) -> StackRun:
        """Bring the containers to their requests, and wait until they are ready; return their errors."""
        cases = {one.case.name: one.case for one in members}
        wishes = {one.case.name: one.wish for one in members}
        part: Run[StackView] = Run(run.observed, outcome=StackRun())
        try:
            view = StackView(
                {name: case.observe() for name, case in cases.items()}, observe_networks(self._settings, wishes)
            )
            plans: dict[str, Plan] = {}
            for one in members:
                own = view.containers[one.case.name]
                own = replace(own, has_network=one.wish.gives_network(own.has_network))
                plans[one.case.name] = one.case.plan_as(own, one.request)
            absent = all(one.request.state == "absent" for one in members)
            staying = {} if absent else cases
            hostnames = {name: case.wanted_hostname(view.containers[name].spec) for name, case in staying.items()}
            plan = plan_stack(plans, view, wishes, policy_of(self._settings), hostnames)
            self._phases.carry_out(plan, cases, wishes, part)
        except (ConductorError, OSError) as error:
            failed = error if isinstance(error, ConductorError) else EffectFailed(str(error))
            for name in cases:
                part.outcome.fail(name, failed)
        run.warnings += part.warnings
        run.skipped.update(part.skipped)
        return part.outcome

    def lead(self, wishes: Mapping[str, NetworkWish], run: Run[StackView]) -> None:
        """Give containers their networks, and so lead new connections to or away from their stand-ins."""
        part: Run[StackView] = Run(run.observed, outcome=StackRun())
        self._phases.change_networks(ChangeNetworks(attached=True), wishes, part)
        run.skipped.update(part.skipped)
        for name, error in part.outcome.failures.items():
            run.outcome.replace_failure(name, error)

    def entry_of(self, case: MemberCase) -> StandIn:
        """Return the reference to the stand-in, which has been created."""
        return StandIn(case.name, observe_specs(self._settings, [case.name]).containers[case.name].container_id)

    def remove(
        self, stand_in: UpdatedMember, wishes: Mapping[str, NetworkWish], run: Run[StackView]
    ) -> dict[str, ConductorError]:
        """Remove the stand-in, to which no new connections lead, and then the references of `wishes` to it."""
        absent = copy.copy(stand_in.case)
        absent.request = replace(absent.request, state="absent", force=False)
        failed = self.bring([UpdatedMember(absent, NetworkWish(None), absent.request)], run).failures
        if wishes and not failed:
            self.lead(wishes, run)
        return failed
