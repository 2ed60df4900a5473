# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the actions of a network plan."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping

from .._engine.action import Action, ActionSkipped
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._kernel.conntrack import delete_flows
from .._kernel.files.within_root import write_files
from .._kernel.link_exists import link_exists
from .._kernel.nft import apply_batch
from .._kernel.packets import wait_for_packets
from .._kernel.sysctl import write_sysctl
from .container_root import open_container_root
from .forwarding import disable_forwarding, enable_forwarding, set_fence
from .plan.flows import changed_flows
from .plan.foreign_firewalls import AddAcceptRules, RemoveAcceptRules, commands_for
from .plan.forwarding import DisableForwarding, EnableForwarding, KeepAdvertisedRoute, SetFence
from .plan.projection import Connect, Disconnect, RouteLocalnet, UpdateFirewall, WriteInsideFiles
from .plan.veth import localnet_sysctl
from .spec.network import link_name
from .veth import delete_links, make_links


def apply(settings: Settings, action: Action, required: Collection[str] = ()) -> None:
    """Apply one action of `plan_projection`. Raises ConductorError.

    Raises ActionSkipped if only processes in one container can have caused the failure: in writing files there, in
    connecting a container outside of `required`, or in changing a link that does not exist. Failures that concern the
    host, or the veth pair of a container in `required`, are errors.
    """
    if isinstance(action, RouteLocalnet) and not link_exists(action.outer):
        raise ActionSkipped(f"interface {action.outer} does not exist", action.container)
    if isinstance(action, Connect):
        for error in connect_all(settings, [action]).values():
            raise _failure(action, error, required) from error
        return
    try:
        _dispatch(settings, action)
    except (ConductorError, OSError) as error:
        raise _failure(action, error, required) from error


def connect_all(settings: Settings, actions: Iterable[Connect]) -> dict[str, Exception]:
    """Create the links of containers together, which costs less; return the errors by container."""
    links = {
        action.container: (action.link, ContainerPaths.of(settings.container_dir, action.container).netns)
        for action in actions
    }
    failed = make_links(links.values())
    return {name: failed[link.outer] for name, (link, _) in links.items() if link.outer in failed}


def _failure(action: Action, error: Exception, required: Collection[str]) -> Exception:
    reason = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) else str(error)
    container = _affected_container(action, required)
    if container is not None:
        return ActionSkipped(reason, container)
    return EffectFailed(f"container {action.container}: {reason}") if isinstance(action, Connect) else error


def remaining_actions(
    actions: Iterable[Action], done: Iterable[Action], left_out: dict[str, str], required: Collection[str] = ()
) -> tuple[Action, ...]:
    """Return the `actions` of a second plan that only this run can have left over.

    Processes in a container may change its files and its link at any time, and revert a change that was `done`. Such
    actions are left out, and the reason is added to `left_out`, by container name, except for `required` links. Chains
    of links outside of `required` that were deleted in a container are left out, too.
    """
    reverted = {_affected_container(action, required): action.describe() for action in done}
    own_links = set(map(link_name, required))
    left = []
    for action in actions:
        name = _affected_container(action, required)
        lost = action.only_forgets() if isinstance(action, UpdateFirewall) else set()
        if name in reverted and name is not None:
            left_out.setdefault(name, f"processes in the container revert this change: {reverted[name]}")
        elif name is not None:
            left_out.setdefault(name, f"changed while this ran, run it again: {action.describe()}")
        elif not lost or lost & own_links:
            left.append(action)
    return tuple(left)


def _affected_container(action: Action, required: Collection[str]) -> str | None:
    """Return the container whose processes can make `action` fail. None for the host and for links of `required`."""
    if isinstance(action, WriteInsideFiles):
        return action.container
    if isinstance(action, (Connect, RouteLocalnet)) and action.container not in required:
        return action.container
    return None


def _dispatch(settings: Settings, action: Action) -> None:
    if isinstance(action, EnableForwarding):
        enable_forwarding(action.version)
    elif isinstance(action, DisableForwarding):
        disable_forwarding(action.version)
    elif isinstance(action, SetFence):
        set_fence(action.wanted)
    elif isinstance(action, RouteLocalnet):
        write_sysctl(localnet_sysctl(action.outer), "1" if action.allowed else "0")
    elif isinstance(action, KeepAdvertisedRoute):
        write_sysctl(f"net/ipv6/conf/{action.interface}/accept_ra", "2")
    elif isinstance(action, Disconnect):
        delete_links([action.outer])
    elif isinstance(action, UpdateFirewall):
        apply_batch(list(action.commands))
        flows = changed_flows(action.commands)
        if action.opening or flows:
            # A flow is in the table of connections, and can be deleted, only when its packet has passed the last hook.
            wait_for_packets()
        if action.opening:
            apply_batch(list(action.opening))
        delete_flows(flows.udp_ports, flows.udp_addresses, flows.unanswered)
    elif isinstance(action, (AddAcceptRules, RemoveAcceptRules)):
        # A refusal by another firewall, which may have changed since the plan, must not end the run.
        with contextlib.suppress(EffectFailed):
            apply_batch(commands_for(action))
    elif isinstance(action, WriteInsideFiles):
        _write_container_files(ContainerPaths.of(settings.container_dir, action.container), action.files)
    else:
        raise TypeError(f"{action!r} is not a network action")


def _write_container_files(paths: ContainerPaths, files: Mapping[str, bytes]) -> None:
    with open_container_root(paths) as root:
        if root is None:
            return
        for path, content in files.items():
            try:
                write_files(root, {path: content})
            except OSError as error:
                raise EffectFailed(f"cannot write {path} in the container: {error.strerror}") from error
