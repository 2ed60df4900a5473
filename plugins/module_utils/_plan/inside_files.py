# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files inside a container that name hosts. Pure: text from specs."""

from __future__ import annotations

from collections.abc import Sequence

from .network_view import NetworkView

HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"


def inside_files(view: NetworkView, name: str, hostname: str) -> dict[str, bytes]:
    """Content of /etc/hosts, and of /etc/resolv.conf where its network says which servers, for the container `name`."""
    container = view.containers.get(name)
    spec = container.spec if container else None
    own = [hostname] if hostname == name else [hostname, name]
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    if spec is None:
        # The address that Debian gives a host without one of its own (Debian policy, debian-installer's netcfg).
        lines.append(f"127.0.1.1 {' '.join(own)}")
        return {HOSTS: _text(lines)}
    lines += [f"{address} {' '.join(own)}" for address in (spec.ipv4, spec.ipv6) if address]
    for entry in spec.peers:
        peer = view.peer_of(entry)
        if peer is not None and peer.spec is not None:
            names = [peer.name] if peer.hostname == peer.name else [peer.name, peer.hostname]
            lines += [f"{address} {' '.join(names)}" for address in (peer.spec.ipv4, peer.spec.ipv6) if address]
    files = {HOSTS: _text(lines)}
    if spec.dns is not None:
        files[RESOLV] = _text([f"nameserver {server}" for server in spec.dns])
    elif spec.internet:
        files[RESOLV] = _text(view.resolvers)
    return files


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
