# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, create and delete a container's veth pair."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from .._errors import ConductorError, Conflict, EffectFailed
from .._kernel.interface_query import query_interface
from .._kernel.interfaces import Interface, Route, Rtnetlink, in_network_namespace, open_rtnetlink, refusals_as_errors
from .._kernel.link_exists import link_exists
from .._kernel.link_guard import attach_guard, is_guarded
from .._kernel.nft import apply_batch
from .._kernel.sysctl import read_sysctl, write_sysctl
from .plan.firewall_rules import TO_CONTAINER_MARK
from .plan.firewall_table import forget_link_commands, link_commands
from .plan.veth import (
    End,
    Pair,
    inner_addresses,
    inner_neighbors,
    inner_routes,
    inner_sysctls,
    localnet_sysctl,
    outer_addresses,
    outer_neighbors,
    outer_routes,
    outer_sysctls,
    sysctl_names,
)
from .spec.network import INNER_LINK, Link


class Inner(NamedTuple):
    """Location of the container end: the path of a network namespace, and the routes wanted there."""

    netns: str
    routes: tuple[Route, ...] = ()

    @classmethod
    def of(cls, netns: str, link: Link | None) -> Inner:
        return cls(netns, tuple(Route(*route) for route in inner_routes(link)) if link else ())


def read_veth_pairs(names: Mapping[str, Inner | None]) -> dict[str, Pair]:
    """Return the existing pairs by host end. `names` maps each host end to the location of its container end."""
    present = {name: inner for name, inner in names.items() if link_exists(name)}
    if not present:
        return {}  # without importing pyroute2
    with open_rtnetlink() as outside:
        found = {name: _look_at_pair(outside, name, inner) for name, inner in present.items()}
    return {name: pair for name, pair in found.items() if pair is not None}


def _look_at_pair(outside: Rtnetlink, name: str, where: Inner | None) -> Pair | None:
    outer = outside.interface(name)
    if outer is None:
        return None
    inner = None
    # Root in the container can break this end in any way; an end that cannot be read counts as missing.
    with contextlib.suppress(OSError):
        if where is not None:
            with _opened(where.netns) as netns_fd:
                inner = query_interface(netns_fd, INNER_LINK, where.routes)
    sysctls = {key: read_sysctl(key) for key in sysctl_names(name)}
    return Pair(
        _end(outer), None if inner is None else _end(inner), sysctls, is_guarded(outer.index, TO_CONTAINER_MARK)
    )


def _end(found: Interface) -> End:
    return End(found.kind, found.mac, found.mtu, found.up, found.altnames, found.addresses, found.routes)


@contextlib.contextmanager
def _opened(netns: str) -> Iterator[int]:
    fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def make_links(links: Iterable[tuple[Link, str]]) -> dict[str, Exception]:
    """Create veth pairs, each with its container end in the namespace at a path; existing ones are deleted.

    A host end stays down, and no packet passes, until its guard and its firewall chain exist. Returns the errors by
    host end: Conflict if the namespace has another interface with the name of the container end, EffectFailed if the
    kernel refuses a change, OSError. Nothing is left of a link that failed.
    """
    failed: dict[str, Exception] = {}
    with open_rtnetlink() as outside:
        made = _each(links, failed, lambda link, netns: _make_guarded(outside, link, netns))
        made = _add_chains(made, failed)
        _each(made, failed, lambda link, netns: _bring_up(outside, link, netns))
        _remove(outside, failed)
    return failed


def _each(
    links: Iterable[tuple[Link, str]], failed: dict[str, Exception], step: Callable[[Link, str], None]
) -> list[tuple[Link, str]]:
    """Do `step` for each link; return those for which it succeeded, and add the others to `failed`."""
    done = []
    for link, netns in links:
        try:
            with refusals_as_errors():
                step(link, netns)
        except (ConductorError, OSError) as error:
            failed[link.outer] = error
        else:
            done.append((link, netns))
    return done


def _remove(outside: Rtnetlink, failed: Iterable[str]) -> None:
    """Delete these host ends with their firewall chains, so that the next plan finds no part of a link."""
    with contextlib.suppress(ConductorError, OSError), refusals_as_errors():
        outside.delete(*failed)
        apply_batch([command for outer in failed for command in forget_link_commands(outer)])


def _make_guarded(outside: Rtnetlink, link: Link, netns: str) -> None:
    with _opened(netns) as netns_fd:
        outside.delete(link.outer)
        with in_network_namespace(netns_fd):
            taken = link_exists(INNER_LINK)
        if taken:
            raise Conflict(
                f"network namespace {netns} already has an interface {INNER_LINK}", "remove it in the container"
            )
        outside.add_veth(link.outer, INNER_LINK, netns_fd, mac=link.mac, mtu=link.mtu)
        attach_guard(_index(outside, link.outer), TO_CONTAINER_MARK)
        with in_network_namespace(netns_fd):
            for name, value in inner_sysctls(link).items():
                write_sysctl(name, value)
        for name, value in {**outer_sysctls(link), localnet_sysctl(link.outer): "0"}.items():
            write_sysctl(name, value)


def _add_chains(links: list[tuple[Link, str]], failed: dict[str, Exception]) -> list[tuple[Link, str]]:
    """Add the firewall chains of the links in one transaction; one by one if a link of them has vanished."""
    try:
        if links:
            apply_batch([command for link, _ in links for command in link_commands(link.outer)])
        return links
    except EffectFailed:
        return _each(links, failed, lambda link, _netns: apply_batch(link_commands(link.outer)))


def _bring_up(outside: Rtnetlink, link: Link, netns: str) -> None:
    with _opened(netns) as netns_fd, open_rtnetlink(netns_fd) as inside:
        _configure(inside, INNER_LINK, link.inner_altname, inner_addresses(link), inner_routes(link))
        _configure(outside, link.outer, link.outer_altname, outer_addresses(link), outer_routes(link))
        _add_neighbors(outside, inside, link)


def _configure(side: Rtnetlink, name: str, altname: str, addresses: list, routes: list) -> None:
    index = _index(side, name)
    side.add_altname(index, altname)
    side.set_up(index)
    for address in addresses:
        side.add_address(index, address)
    for route in routes:
        side.add_route(index, Route(*route))


def _index(side: Rtnetlink, name: str) -> int:
    index = side.index(name)
    if index is None:
        raise Conflict(f"interface {name} vanished during setup", "run this again")
    return index


def _add_neighbors(outside: Rtnetlink, inside: Rtnetlink, link: Link) -> None:
    """Add permanent neighbor entries at both ends, so that no full neighbor table separates them."""
    outer = outside.interface(link.outer)
    if outer is not None:
        outside.add_neighbors(outer.index, outer_neighbors(link))
        inside.add_neighbors(_index(inside, INNER_LINK), inner_neighbors(link, outer.mac))


def delete_links(outer: Iterable[str]) -> None:
    """Delete the veth pairs with these host ends, as far as they exist, wherever their container ends are."""
    present = [name for name in outer if link_exists(name)]
    if present:
        with open_rtnetlink() as outside:
            outside.delete(*present)
