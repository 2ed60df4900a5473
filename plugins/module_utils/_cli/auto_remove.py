# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`conductor run --rm`: creation and removal of a container that belongs to this process, and to no other run."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, cast

from .._container import store
from .._container.exec.enter import ENDING_SIGNALS
from .._container.use_case import ContainerCase, ContainerView
from .._engine.action import Plan
from .._engine.container_records import read_common_spec
from .._engine.engine import Run, UseCase, perform
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import Conflict, NotFound, container_not_found


class Creation:
    """The use case `case`, which starts a container, with the condition that the container does not exist before.

    `identity`: the id of the container if this run has created it, even if its start failed.
    """

    identity: str | None = None

    def __init__(self, case: UseCase[Any], paths: ContainerPaths) -> None:
        self._case = case
        self._paths = paths

    def __getattr__(self, name: str) -> Any:
        return getattr(self._case, name)

    def observe(self) -> Any:
        """Raise Conflict if the container exists. `perform` calls this under the lock of the container."""
        if store.read_spec(self._paths) is not None:
            raise Conflict(
                f"container {self._paths.name} exists", "choose another name, or leave out --rm, which deletes it"
            )
        return self._case.observe()

    def carry_out(self, plan: Plan, run: Run[Any]) -> None:
        try:
            self._case.carry_out(plan, run)
        finally:
            # Still under the lock, so no other run can have created it.
            self.identity = _identity(self._paths)

    def as_use_case(self) -> UseCase[Any]:
        return cast("UseCase[Any]", self)


class _Removal(ContainerCase):
    """The removal of the container with the id `identity`."""

    def __init__(self, settings: Settings, name: str, identity: str) -> None:
        super().__init__({"name": name, "state": "absent", "wait_timeout": None}, settings)
        self._identity = identity

    def observe(self) -> ContainerView:
        """Raise NotFound if another container has the name now. `perform` calls this under its lock."""
        if _identity(self.paths) not in (self._identity, None):
            raise container_not_found(self.name)
        return super().observe()


class EndingSignals:
    """Signals that ask this process to end raise SystemExit, whose status is that of a shell: 128 + number.

    Only the first one, and none once `are_ignored` is set. Signals that are ignored already stay so, as by nohup(1).
    """

    def __init__(self) -> None:
        self.are_ignored = False
        self._process = os.getpid()
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: object) -> None:
        if os.getpid() != self._process:
            # A child must not return into the code of its parent.
            os._exit(128 + number)
        if not self.are_ignored:
            self.are_ignored = True
            raise SystemExit(128 + number)


def remove(settings: Settings, name: str, identity: str) -> None:
    """Remove container `name`, unless it does not have the id `identity` any more."""
    with contextlib.suppress(NotFound):
        perform(_Removal(settings, name, identity))


def _identity(paths: ContainerPaths) -> str | None:
    return (read_common_spec(paths) or {}).get("id")
