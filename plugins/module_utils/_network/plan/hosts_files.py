# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content of the files in a container that name hosts, computed from specs. Pure.

In both files only a marked block is managed; all other lines belong to the container, so edits in it are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .marked_block import has_block, with_block

if TYPE_CHECKING:
    from .view import NetworkView

HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"
# The content that debian-installer writes (netcfg), for an image without the file. ::1 resolves even without IPv6.
_DEFAULT_HOSTS = b"""127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""


def inside_files(
    view: NetworkView | None, name: str, hostname: str, present: Mapping[str, bytes | None]
) -> dict[str, bytes]:
    """Return the content of /etc/hosts, and of /etc/resolv.conf if its network manages that file, for container `name`.

    `view`: None for a container without a network.

    `present` is their current content, None for a file that is missing or not a regular file. A resolv.conf without our
    block is replaced as a whole, even if it is a symlink, since it came with the image. systemd-resolved and resolvconf
    treat a regular file as the administrator's; systemd-resolved then reads its servers from it (systemd-resolved(8)).
    """
    container = view.containers.get(name) if view else None
    spec = container.spec if container else None
    files = {HOSTS: with_block(present.get(HOSTS) or _DEFAULT_HOSTS, _hosts(view, name, hostname))}
    if view is None or spec is None:
        return files
    # Only a container with a network needs it.
    from .resolv_conf import resolv_conf

    lines = resolv_conf(view, spec)
    if lines is not None:
        resolv = present.get(RESOLV)
        files[RESOLV] = with_block(resolv if resolv is not None and has_block(resolv) else b"", lines)
    return files


def _hosts(view: NetworkView | None, name: str, hostname: str) -> list[str]:
    """Return lines of hosts(5): the container's own names, those of its peers, and the option extra_hosts."""
    container = view.containers.get(name) if view else None
    spec = container.spec if container else None
    own = [hostname] if hostname == name else [hostname, name]
    if view is None or spec is None:
        # Debian's address for a host without an address of its own (Debian policy, netcfg of debian-installer).
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
