# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at the network of this host and its containers. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from .._linux.inside_root import read_files
from .._linux.listeners import listeners
from .._linux.netlink import routing
from .._linux.nft import list_table
from .._linux.sysctl import read_sysctl
from .._model.layout import ContainerPaths
from .._model.network import LINK_PREFIX, link_name
from .._plan.firewall import FAMILY, TABLE, parse_listing
from .._plan.inside_files import HOSTS, RESOLV
from .._plan.network_view import ContainerView, Forwarding, Listening, NetworkView
from .._store.networks import StoredNetwork, read_networks
from .._store.settings import Settings
from .link import look_at_pairs
from .other_firewalls import look_at_others
from .resolvers import host_dns
from .root import root_of


def observe_specs(settings: Settings, names: Iterable[str] | None = None) -> NetworkView:
    """What is stored of all containers or those of `names`, without a look at the kernel but for network namespaces."""
    stored = read_networks(settings.container_dir, names)
    containers = {name: _view(settings, one) for name, one in stored.items()}
    return NetworkView(containers=containers, host_dns=host_dns(), ipv6=_has_ipv6())


def observe(
    settings: Settings, focus: Callable[[NetworkView], Collection[str]] | None = None, others: bool = False
) -> NetworkView:
    """Specs and kernel.

    Links and files are looked at for the containers that `focus` names when shown the specs; without it for all, and
    then for links of ours that belong to none. Other firewalls are looked at where `others` or the setting asks for it.
    """
    view = observe_specs(settings)
    names = set(view.containers) if focus is None else set(focus(view))
    looked_at = [c for name, c in view.containers.items() if name in names]
    namespaces = {c.name: ContainerPaths.of(settings.container_dir, c.name).netns for c in looked_at if c.attached}
    pairs = look_at_pairs({link_name(c.name): namespaces.get(c.name) for c in looked_at})
    containers = {
        **view.containers,
        **{c.name: _with_files(settings, replace(c, pair=pairs.get(link_name(c.name)))) for c in looked_at},
    }
    return replace(
        view,
        containers=containers,
        firewall=parse_listing(list_table(FAMILY, TABLE)),
        forwarding=_forwarding(view.ipv6),
        listeners=_listening(looked_at),
        stray_links=_stray_links(containers) if focus is None else (),
        other_chains=look_at_others() if others or settings.firewall == "accept" else (),
    )


def _view(settings: Settings, stored: StoredNetwork) -> ContainerView:
    attached = is_netns(ContainerPaths.of(settings.container_dir, stored.name).netns)
    return ContainerView(
        stored.name, stored.container_id, stored.hostname, stored.spec, stored.damage, attached=attached
    )


def is_netns(path: str) -> bool:
    """Whether a network namespace is mounted at `path`: an empty file can be left of one."""
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


def _with_files(settings: Settings, container: ContainerView) -> ContainerView:
    if not container.attached:
        return container
    with root_of(ContainerPaths.of(settings.container_dir, container.name)) as root:
        return container if root is None else replace(container, files=read_files(root, [HOSTS, RESOLV]))


def _stray_links(containers: Collection[str]) -> tuple[str, ...]:
    known = {link_name(name) for name in containers}
    with routing() as host:
        return tuple(name for name in host.names(LINK_PREFIX) if name not in known)


def _listening(containers: Iterable[ContainerView]) -> tuple[Listening, ...]:
    """The host's own sockets on ports that it exposes for one of `containers`."""
    exposes = (expose for container in containers if container.spec for expose in container.spec.expose)
    ports = {(expose.protocol, *expose.host_ports) for expose in exposes}
    return tuple(Listening(*found) for found in listeners(ports)) if ports else ()


def _has_ipv6() -> bool:
    return read_sysctl("net/ipv6/conf/all/disable_ipv6") == "0"


def _forwarding(has_ipv6: bool) -> Forwarding:
    ipv4 = read_sysctl("net/ipv4/ip_forward") == "1"
    ipv6 = not has_ipv6 or read_sysctl("net/ipv6/conf/all/forwarding") == "1"
    if ipv6:
        return Forwarding(ipv4, ipv6)
    with routing() as host:
        learned = host.learned_default()
    return Forwarding(ipv4, ipv6, tuple(i for i in learned if read_sysctl(f"net/ipv6/conf/{i}/accept_ra") == "1"))
