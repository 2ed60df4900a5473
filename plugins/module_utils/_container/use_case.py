# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_container: bring one container into the requested state."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from .._engine.action import Action, Plan, Stage
from .._engine.container_records import process_in, read_run_state
from .._engine.engine import Run, UseCase
from .._engine.id_range import IdRange
from .._engine.locks import container_lock, ids_lock, image_lock
from .._engine.paths import LOCK_DIR, ContainerPaths, ImagePaths
from .._engine.settings import Settings
from .._errors import ConductorError, Damaged, InvalidInput
from .._image.store import check_ids, image_layers
from .._kernel.files.atomic_write import read_text, remove_tree
from .._kernel.flock import Lock, locked
from .._network.plan.stages import AttachNetwork, NetworkStage
from .._network.stages import check_attachable, detach_network, has_network, has_network_or_link, staged
from .._network.stages import look as look_at_network
from . import start, stop, store
from .cgroup_paths import container_cgroup
from .error_context import about_container
from .facts import container_facts
from .id_ranges import SUBGID, SUBUID, assigned_ids, read_ids, subid_files
from .limits import check_cpuset, has_cgroup_limits, set_cgroup_limits
from .plan.container import (
    ApplyLimits,
    CancelStop,
    CleanUp,
    ContainerView,
    CreateContainer,
    CreateNetworkNamespace,
    RegisterIds,
    RemoveContainer,
    Request,
    ResetRoot,
    StartProcess,
    StartSupervisor,
    StopProcesses,
    UpdateSpec,
    plan_container,
)
from .plan.id_ranges import IdsView, choose_ids, choose_range, unregistered_ids
from .readiness import ExitedCommand, check_init_boots, run_until_exit, wait_until_ready
from .rootfs import check_idmap
from .seccomp import filters as seccomp_filters
from .spec.container import ContainerSpec
from .spec.merge import merge, parse_changes
from .spec.request import RUNNING
from .spec.values import parse_argv
from .start_checks import check_startable
from .subid_files import register_ids
from .supervisor.requests import release
from .warnings import container_warnings

# Actions of a start, in this order.
STARTING = (CreateNetworkNamespace, AttachNetwork, StartProcess)


class ContainerCase(UseCase[ContainerView]):
    """The module's parameters, parsed; see UseCase in _engine/engine.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.changes = parse_changes(params)
        self.name = self.changes["name"]
        self.paths = ContainerPaths.of(settings.container_dir, self.name)
        self.request = Request(
            params["state"], bool(params.get("restart")), bool(params.get("recreate")), bool(params.get("force"))
        )
        self.wait = parse_argv(params["wait"], "wait") if params.get("wait") else ()
        self.wait_timeout = params["wait_timeout"]
        self.detach = params.get("detach") is not False
        runs = self.request.state in RUNNING
        if not self.detach and self.wait:
            raise InvalidInput(f"{self.name}: detach: false and wait are mutually exclusive", "leave out one of them")
        if not runs and (self.wait or not self.detach):
            raise InvalidInput(
                f"{self.name}: {'wait' if self.wait else 'detach: false'} requires that the container runs",
                "set state to started or restarted, or leave it out",
            )

    def locks(self) -> Iterable[Lock]:
        # No container may be created from an image that is being deleted.
        images = [image_lock(self.changes["image"], shared=True)] if "image" in self.changes else []
        return [*images, container_lock(self.name)]

    def observe(self) -> ContainerView:
        spec, damage = None, ""
        try:
            spec = store.read_spec(self.paths)
        except Damaged as error:
            damage = str(error)
            if self.request.state != "absent" or not self.request.force:
                raise
        try:
            running, supervised = store.observe_supervision(self.paths)
        except Damaged as error:
            if self.request.state != "absent" or not self.request.force:
                raise
            damage = str(error)
            running, supervised = bool(container_cgroup(self.name).processes()), False
        leftovers = () if running else stop.find_leftovers(self.paths)
        if store.has_staging(self.paths):
            leftovers = (*leftovers, "incomplete directory")
        image = self.changes.get("image") or (spec.image if spec else "")
        ids = self._observe_ids(spec, image)
        view = ContainerView(
            spec=spec,
            running=running,
            should_run=spec is not None and store.should_run(self.paths),
            kept_for_boot=spec is not None and store.is_wanted(self.paths) and not store.should_run(self.paths),
            supervised=supervised,
            leftovers=leftovers,
            image_exists=bool(image) and os.path.exists(ImagePaths.of(self.settings.image_dir, image).spec),
            limits_applied=spec is None or not running or has_cgroup_limits(container_cgroup(self.name), spec),
            unreclaimable_memory=container_cgroup(self.name).unreclaimable_memory()
            if running and "memory" in self.changes
            else 0,
            damage=damage,
            ids=ids,
            unregistered=self._unregistered(spec, ids),
            incomplete=spec is None and os.path.lexists(self.paths.directory),
            has_network=has_network(self.settings, self.name),
            has_network_or_link=has_network_or_link(self.settings, self.name),
            has_network_namespace=not damage and start.has_network_namespace(self.paths),
        )
        return replace(view, problem=self._problem(view))

    def _problem(self, view: ContainerView) -> ConductorError | None:
        """The error with which a start would fail, found before anything is changed; None if nothing is started."""
        if self.request.state == "absent" or view.incomplete:
            return None
        starts = self.request.state in RUNNING and (
            not view.running or self.request.recreate or self.request.allows_restart
        )
        try:
            with about_container(self.name):
                wanted = merge(view.spec, self.changes)
                if starts or view.spec is None:
                    check_startable(self.settings, self.paths, wanted)
                if starts and view.has_network:
                    check_attachable(self.settings, self.name)
                if not starts and "seccomp" in self.changes:
                    seccomp_filters.check(wanted)
                if not starts and "cpuset" in self.changes:
                    check_cpuset(wanted)
        except ConductorError as error:
            return error
        return None

    def _observe_ids(self, spec: ContainerSpec | None, image: str) -> IdsView | None:
        """Facts for choosing a range of ids; None if no range is to be chosen. Raises HostNotCapable."""
        userns = self._userns(spec)
        if self.request.state == "absent" or (spec is not None and userns == spec.userns):
            return None
        view = self._ids_view()
        if userns != "host" and image and os.path.exists(ImagePaths.of(self.settings.image_dir, image).spec):
            ids = choose_range(userns, view)
            check_idmap(image_layers(self.settings.image_dir, image), ids)
            check_ids(self.settings.image_dir, image, ids, f"container {self.name}")
        return view

    def _userns(self, spec: ContainerSpec | None) -> str | IdRange:
        return self.changes.get("userns", spec.userns if spec else ContainerSpec.userns)

    def _unregistered(self, spec: ContainerSpec | None, view: IdsView | None) -> tuple[IdRange, ...]:
        """Ranges to register for this container, whose ids exist or are to be chosen. Raises as `choose_ids`."""
        if self.request.state == "absent" or self._userns(spec) == "host" or not subid_files():
            return ()
        ids = read_ids(self.paths) if view is None else choose_ids(self._userns(spec), view)
        texts = view or IdsView(read_text(SUBUID), read_text(SUBGID))
        return unregistered_ids(ids, texts) if ids else ()

    def _ids_view(self) -> IdsView:
        taken = assigned_ids(self.settings.container_dir, self.name)
        return IdsView(read_text(SUBUID), read_text(SUBGID), taken)

    def plan(self, observed: ContainerView) -> Plan:
        return self.plan_as(observed, self.request)

    def plan_as(self, view: ContainerView, wish: Request) -> Plan:
        """Return the plan with another request than the task's, which concerns the same options."""
        with about_container(self.name):
            return self._plan(view, wish)

    def _plan(self, view: ContainerView, wish: Request) -> Plan:
        wanted = None if self.request.state == "absent" else merge(view.spec, self.changes)
        if view.incomplete and wanted is not None:
            raise Damaged(
                f"{self.paths.directory} exists, but has no container.json",
                f"move it away, or remove {self.name} with state=absent and force=true",
            )
        if view.incomplete and not self.request.force:
            raise Damaged(
                f"{self.paths.directory} has no container.json", f"remove {self.name} with state=absent and force=true"
            )
        if wanted is not None and not self.detach and wanted.restart_policy != "no":
            raise InvalidInput(
                f"{self.name}: detach: false requires restart_policy: no, and it is {wanted.restart_policy}",
                "set restart_policy: no, or leave out detach",
            )
        return plan_container(wanted, self.name, view, wish)

    def predict(self, planned: Plan, observed: ContainerView) -> Iterable[Action]:
        if not any(isinstance(action, NetworkStage) for action in planned.actions):
            return planned.actions
        view = look_at_network(self.settings, self.name, observed.running)
        if view is None:
            return [action for action in planned.actions if not isinstance(action, NetworkStage)]
        from .._network.plan.foresight import predict_actions

        return predict_actions(planned.actions, view, self.settings.forwarding, self.settings.firewall)

    def stage(self, stage: Stage) -> contextlib.AbstractContextManager[Iterable[Action]]:
        # plan_container plans no other stages.
        if not isinstance(stage, NetworkStage):
            raise AssertionError(f"an unknown stage: {stage!r}")
        return staged(self.settings, stage)

    def apply(self, action: Action, run: Run[ContainerView]) -> None:
        effect = _EFFECTS.get(type(action))
        if effect is None:
            # Loaded only for containers with a network.
            from .._network.actions import apply as apply_to_network

            apply_to_network(self.settings, action, {self.name})
            return
        with about_container(self.name):
            run.warnings += effect(self, action) or ()

    def undo(self, action: Action, run: Run[ContainerView]) -> None:
        """Undo a start that failed."""
        if not isinstance(action, STARTING):
            return
        spec = store.read_spec(self.paths)
        if spec is not None:
            store.write_spec(self.paths, spec, running=False)
        # The supervisor may have ended after it had started the process.
        stop.kill_all(container_cgroup(self.name))
        release(self.name)
        detach_network(self.settings, self.name)
        stop.clean_up(self.paths)
        while run.done and (isinstance(run.done[-1], STARTING) or type(run.done[-1]) not in _EFFECTS):
            run.done.pop()

    def observe_again(self, run: Run[ContainerView]) -> tuple[ContainerView, Iterable[Action]]:
        observed = self.observe()
        # The restart has been done.
        wish = replace(self.request, state="started") if self.request.state == "restarted" else self.request
        left = self._plan(observed, wish).actions
        if _has_started(run):
            # Started in this run and exited since: the command did so by itself, so it is not started again.
            left = tuple(action for action in left if not isinstance(action, STARTING))
        return observed, left

    def wait_for_completion(self, run: Run[ContainerView]) -> None:
        if self.wait:
            wait_until_ready(self.settings, self.paths, self.wait, self.wait_timeout)
        elif not self.detach:
            run.outcome = run_until_exit(self.settings, self.paths)
        elif _has_started(run):
            check_init_boots(self.settings, self.paths)

    def result(self, observed: ContainerView, run: Run[ContainerView]) -> dict:
        warnings = [*run.all_warnings(), *self.warnings(observed)]
        return {**self._facts(run.outcome), **({"warnings": warnings} if warnings else {})}

    def warnings(self, observed: ContainerView) -> list[str]:
        """Return the warnings about the options of the task."""
        return [] if self.request.state == "absent" else container_warnings(observed.spec, self.changes)

    def _facts(self, ended: ExitedCommand | None) -> dict:
        """Return the container, and the end of its command, None in check mode, in which nothing has run."""
        facts = {"container": container_facts(self.settings, self.name)}
        return facts if self.detach else {**facts, "rc": ended and ended.rc, "stdout": ended and ended.stdout}

    def _register(self, action: RegisterIds) -> None:
        register_ids(action.ranges, self.settings.lock_timeout)

    def predicted_result(self) -> dict:
        """The result in check mode if an earlier task of the play would create what this one needs."""
        known: dict = {"actions": [f"create container {self.name} from image {self.changes.get('image')}"]}
        # Raised if the image or the network is not known.
        with contextlib.suppress(ConductorError):
            view = replace(self.observe(), problem=None)
            planned = self.plan(view)
            actions = [action.describe() for action in self.predict(planned, view)]
            known = {"actions": actions, "diff": {"before": planned.before, "after": planned.after}}
        return {**known, **self._facts(None)}

    def _create(self, action: CreateContainer) -> None:
        with self._chosen_ids(action.spec) as ids:
            store.create_directory(self.paths, action.spec, ids)

    def _update(self, action: UpdateSpec) -> None:
        if "userns" not in action.options:
            store.write_spec(self.paths, action.spec)
        else:
            with self._chosen_ids(action.spec) as ids:
                store.write_spec_and_ids(self.paths, action.spec, ids)

    @contextlib.contextmanager
    def _chosen_ids(self, spec: ContainerSpec) -> Iterator[IdRange | None]:
        """The range of ids of the container, reserved until the block has written it."""
        with locked(LOCK_DIR, ids_lock(), self.settings.lock_timeout):
            yield choose_ids(spec.userns, self._ids_view())

    def _limit(self, action: ApplyLimits) -> None:
        set_cgroup_limits(container_cgroup(self.name), action.spec)

    def _stop(self, _action: StopProcesses) -> None:
        with contextlib.suppress(Damaged):
            spec = store.read_spec(self.paths)
            if spec is not None:
                # Written before the stop: the supervisor reads it when the process has ended.
                self.write_stopped(spec)
            state = read_run_state(self.paths)
            process = process_in(state)
            if process is not None:
                timeout = self.stop_timeout(spec) if spec is not None else 0
                stop.stop_process(process, spec.stop_signal if spec else ContainerSpec.stop_signal, timeout)
            release(self.name)
        # For a damaged run state, which the plan allows with force only.
        stop.kill_all(container_cgroup(self.name))

    def write_stopped(self, spec: ContainerSpec) -> None:
        """Record that a user wants the container to be stopped."""
        store.write_spec(self.paths, spec, running=False)

    def stop_timeout(self, spec: ContainerSpec) -> float:
        """Return the seconds between the stop signal and SIGKILL."""
        return spec.stop_timeout

    def _clean(self, _action: CleanUp) -> None:
        stop.clean_up(self.paths)
        store.clear_staging(self.paths)

    def _reset(self, _action: ResetRoot) -> None:
        for directory in (self.paths.work, self.paths.upper):
            remove_tree(directory)
            os.mkdir(directory)
            os.chmod(directory, 0o755)

    def _make_namespace(self, _action: CreateNetworkNamespace) -> None:
        start.create_network_namespace(self.paths)

    def _start(self, action: StartProcess) -> Iterable[str]:
        store.write_spec(self.paths, action.spec, running=True)
        return start.start(self.settings, self.paths, action.spec)

    def _take_back(self, _action: CancelStop) -> None:
        spec = store.read_spec(self.paths)
        if spec is not None:
            store.write_spec(self.paths, spec, running=True)

    def _supervise(self, _action: StartSupervisor) -> None:
        start.supervise(self.settings, self.paths)

    def _remove(self, _action: RemoveContainer) -> None:
        store.remove_directory(self.paths)


# Method of ContainerCase for each kind of action.
_EFFECTS: dict[type[Action], Callable[[ContainerCase, Any], Iterable[str] | None]] = {
    RegisterIds: ContainerCase._register,
    CreateContainer: ContainerCase._create,
    UpdateSpec: ContainerCase._update,
    ApplyLimits: ContainerCase._limit,
    StopProcesses: ContainerCase._stop,
    CleanUp: ContainerCase._clean,
    ResetRoot: ContainerCase._reset,
    CreateNetworkNamespace: ContainerCase._make_namespace,
    StartProcess: ContainerCase._start,
    CancelStop: ContainerCase._take_back,
    StartSupervisor: ContainerCase._supervise,
    RemoveContainer: ContainerCase._remove,
}


def _has_started(run: Run[ContainerView]) -> bool:
    return any(isinstance(action, StartProcess) for action in run.done)
