# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_container: one container as wanted."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .._container import start, stop
from .._container.cgroup import cgroup_of
from .._container.devices import check_devices
from .._container.enter import run_inside
from .._container.limits import check_limits
from .._container.process import Confinement
from .._container.rootfs import check_idmap
from .._container.spawn import Command
from .._container.supervisor import adopt
from .._container.users import resolve_user
from .._errors import ConductorError, Damaged, EffectFailed, InvalidInput
from .._linux.files import read_text, remove_tree
from .._linux.locks import Lock, locked
from .._linux.processes import ProcessId
from .._model.container import ContainerSpec, merge, parse_changes
from .._model.ids import IdRange
from .._model.layout import LOCK_DIR, ContainerPaths, ImagePaths
from .._network.attachment import forget
from .._network.effects import look as look_at_network
from .._plan import container as plan
from .._plan.action import Action, Plan
from .._plan.ids import IdsView, choose
from .._plan.network_effects import NetworkEffect, touches_network, with_network_effects
from .._store import containers as store
from .._store import seccomp_filters
from .._store.ids import SUBGID, SUBUID, taken_ids
from .._store.images import image_layers
from .._store.settings import Settings
from .container_facts import container_facts
from .locking import container_lock, ids_lock, image_lock


@dataclass(frozen=True)
class Observed:
    """The planner's view, and the process that it speaks of."""

    view: plan.ContainerView
    process: ProcessId | None
    supervisor: ProcessId | None


class ContainerCase:
    """The module's parameters, parsed; see UseCase in perform.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.changes = parse_changes(params)
        self.name = self.changes["name"]
        self.paths = ContainerPaths.of(settings.container_dir, self.name)
        self.wish = plan.Wish(params["state"], bool(params.get("recreate")), bool(params.get("force")))
        self.wait = tuple(params.get("wait") or ())
        self.wait_timeout = params["wait_timeout"]
        self._started = False
        if self.wait and self.wish.state != "started":
            raise InvalidInput(f"wait is for state=started, not for state={self.wish.state}")

    def locks(self) -> Iterable[Lock]:
        # An image that is being deleted must not get a user meanwhile.
        images = [image_lock(self.changes["image"], shared=True)] if "image" in self.changes else []
        return [*images, container_lock(self.name)]

    def observe(self) -> Observed:
        spec, damage = None, ""
        try:
            spec = store.read_spec(self.paths)
        except Damaged as error:
            damage = str(error)
            if self.wish.state != "absent" or not self.wish.force:
                raise
        try:
            process, supervisor, running = store.observe_process(self.paths, spec)
        except Damaged as error:
            if self.wish.state != "absent" or not self.wish.force:
                raise
            damage = str(error)
            process, supervisor, running = None, None, bool(cgroup_of(self.name).processes())
        leftovers = () if running else stop.leftovers(self.paths)
        if store.has_staging(self.paths):
            leftovers = (*leftovers, "half-made directory")
        image = self.changes.get("image") or (spec.image if spec else "")
        view = plan.ContainerView(
            spec=spec,
            running=running,
            to_run=spec is not None and store.is_to_run(self.paths),
            supervised=supervisor is not None and supervisor.alive(),
            leftovers=leftovers,
            image_exists=bool(image) and os.path.exists(ImagePaths.of(self.settings.image_dir, image).spec),
            limits_applied=spec is None
            or not running
            or cgroup_of(self.name).has_limits(spec.memory, spec.cpus, spec.pids),
            damage=damage,
            ids=self._observe_ids(spec, image),
            incomplete=spec is None and os.path.lexists(self.paths.directory),
        )
        return Observed(view, process, supervisor)

    def _observe_ids(self, spec: ContainerSpec | None, image: str) -> IdsView | None:
        """What a choice of ids needs, where there is one to make. Raises HostNotCapable."""
        userns = self.changes.get("userns", spec.userns if spec else ContainerSpec.userns)
        if self.wish.state == "absent" or (spec is not None and userns == spec.userns):
            return None
        view = self._ids_view()
        if userns != "host" and image and os.path.exists(ImagePaths.of(self.settings.image_dir, image).spec):
            check_idmap(image_layers(self.settings.image_dir, image), choose(userns, view))
        return view

    def _ids_view(self) -> IdsView:
        taken = taken_ids(self.settings.container_dir, self.name)
        return IdsView(read_text(SUBUID), read_text(SUBGID), taken)

    def plan(self, observed: Observed) -> Plan:
        view = observed.view
        wanted = None if self.wish.state == "absent" else merge(view.spec, self.changes)
        if view.incomplete and wanted is not None:
            raise Damaged(
                f"{self.paths.directory} exists and has no container.json",
                "move it away, or remove it with state=absent and force=true",
            )
        if view.incomplete and not self.wish.force:
            raise Damaged(f"{self.paths.directory} has no container.json", "remove it with force=true")
        planned = plan.plan_container(wanted, self.name, view, self.wish)
        if self._started:
            # Started in this run, and ended since: that is the command's own will, not ours to undo.
            kept = tuple(action for action in planned.actions if not isinstance(action, plan.StartProcess))
            return Plan(kept, planned.before, planned.after)
        if any(isinstance(action, (plan.StartProcess, plan.CreateContainer)) for action in planned.actions):
            check_startable(self.settings, self.paths, wanted)
        elif any(isinstance(action, plan.UpdateSpec) and "seccomp" in action.options for action in planned.actions):
            seccomp_filters.check(wanted)
        return self._with_network(planned)

    def _with_network(self, planned: Plan) -> Plan:
        """`planned` and what it does to the network, which is looked at only if it does something."""
        if not touches_network(planned):
            return planned
        view = look_at_network(self.settings, self.name)
        if view is None:
            return planned
        return with_network_effects(planned, view, self.name, self.settings.forwarding, self.settings.firewall)

    def apply(self, action: Action) -> None:
        _EFFECTS[type(action)](self, action)

    def settle(self) -> None:
        if self.wait:
            wait_ready(self.settings, self.paths, self.wait, self.wait_timeout)

    def result(self, observed: Observed) -> dict:
        return {"container": container_facts(self.settings, self.name)}

    def ahead(self) -> dict:
        """The result if an earlier task of the play is to make what this one needs."""
        return {"actions": [f"create container {self.name} from image {self.changes.get('image')}"], "container": None}

    def _create(self, action: plan.CreateContainer) -> None:
        with self._chosen_ids(action.spec) as ids:
            store.create_directory(self.paths, action.spec, ids)

    def _update(self, action: plan.UpdateSpec) -> None:
        if "userns" not in action.options:
            store.write_spec(self.paths, action.spec)
        else:
            with self._chosen_ids(action.spec) as ids:
                store.write_spec_and_ids(self.paths, action.spec, ids)
        if "hostname" in action.options:
            # Those that may call it know it by its new name at once.
            forget(self.settings, self.name)

    @contextlib.contextmanager
    def _chosen_ids(self, spec: ContainerSpec) -> Iterator[IdRange | None]:
        """The container's ids, which nobody else gets until the block has written them down."""
        with locked(LOCK_DIR, ids_lock(), self.settings.lock_timeout):
            yield choose(spec.userns, self._ids_view())

    def _limit(self, action: plan.ApplyLimits) -> None:
        spec = action.spec
        cgroup_of(self.name).set_limits(spec.memory, spec.cpus, spec.pids)

    def _stop(self, _action: plan.StopProcesses) -> None:
        with contextlib.suppress(Damaged):
            spec = store.read_spec(self.paths)
            if spec is not None:
                # Written down first: the supervisor reads it when the process has ended.
                store.write_spec(self.paths, spec, running=False)
            state = store.read_run_state(self.paths)
            process = store.process_in(state)
            if process is not None:
                timeout = spec.stop_timeout if spec is not None else 0
                stop.stop_process(process, spec.stop_signal if spec else ContainerSpec.stop_signal, timeout)
            stop.wait_supervisor(store.process_in(state, "supervisor"))
        # Where a damaged file did not tell: force has allowed this, or the plan would not have come here.
        stop.kill_all(cgroup_of(self.name))

    def _clean(self, _action: plan.CleanUp) -> None:
        stop.clean_up(self.settings, self.paths)
        store.clear_staging(self.paths)

    def _reset(self, _action: plan.ResetRoot) -> None:
        for directory in (self.paths.work, self.paths.upper):
            remove_tree(directory)
            os.mkdir(directory)
            os.chmod(directory, 0o755)

    def _start(self, action: plan.StartProcess) -> None:
        self._started = True
        store.write_spec(self.paths, action.spec, running=True)
        try:
            start.start(self.settings, self.paths, action.spec)
        except (ConductorError, OSError):
            store.write_spec(self.paths, action.spec, running=False)
            stop.clean_up(self.settings, self.paths)
            raise

    def _supervise(self, _action: plan.Supervise) -> None:
        adopt(self.paths, store.read_run_state(self.paths) or {})

    def _remove(self, _action: plan.RemoveContainer) -> None:
        store.remove_directory(self.paths)
        # Those that could call it know it by name no more.
        forget(self.settings, self.name)


_EFFECTS = {
    plan.CreateContainer: ContainerCase._create,
    plan.UpdateSpec: ContainerCase._update,
    plan.ApplyLimits: ContainerCase._limit,
    plan.StopProcesses: ContainerCase._stop,
    plan.CleanUp: ContainerCase._clean,
    plan.ResetRoot: ContainerCase._reset,
    plan.StartProcess: ContainerCase._start,
    plan.Supervise: ContainerCase._supervise,
    plan.RemoveContainer: ContainerCase._remove,
    # Done by the action before it.
    NetworkEffect: lambda _case, _action: None,
}


def check_startable(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> None:
    """What would make the start fail, found before anything is changed. Raises InvalidInput, HostNotCapable."""
    for mount in spec.mounts:
        if mount.type == "bind":
            _check_source(mount.source)
    check_devices(spec)
    check_limits(spec)
    resolve_user(spec.user, [paths.upper, *image_layers(settings.image_dir, spec.image)])
    seccomp_filters.check(spec)


def _check_source(source: str) -> None:
    real = os.path.realpath(source)
    if not os.path.lexists(source):
        raise InvalidInput(f"mounts: source {source} does not exist on the host", "make it first, or correct it")
    if real != source:
        raise InvalidInput(f"mounts: source {source} leads by a link to {real}", f"write {real} if that is meant")


def wait_ready(settings: Settings, paths: ContainerPaths, argv: tuple[str, ...], timeout: float) -> None:
    """Run `argv` inside again and again until it exits 0. Raises EffectFailed after `timeout` seconds, or where the
    container ends before.
    """
    deadline = time.monotonic() + timeout
    pause, said = 0.05, ""
    while True:
        spec = store.read_spec(paths)
        process, _, running = store.observe_process(paths, spec)
        if not running or spec is None:
            facts = container_facts(settings, paths.name)
            raise EffectFailed(
                f"container {paths.name} ended while it was waited for", "see container.log", container=facts
            )
        left = deadline - time.monotonic()
        try:
            seccomp = seccomp_filters.filter_at((store.read_run_state(paths) or {}).get("seccomp", ""), spec)
            command = Command(argv, spec.user, spec.env, spec.working_dir, Confinement.of(spec, seccomp))
            outcome = run_inside(process, cgroup_of(paths.name), command, b"", max(left, 0.1))
            if outcome.rc == 0:
                return
            said = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()[-500:]
        except ConductorError as error:
            # Between two lives of a container that restarts, or before its program is there.
            said = str(error)
        if time.monotonic() + pause > deadline:
            facts = container_facts(settings, paths.name)
            raise EffectFailed(
                f"container {paths.name} was not ready after {timeout:g} s: {' '.join(argv)} did not exit 0",
                said or "it printed nothing",
                container=facts,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
