# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_container with `network` or `peers`: the container and its network in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._container.use_case import ContainerCase
from .._engine.convert_options import convert_options
from .._engine.engine import Run
from .._engine.names import parse_name
from .._engine.settings import Settings
from .._network.plan.result import network_result
from .._network.spec.request import IN_PLACE
from .member_case import MemberCase
from .phases import Waits
from .plan.network import NetworkWish
from .plan.stack import MemberAction, Others, StackView
from .spec.stack import Member, Stack, parse_peers
from .use_case import StackCase

_ELSEWHERE = ("network", "peers", "state", "restart", "recreate", "force", "image_dir", "container_dir", "lock_timeout")


class ConnectedContainer(StackCase):
    """A stack of one container, which belongs to no stack. Its result is that of ContainerCase."""

    records_dependencies = False

    def __init__(self, params: dict[str, Any], settings: Settings) -> None:
        name = parse_name(params["name"], "name")
        given, peers = params.get("network"), params.get("peers")
        self._keeps_network = given is None
        self._keeps_peers = peers is None
        member = Member(
            name,
            name,
            {option: value for option, value in params.items() if option not in _ELSEWHERE},
            None if given is None else convert_options(IN_PLACE, given, f"{name}: network"),
            tuple(peer for value in peers or () for peer in parse_peers(f"{name}: peers", value, {})),
        )
        super().__init__(Stack(name, {name: member}), settings, params)
        # Checks the options that concern the task itself.
        self.alone = ContainerCase(params, settings)
        self.name = name

    def _network_of(self, member: Member) -> NetworkWish:
        wish = super()._network_of(member)
        peers = None if self._keeps_peers else member.peers
        return replace(wish, peers=peers, keeps_network=self._keeps_network)

    def _case(self, options: Mapping[str, Any], state: str) -> MemberCase:
        return super()._case({**options, "wait": None}, state)

    def _others(self) -> Others:
        return Others()

    def _require_own(self, view: StackView) -> None:
        """Accept every container: the task names it."""

    def _waits_of(self, case: MemberCase, name: str) -> Waits:
        # wait_for_completion does, without a lock.
        return {}

    def wait_for_completion(self, run: Run[StackView]) -> None:
        for error in run.outcome.failures.values() if run.outcome else ():
            raise error
        own = self._own(run)
        self.alone.wait_for_completion(own)
        run.outcome = own.outcome

    def _own(self, run: Run[StackView]) -> Run[Any]:
        """Return `run` as ContainerCase knows it."""
        done = [one.action if isinstance(one, MemberAction) else one for one in run.done]
        return Run(None, done, run.warnings, run.skipped)

    def result(self, observed: StackView, run: Run[StackView]) -> dict[str, Any]:
        own = self._own(run)
        own.outcome = run.outcome if not self.alone.detach and run.outcome else None
        result = self.alone.result(observed.containers[self.name], own)
        warnings = [*result.pop("warnings", ()), *self._network_warnings(observed)]
        network = network_result(observed.network, self.name)
        return {**result, "network": network, **({"warnings": warnings} if warnings else {})}

    def predicted_result(self) -> dict[str, Any]:
        """Return the result in check mode if an earlier task of the play would create what this one needs."""
        network = network_result(self._present_networks(), self.name)
        return {**self.alone.predicted_result(), "network": network}
