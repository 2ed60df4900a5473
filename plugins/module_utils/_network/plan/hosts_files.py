# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files inside a container that name hosts. Pure: text from specs.

In both a marked block is ours and all other lines are the container's, so that an edit inside stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from .marked_block import has_block, with_block
from .resolv_conf import resolv_conf
from .view import NetworkView

HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"
# What debian-installer writes (netcfg), for an image that has none; a container without IPv6 resolves ::1 all the same.
_DEFAULT_HOSTS = b"""127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""


def inside_files(view: NetworkView, name: str, hostname: str, present: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Content of /etc/hosts, and of /etc/resolv.conf if its network says what is in it, for the container `name`.

    `present` is the content that they have, None for one that is missing or no plain file. A resolv.conf without a
    block of ours is replaced as a whole, also a link: it came with the image. systemd-resolved and resolvconf take a
    plain file for the administrator's; the former then reads its servers from there (systemd-resolved(8)).
    """
    container = view.containers.get(name)
    spec = container.spec if container else None
    files = {HOSTS: with_block(present.get(HOSTS) or _DEFAULT_HOSTS, _hosts(view, name, hostname))}
    lines = resolv_conf(view, spec) if spec else None
    if lines is not None:
        resolv = present.get(RESOLV)
        files[RESOLV] = with_block(resolv if resolv is not None and has_block(resolv) else b"", lines)
    return files


def _hosts(view: NetworkView, name: str, hostname: str) -> list[str]:
    """Lines of hosts(5): the container's own names, those of its peers, and those of the option extra_hosts."""
    container = view.containers.get(name)
    spec = container.spec if container else None
    own = [hostname] if hostname == name else [hostname, name]
    if spec is None:
        # The address that Debian gives a host without one of its own (Debian policy, debian-installer's netcfg).
        return [f"127.0.1.1 {' '.join(own)}"]
    lines = [f"{address} {' '.join(own)}" for address in (spec.ipv4, spec.ipv6) if address]
    for entry in spec.peers:
        peer = view.peer_of(entry)
        if peer is not None and peer.spec is not None:
            names = [peer.name] if peer.hostname == peer.name else [peer.name, peer.hostname]
            lines += [f"{address} {' '.join(names)}" for address in (peer.spec.ipv4, peer.spec.ipv6) if address]
    for host, addresses in spec.extra_hosts:
        for address in addresses:
            gateways = [spec.gateway4, spec.gateway6] if address == "host-gateway" else [address]
            lines += [f"{found} {host}" for found in gateways if found]
    return lines
