# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports: those that a host exposes for a container, and those on which a container may call a peer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .._errors import InvalidInput

PROTOCOLS = ("tcp", "udp")
# Each port of a range is an element of its own in the firewall.
MOST_PORTS = 1024
_SHORT = re.compile(r"(?P<container>\d{1,5}(?:-\d{1,5})??)-(?P<host>\d{1,5})(?:/(?P<protocol>[a-z]+))?")
_EXPOSE_KEYS = {"container_port", "host_port", "protocol", "host_ip"}


def _range(value: object, what: str) -> tuple[int, int]:
    """`80`, `"80"` or `"8000-8010"` as first and last port."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if found is None:
        raise InvalidInput(f"{what} {value!r} is not a port", "give a number like 80 or a range like '8000-8010'")
    first = int(found[1])
    last = int(found[2] or first)
    if not 1 <= first <= last <= 65535:
        raise InvalidInput(f"{what} {value!r} is not a port", "ports go from 1 to 65535, a range upwards")
    return first, last


def _show(first: int, last: int) -> object:
    return first if first == last else f"{first}-{last}"


def _protocol(value: object, what: str) -> str:
    if value not in PROTOCOLS:
        raise InvalidInput(f"{what} has the protocol {value!r}", "it must be tcp or udp")
    return value


@dataclass(frozen=True, order=True)
class Expose:
    """`count` ports of the host, from `host_port` on, that lead to the container's from `container_port` on.

    `host_ip` "" means every address of the host, "0.0.0.0" every IPv4 and "::" every IPv6 address.
    """

    protocol: str
    host_port: int
    container_port: int
    count: int = 1
    host_ip: str = ""

    @classmethod
    def parse(cls, value: object) -> Expose:
        """From `"8080-80"` (container's port first, `/udp` may follow) or from a dictionary. Raises InvalidInput."""
        if isinstance(value, str):
            found = _SHORT.fullmatch(value.strip())
            if found is None or "-" in found["container"]:
                raise InvalidInput(
                    f"expose {value!r} is not understood",
                    "write CONTAINER_PORT-HOST_PORT like '8080-80', or a dictionary for ranges",
                )
            value = {"container_port": found["container"], "host_port": found["host"], "protocol": found["protocol"]}
        if not isinstance(value, dict):
            raise InvalidInput(f"expose {value!r} is not understood", "write '8080-80' or a dictionary")
        unknown = sorted(set(map(str, value)) - _EXPOSE_KEYS)
        if unknown:
            raise InvalidInput(
                f"expose has the unknown key {unknown[0]!r}", f"known are {', '.join(sorted(_EXPOSE_KEYS))}"
            )
        if value.get("container_port") is None:
            raise InvalidInput("expose has no container_port", "name the port inside the container")
        inner = _range(value["container_port"], "container_port")
        host = value.get("host_port")
        outer = inner if host is None else _range(host, "host_port")
        count = inner[1] - inner[0] + 1
        if outer[1] - outer[0] + 1 != count:
            raise InvalidInput(
                f"container_port {_show(*inner)} and host_port {_show(*outer)} are ranges of different length",
                "give as many host ports as container ports",
            )
        if count > MOST_PORTS:
            raise InvalidInput(
                f"the port range {_show(*inner)} has {count} ports", f"at most {MOST_PORTS} are possible"
            )
        protocol = _protocol(value.get("protocol") or "tcp", "expose")
        return cls(protocol, outer[0], inner[0], count, _host_ip(value.get("host_ip")))

    def to_dict(self) -> dict:
        """For specs and results; `parse` reads it back."""
        return {
            "container_port": _show(self.container_port, self.container_port + self.count - 1),
            "host_port": _show(self.host_port, self.host_port + self.count - 1),
            "protocol": self.protocol,
            "host_ip": self.host_ip or None,
        }

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions it is for."""
        return (4, 6) if not self.host_ip else (ipaddress.ip_address(self.host_ip).version,)

    @property
    def any_address(self) -> bool:
        """Whether it takes every address of the host (of its versions)."""
        return not self.host_ip or ipaddress.ip_address(self.host_ip).is_unspecified

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(host port, container port), each."""
        return ((self.host_port + i, self.container_port + i) for i in range(self.count))

    def overlaps(self, other: Expose) -> bool:
        """Whether one packet to the host could be meant for both."""
        if self.protocol != other.protocol or not set(self.versions) & set(other.versions):
            return False
        if not self.any_address and not other.any_address and self.host_ip != other.host_ip:
            return False
        return self.host_port < other.host_port + other.count and other.host_port < self.host_port + self.count

    def __str__(self) -> str:
        where = f"[{self.host_ip}]:" if ":" in self.host_ip else f"{self.host_ip}:" if self.host_ip else ""
        return f"{where}{_show(self.host_port, self.host_port + self.count - 1)}/{self.protocol}"


def _host_ip(value: object) -> str:
    if value is None or value == "":
        return ""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise InvalidInput(f"host_ip {value!r} is not an IP address", "give one of the host's addresses") from None


def parse_exposes(values: Iterable[object]) -> tuple[Expose, ...]:
    """All of an expose option, sorted and without repetition. Raises InvalidInput where two take the same host port."""
    exposes = sorted({Expose.parse(value) for value in values})
    for index, one in enumerate(exposes):
        for other in exposes[index + 1 :]:
            if one.overlaps(other):
                raise InvalidInput(
                    f"expose takes the host port {one} twice ({other})", "give each container port its own"
                )
    return tuple(exposes)


@dataclass(frozen=True, order=True)
class PortRange:
    """Ports of a peer that may be called."""

    protocol: str
    first: int
    last: int

    @classmethod
    def parse(cls, value: object) -> PortRange:
        """From `"80/tcp"`, `"8000-8010/udp"` or `80` (tcp). Raises InvalidInput."""
        ports, slash, protocol = str(value).partition("/")
        if slash and not protocol:
            raise InvalidInput(f"ports {value!r} is not understood", "write '80/tcp' or '8000-8010/udp'")
        first, last = _range(ports, "ports")
        return cls(_protocol(protocol or "tcp", f"ports {value!r}"), first, last)

    def __str__(self) -> str:
        return f"{_show(self.first, self.last)}/{self.protocol}"


def parse_port_ranges(values: Iterable[object]) -> tuple[PortRange, ...]:
    """All of a ports option: sorted, ranges that touch made one (the firewall's set allows no overlap)."""
    merged: list[PortRange] = []
    for ports in sorted({PortRange.parse(value) for value in values}):
        last = merged[-1] if merged else None
        if last and last.protocol == ports.protocol and ports.first <= last.last + 1:
            merged[-1] = PortRange(last.protocol, last.first, max(last.last, ports.last))
        else:
            merged.append(ports)
    return tuple(merged)
