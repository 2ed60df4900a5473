# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network spec of a container, stored in its network.json, and the veth pair that follows from it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._engine.paths import owner_of
from ..._engine.typed_values import (
    Kind,
    boolean,
    find_problem,
    integer,
    list_of,
    map_of,
    nullable,
    object_with,
    one_of,
    text,
)
from ..._errors import ConductorError, Damaged, InvalidInput
from .address import parse_address, parse_zoned_address
from .ports import Expose, PortRange, parse_exposes, parse_port_ranges

# An interface name has at most 15 characters: the prefix and 10 hexadecimal digits of a hash of the container name.
LINK_PREFIX = "cdtr-"
INNER_LINK = "eth0"
DEFAULT_MTU = 1500
LEAST_MTU, MOST_MTU = 1280, 65535  # 1280: IPv6 (RFC 8200, 5); 65535: veth


def link_name(container: str) -> str:
    """Return the name of the host end of the container's veth pair."""
    return LINK_PREFIX + hashlib.sha256(container.encode()).hexdigest()[:10]


def mac_of(container_id: str) -> str:
    """Return a locally administered unicast MAC address derived from the container id."""
    digits = hashlib.sha256(container_id.encode()).hexdigest()
    return ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])


def parse_mac(value: str) -> str:
    """Return the option mac in lower case. Raises InvalidInput."""
    text = value.lower()
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", text) or int(text[:2], 16) & 1 or not text.strip("0:"):
        raise InvalidInput(f"mac {value!r} is not a unicast MAC address", "use the form 02:00:0a:57:00:02")
    return text


def parse_mtu(value: int) -> int:
    """Return the option mtu, in bytes. Raises InvalidInput."""
    if not LEAST_MTU <= value <= MOST_MTU:
        raise InvalidInput(f"mtu {value} is out of range", f"use a value from {LEAST_MTU} to {MOST_MTU}")
    return value


def parse_uplink(value: str) -> str:
    """Return the option uplink, an interface name that the kernel allows (dev_valid_name). Raises InvalidInput."""
    is_short = text(value) and 0 < len(value.encode(errors="surrogateescape")) < 16
    if not is_short or value in (".", "..") or re.search(r"[/:\s*\"]", value):
        raise InvalidInput(
            f"uplink: {value!r} is not a valid interface name",
            "use the name of an interface of the host, such as eth0",
        )
    return value


def parse_dns(values: Iterable[str]) -> tuple[str, ...]:
    """Return the option dns as canonical addresses. Raises InvalidInput."""
    remedy = "use the address of the name server, not its name"
    return tuple(parse_zoned_address(value, f"dns {value!r}", remedy) for value in values)


def _ports(value: object) -> bool:
    """Return whether `value` is a port, or text, which may be a range of ports."""
    return text(value) or integer(1, 65535)(value)


def parse_dns_search(values: Collection[object]) -> tuple[str, ...]:
    """Return the option dns_search. Raises InvalidInput."""
    for value in values:
        # A single dot is the root: no domain is searched (--dns-search of docker).
        if not re.fullmatch(r"\.|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?", str(value)):
            raise InvalidInput(f"dns_search {value!r} is not a domain", "use the form example.org")
    return tuple(map(str, values))


def parse_dns_options(values: Collection[object]) -> tuple[str, ...]:
    """Return the option dns_options, words of resolv.conf(5). Raises InvalidInput."""
    for value in values:
        if not re.fullmatch(r"[a-z0-9-]+(:[0-9]+)?", str(value)):
            raise InvalidInput(f"dns_options {value!r} is not an option of resolv.conf", "use the form ndots:2")
    return tuple(map(str, values))


def parse_extra_hosts(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the option extra_hosts, sorted by name: each name with a list of addresses. Raises InvalidInput."""
    if not isinstance(value, Mapping):
        raise InvalidInput("extra_hosts is not a dictionary", "use the form {db: 192.0.2.7}")
    found = []
    for host, addresses in sorted(value.items(), key=str):
        if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?", str(host)):
            raise InvalidInput(f"extra_hosts: {host!r} is not a host name", "use the form db.example.org")
        listed = addresses if isinstance(addresses, (list, tuple)) else [addresses]
        found.append((str(host), tuple(_extra_host(str(host), address) for address in listed)))
    return tuple(found)


def _extra_host(host: str, address: object) -> str:
    if address == "host-gateway":
        return "host-gateway"
    remedy = "use an IP address, or host-gateway for the host"
    return parse_zoned_address(address, f"extra_hosts: {address!r} of {host}", remedy)


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _require_version(version: int, *addresses: str | None) -> None:
    for address in addresses:
        if parse_address(address, f"{address!r}", "use an IP address").version != version:
            raise ValueError(f"{address} is not an IPv{version} address")


@dataclass(frozen=True, order=True)
class PeerEntry:
    """Permission to call the container `peer` with the id `peer_id`. `ports` () means every port."""

    peer: str
    peer_id: str
    ports: tuple[PortRange, ...] = ()


@dataclass(frozen=True)
class StandIn:
    """The container `name` with the id `container_id`, which answers in place of another one.

    `leads`: new connections lead to it. If not, only its open connections stay allowed.
    """

    name: str
    container_id: str
    leads: bool = True

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "container_id": self.container_id, "leads": self.leads}


@dataclass(frozen=True)
class NetworkSpec:
    """The requested network of the container with the id `container_id`. Addresses are in canonical form.

    `stand_in`: the container that answers its peers and its exposed ports during an update.
    """

    container_id: str
    ipv4: str
    gateway4: str
    mac: str
    ipv6: str | None = None
    gateway6: str | None = None
    mtu: int = DEFAULT_MTU
    internet: bool = False
    uplink: str | None = None
    host_access: bool = True
    metadata: bool = False
    dns: tuple[str, ...] | None = None
    dns_search: tuple[str, ...] | None = None
    dns_options: tuple[str, ...] | None = None
    extra_hosts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    expose: tuple[Expose, ...] = ()
    peers: tuple[PeerEntry, ...] = ()
    stand_in: StandIn | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as stored in network.json and shown in results."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            **{name: _listed(getattr(self, name)) for name in ("dns", "dns_search", "dns_options")},
            "extra_hosts": {host: list(addresses) for host, addresses in self.extra_hosts},
            "expose": [expose.to_dict() for expose in self.expose],
            "peers": [
                {"peer": entry.peer, "peer_id": entry.peer_id, "ports": [str(ports) for ports in entry.ports]}
                for entry in self.peers
            ],
            "stand_in": self.stand_in and self.stand_in.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], path: str) -> NetworkSpec:
        """Return the spec that `to_dict` wrote to `path`. Raises Damaged."""
        remedy = f"remove the file and run conductor_network for {owner_of(path)} again"
        # Files of earlier releases have uplink under the name interface.
        renamed = {"uplink": value["interface"]} if "interface" in value else {}
        value = {**renamed, **_ADDED_LATER, **value}
        problem = find_problem(value, _KINDS, _KINDS)
        if problem:
            raise Damaged(f"{path} is damaged ({problem})", remedy)
        # Earlier releases stored addresses with a zone, which nft refuses.
        exposes = [expose for expose in value["expose"] if "%" not in (expose.get("host_ip") or "")]
        try:
            spec = cls(
                **{name: value[name] for name in _PLAIN},
                dns=None if value["dns"] is None else parse_dns(value["dns"]),
                dns_search=None if value["dns_search"] is None else parse_dns_search(value["dns_search"]),
                dns_options=None if value["dns_options"] is None else parse_dns_options(value["dns_options"]),
                extra_hosts=parse_extra_hosts(value["extra_hosts"]),
                expose=parse_exposes(exposes),
                peers=tuple(
                    sorted(PeerEntry(e["peer"], e["peer_id"], parse_port_ranges(e["ports"])) for e in value["peers"])
                ),
                stand_in=value["stand_in"] and StandIn(**value["stand_in"]),
            )
            _require_version(4, spec.ipv4, spec.gateway4)
            if spec.ipv6 is not None:
                _require_version(6, spec.ipv6, spec.gateway6)
            if spec.uplink is not None:
                parse_uplink(spec.uplink)
            parse_mac(spec.mac)
            parse_mtu(spec.mtu)
        except (ValueError, ConductorError) as error:
            raise Damaged(f"{path} is damaged ({error})", remedy) from None
        return spec


_PORT = {
    "container_port": _ports, "host_port": _ports, "protocol": one_of("tcp", "udp"), "host_ip": nullable(text)
}  # fmt: skip
_STAND_IN = {"name": text, "container_id": text, "leads": boolean}
_PEER = {"peer": text, "peer_id": text, "ports": list_of(_ports)}
# Values that are the same in network.json, the spec and results.
_PLAIN: Mapping[str, Kind] = {
    "container_id": text, "ipv4": text, "gateway4": text, "ipv6": nullable(text), "gateway6": nullable(text),
    "mac": text, "mtu": integer(LEAST_MTU, MOST_MTU), "internet": boolean, "uplink": nullable(text),
    "host_access": boolean, "metadata": boolean,
}  # fmt: skip
_KINDS: Mapping[str, Kind] = {
    **_PLAIN,
    **{name: nullable(list_of(text)) for name in ("dns", "dns_search", "dns_options")},
    "extra_hosts": map_of(list_of(text)),
    "expose": list_of(object_with(_PORT, ("container_port", "host_port", "protocol"))),
    "peers": list_of(object_with(_PEER, _PEER)),
    "stand_in": nullable(object_with(_STAND_IN, _STAND_IN)),
}

# Defaults for keys that files of earlier versions lack.
_ADDED_LATER: Mapping[str, Any] = {
    "metadata": False, "dns_search": None, "dns_options": None, "extra_hosts": {}, "stand_in": None,
}  # fmt: skip


@dataclass(frozen=True)
class Link:
    """Both ends of a container's veth pair; `outer` is the host end."""

    outer: str
    outer_altname: str
    inner_altname: str
    mac: str
    mtu: int
    ipv4: str
    gateway4: str
    ipv6: str | None
    gateway6: str | None

    @classmethod
    def of(cls, container: str, spec: NetworkSpec) -> Link:
        """Return the link that `spec` requests for `container`."""
        return cls(
            link_name(container), f"{container}-outside", f"{container}-inside",
            spec.mac, spec.mtu, spec.ipv4, spec.gateway4, spec.ipv6, spec.gateway6,
        )  # fmt: skip
