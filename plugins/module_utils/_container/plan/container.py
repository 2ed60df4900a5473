# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan of the actions that bring a container into the requested state. Pure functions, also used in check mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._engine.action import Action, Plan
from ..._engine.id_range import IdRange
from ..._engine.option import RECREATE, RESTART
from ..._errors import ConductorError, Conflict, NotFound, mark_pending
from ..._network.plan.stages import AttachNetwork, DetachNetwork, RemoveNameFromCallers, UpdateNameInCallers
from ..spec.container import ContainerSpec, applies
from ..spec.request import RUNNING
from .id_ranges import OWNER, IdsView, choose_ids

_LIMITS = {"memory", "memory_swap", "cpus", "cpuset", "pids"}


@dataclass(frozen=True)
class ContainerView:
    """The present state. `spec`: None if the container does not exist; `leftovers`: names of what a start has prepared.

    `should_run`: container.json says that it should run; `kept_for_boot`: only after the next boot. `has_network`: it
    has a network by its spec. `has_network_namespace`: it has a network namespace that a start can use. `problem`: the
    error with which a start would fail.
    """

    spec: ContainerSpec | None = None
    running: bool = False
    should_run: bool = False
    kept_for_boot: bool = False
    supervised: bool = True
    leftovers: tuple[str, ...] = ()
    image_exists: bool = True
    limits_applied: bool = True
    # Bytes in use that cannot be reclaimed.
    unreclaimable_memory: int = 0
    damage: str = ""
    incomplete: bool = False
    # Set if a range of ids is to be chosen.
    ids: IdsView | None = None
    # Ranges to register for the user conductor, so that useradd(8) assigns them to no user.
    unregistered: tuple[IdRange, ...] = ()
    has_network: bool = False
    has_network_or_link: bool = False
    has_network_namespace: bool = False
    problem: ConductorError | None = None


@dataclass(frozen=True)
class Request:
    """Options of the request that are not part of the spec."""

    state: str
    restart: bool = False
    recreate: bool = False
    force: bool = False

    @property
    def allows_restart(self) -> bool:
        """Whether a running container may be restarted."""
        return self.state == "restarted" or (self.restart and self.state == "started")


@dataclass(frozen=True)
class RegisterIds(Action):
    ranges: tuple[IdRange, ...]

    def describe(self) -> str:
        ids = ", ".join(f"{found.base} to {found.end - 1}" for found in self.ranges)
        return f"register ids {ids} for the user {OWNER} in /etc/subuid and /etc/subgid"


@dataclass(frozen=True)
class CreateContainer(Action):
    spec: ContainerSpec

    def describe(self) -> str:
        return f"create container {self.spec.name} from image {self.spec.image}"


@dataclass(frozen=True)
class UpdateSpec(Action):
    spec: ContainerSpec
    options: tuple[str, ...]

    def describe(self) -> str:
        return f"change {', '.join(self.options)} of container {self.spec.name}"


@dataclass(frozen=True)
class ApplyLimits(Action):
    spec: ContainerSpec

    def describe(self) -> str:
        return f"apply the limits of container {self.spec.name}"


@dataclass(frozen=True)
class StopProcesses(Action):
    name: str

    def describe(self) -> str:
        return f"stop container {self.name}"


@dataclass(frozen=True)
class CleanUp(Action):
    name: str
    leftovers: tuple[str, ...] = ()

    def describe(self) -> str:
        names = f" ({', '.join(self.leftovers)})" if self.leftovers else ""
        return f"clean up after container {self.name}{names}"


@dataclass(frozen=True)
class ResetRoot(Action):
    name: str

    def describe(self) -> str:
        return f"discard the root file system of container {self.name}"


@dataclass(frozen=True)
class CreateNetworkNamespace(Action):
    name: str

    def describe(self) -> str:
        return f"create the network namespace of container {self.name}"


@dataclass(frozen=True)
class StartProcess(Action):
    spec: ContainerSpec

    def describe(self) -> str:
        return f"start container {self.spec.name}"


@dataclass(frozen=True)
class CancelStop(Action):
    name: str

    def describe(self) -> str:
        return f"cancel the interrupted stop of container {self.name}"


@dataclass(frozen=True)
class StartSupervisor(Action):
    name: str

    def describe(self) -> str:
        return f"start a new supervisor for container {self.name}"


@dataclass(frozen=True)
class RemoveContainer(Action):
    name: str

    def describe(self) -> str:
        return f"remove container {self.name}"


def plan_container(wanted: ContainerSpec | None, name: str, view: ContainerView, wish: Request) -> Plan:
    """Plan the actions from `view` to `wanted` (None: absent). Raises Conflict, NotFound, `view.problem`."""
    actions = _absent(name, view) if wanted is None else _present(wanted, view, wish)
    if view.problem is not None and any(map(_requires_start, actions)):
        raise view.problem
    before, after = _shown(view.spec, _state(view)), _after(wanted, view, wish, actions)
    return Plan(tuple(actions), **_without_values({"before": before, "after": after}))


def _without_values(diff: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Both sides with the values of environment variables hidden, which may be secret; changes are marked."""
    old, new = (side.get("env", {}) for side in diff.values())
    words = [dict.fromkeys(old, "(hidden)"), {name: "(hidden)" for name in new}]
    words[1].update({name: "(hidden, changed)" for name in new if name in old and new[name] != old[name]})
    return {key: {**side, "env": env} if "env" in side else side for (key, side), env in zip(diff.items(), words)}


def _absent(name: str, view: ContainerView) -> list[Action]:
    # The first process can still run if the container's directory was deleted by hand.
    actions = _down(name, view)
    if view.spec is not None or view.incomplete or view.damage:
        actions += [RemoveContainer(name), RemoveNameFromCallers(name)]
    return actions


def _requires_start(action: Action) -> bool:
    """Whether `action` starts the container, or stores options with which a later start would fail."""
    if isinstance(action, UpdateSpec):
        return bool({"seccomp", "cpuset"} & set(action.options))
    return isinstance(action, (CreateContainer, StartProcess))


def _start(wanted: ContainerSpec, view: ContainerView, renewed: bool) -> list[Action]:
    actions: list[Action] = []
    if view.has_network:
        # Firewall first: its elements exist before the link, and the link before the first process.
        actions += [] if view.has_network_namespace and not renewed else [CreateNetworkNamespace(wanted.name)]
        actions.append(AttachNetwork(wanted.name, wanted.hostname))
    return [*actions, StartProcess(wanted)]


def _present(wanted: ContainerSpec, view: ContainerView, wish: Request) -> list[Action]:
    if view.spec is None:
        _require_image(wanted, view)
        _require_ids(wanted, view)
        actions, is_down = [*_down(wanted.name, view), CreateContainer(wanted)], True
        running, leftovers, to_run, kept = False, False, False, False
    else:
        actions = _changes(view.spec, wanted, view, wish)
        if wish.state == "restarted" and not any(isinstance(action, CleanUp) for action in actions):
            actions += _down(wanted.name, view)
        is_down = any(isinstance(action, CleanUp) for action in actions)
        running, leftovers = view.running and not is_down, bool(view.leftovers) and not is_down
        stops = any(isinstance(action, StopProcesses) for action in actions)
        to_run, kept = view.should_run and not stops, view.kept_for_boot and not stops
    if wish.state == "stopped":
        # Also if its command has exited: the stored state must say that it is stopped, or it would be restarted.
        actions += [StopProcesses(wanted.name)] if running or to_run or kept else []
        actions += _clean(wanted.name, view) if running or leftovers else []
    elif wish.state in RUNNING and not running:
        if view.spec is not None:
            _require_image(wanted, view)
        actions += _start(wanted, view, is_down)
    elif wish.state == "started":
        # An interrupted stop has stored that it is stopped, which disables its restart policy.
        actions += [] if view.should_run else [CancelStop(wanted.name)]
        actions += [] if view.supervised else [StartSupervisor(wanted.name)]
    # First, so that useradd(8) cannot assign them meanwhile.
    return [RegisterIds(view.unregistered), *actions] if view.unregistered else actions


def _changes(present: ContainerSpec, wanted: ContainerSpec, view: ContainerView, wish: Request) -> list[Action]:
    """Actions for options that differ."""
    options = tuple(present.changed_by(wanted))
    actions: list[Action] = []
    if "image" in options:
        _require_image(wanted, view)
    if "userns" in options:
        _require_ids(wanted, view)
    renew = bool(_of(options, RECREATE))
    restart = view.running and wish.state != "stopped" and bool(_of(options, RESTART))
    _require_allowed(present.name, options, wish, renew, restart)
    if renew or restart:
        actions += _down(wanted.name, view)
    if renew:
        actions.append(ResetRoot(wanted.name))
    limits_differ = bool(set(options) & _LIMITS) or not view.limits_applied
    if limits_differ and view.running and not (renew or restart) and wish.state != "stopped":
        if 0 < wanted.memory < view.unreclaimable_memory:
            raise Conflict(
                f"{wanted.name}: memory cannot be limited to {wanted.memory} bytes, since its processes use "
                f"{view.unreclaimable_memory}",
                "set memory to more than that, or stop the container first",
            )
        # First, so that limits that the kernel refuses are not stored.
        actions.append(ApplyLimits(wanted))
    if options:
        actions.append(UpdateSpec(wanted, options))
    if "hostname" in options:
        actions.append(UpdateNameInCallers(wanted.name, wanted.hostname))
    return actions


def _down(name: str, view: ContainerView) -> list[Action]:
    """Actions that stop the container if it runs and remove all leftovers."""
    stop: list[Action] = [StopProcesses(name)] if view.running else []
    return [*stop, *_clean(name, view)] if view.running or view.leftovers else []


def _clean(name: str, view: ContainerView) -> list[Action]:
    """Actions that remove what remains after the end of all processes."""
    return [*([DetachNetwork(name)] if view.has_network_or_link else []), CleanUp(name, view.leftovers)]


def _require_image(wanted: ContainerSpec, view: ContainerView) -> None:
    if not view.image_exists:
        raise mark_pending(
            NotFound(
                f"image {wanted.image} does not exist", f"build {wanted.image} with conductor_image, or correct image"
            )
        )


def _require_ids(wanted: ContainerSpec, view: ContainerView) -> None:
    """Check that a range of ids can be chosen; the action chooses it, under a lock. Raises as `choose_ids`."""
    choose_ids(wanted.userns, view.ids or IdsView())


def _of(options: tuple[str, ...], when: str) -> list[str]:
    """Those of `options` whose change takes effect at the time `when`."""
    return [option for option in options if applies(option) == when]


def _require_allowed(name: str, options: tuple[str, ...], wish: Request, renew: bool, restart: bool) -> None:
    """Raises Conflict if a changed option requires a restart or recreation that the task does not allow."""
    if renew and not wish.recreate:
        raise Conflict(
            f"{name}: {', '.join(_of(options, RECREATE))} cannot change while the container keeps its root file system",
            f"set recreate: true to create {name} anew; all data in its root file system is lost",
        )
    if restart and not renew and not wish.allows_restart:
        raise Conflict(
            f"{name}: {', '.join(_of(options, RESTART))} cannot change while the container runs",
            f"set restart: true and state: started to restart {name}, or stop it first",
        )


def _state(view: ContainerView) -> str:
    if view.spec is None:
        return "absent"
    if view.running:
        return "running"
    return "exited" if view.leftovers else "stopped"


def _after(wanted: ContainerSpec | None, view: ContainerView, wish: Request, actions: list[Action]) -> dict[str, Any]:
    if wish.state == "absent":
        return {"state": "absent"}
    state = {"started": "running", "restarted": "running", "stopped": "stopped"}.get(wish.state)
    if state is None:
        renewed = any(isinstance(action, (CreateContainer, ResetRoot)) for action in actions)
        state = "stopped" if renewed else _state(view)
    return _shown(wanted, state)


def _shown(spec: ContainerSpec | None, state: str) -> dict[str, Any]:
    if spec is None:
        return {"state": state}
    return {"state": state, **spec.by_option()}
