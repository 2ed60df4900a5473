# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe the network of this host and its containers. Changes nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._kernel.conntrack import most_entries
from .._kernel.files.within_root import read_files
from .._kernel.listening_ports import find_listeners
from .._kernel.nft import list_tables as look_at_tables
from .._kernel.routing_rules import default_interfaces
from .._kernel.sysctl import read_sysctl
from .container_root import open_container_root
from .foreign_firewalls import read_foreign_chains
from .forwarding import read_forwarding
from .host_resolvers import host_dns
from .plan.firewall_rules import connection_limit
from .plan.firewall_table import FAMILIES, TABLE, parse_listing
from .plan.hosts_files import HOSTS, RESOLV
from .plan.view import ContainerView, Listening, NetworkView
from .spec.network import LINK_PREFIX, Link, link_name
from .store import StoredNetwork, read_networks
from .veth import Inner, read_veth_pairs


def observe_specs(settings: Settings, names: Iterable[str] | None = None) -> NetworkView:
    """Return the stored specs of all containers, or of those in `names`.

    The only kernel state read is whether a network namespace is mounted, the host's name servers, whether it has IPv6,
    and the uplinks if a container uses the name servers behind them.
    """
    stored = read_networks(settings.container_dir, names)
    containers = {name: _view(settings, one) for name, one in stored.items()}
    uplinks = _uplinks() if any(c.spec and c.spec.internet and c.spec.dns is None for c in containers.values()) else ()
    return NetworkView(containers=containers, host_dns=host_dns(), ipv6=_has_ipv6(), uplinks=uplinks)


def observe(
    settings: Settings, focus: Callable[[NetworkView], Collection[str]] | None = None, others: Collection[str] = ()
) -> NetworkView:
    """Return specs and kernel state.

    Links and files, those in the container included, are read for the containers that `focus` returns for the specs.
    Without `focus` they are read for all containers, and stray links with our prefix are listed too. Chains of other
    firewalls are read for the hooks `others`, and for "forward" if the setting `firewall` is "accept".
    """
    view = observe_specs(settings)
    names = set(view.containers) if focus is None else set(focus(view))
    focused = [c for name, c in view.containers.items() if name in names]
    pairs = read_veth_pairs({link_name(c.name): _inner(settings, c) for c in focused})
    containers = {
        **view.containers,
        **{c.name: _with_files(settings, replace(c, pair=pairs.get(link_name(c.name)))) for c in focused},
    }
    accept = settings.firewall == "accept"
    hooks = sorted({*others, *(("forward",) if accept else ())})
    tables, chains = look_at_tables((family, TABLE) for family in FAMILIES)
    links = frozenset(name for _index, name in socket.if_nameindex() if name.startswith(LINK_PREFIX))
    return replace(
        view,
        containers=containers,
        firewall=parse_listing(None if tables is None else {"nftables": tables}),
        forwarding=read_forwarding(view.ipv6),
        links=links,
        most_connections=connection_limit(most_entries()),
        listeners=_listening(focused),
        uplinks=view.uplinks or _uplinks(),
        stray_links=tuple(sorted(links - {link_name(name) for name in containers})) if focus is None else (),
        other_chains=tuple(
            chain for hook in hooks for chain in read_foreign_chains(chains, hook, accept and hook == "forward")
        ),
    )


def _view(settings: Settings, stored: StoredNetwork) -> ContainerView:
    attached = is_netns(ContainerPaths.of(settings.container_dir, stored.name).netns)
    return ContainerView(
        stored.name, stored.container_id, stored.hostname, stored.spec, stored.damage, attached=attached
    )


def is_netns(path: str) -> bool:
    """Return whether a network namespace is mounted at `path`: an empty file can remain of one."""
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


def _inner(settings: Settings, container: ContainerView) -> Inner | None:
    if not container.attached:
        return None
    link = Link.of(container.name, container.spec) if container.spec else None
    return Inner.of(ContainerPaths.of(settings.container_dir, container.name).netns, link)


def _with_files(settings: Settings, container: ContainerView) -> ContainerView:
    if not container.attached:
        return container
    unwritable: dict[str, str] = {}
    with open_container_root(ContainerPaths.of(settings.container_dir, container.name)) as root:
        if root is None:
            return container
        return replace(container, files=read_files(root, [HOSTS, RESOLV], unwritable), unwritable=unwritable)


def _listening(containers: Iterable[ContainerView]) -> tuple[Listening, ...]:
    """Return the host's own sockets on host ports that `containers` expose."""
    exposes = (expose for container in containers if container.spec for expose in container.spec.expose)
    ports = {(expose.protocol, *expose.host_ports) for expose in exposes}
    return tuple(Listening(*found) for found in find_listeners(ports)) if ports else ()


def _uplinks() -> tuple[str, ...]:
    return tuple(sorted(name for name in default_interfaces() if not name.startswith(LINK_PREFIX)))


def _has_ipv6() -> bool:
    return read_sysctl("net/ipv6/conf/all/disable_ipv6") == "0"
