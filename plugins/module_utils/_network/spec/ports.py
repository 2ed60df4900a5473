# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that a host exposes for a container, and ports on which a container may call a peer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..._errors import InvalidInput
from .address import parse_address

PROTOCOLS = ("tcp", "udp")
# A range with the same host ports is one nftables element. nft cannot translate by an offset (it lacks
# NF_NAT_RANGE_PROTO_OFFSET), so any other range needs one element for each port.
MOST_SHIFTED = 1024
_SHORT = re.compile(r"(?P<container>\d{1,5})-(?P<host>\d{1,5})(?:/(?P<protocol>[a-z]+))?")
_PAIR = re.compile(r"(?P<container>[\d-]+):(?P<host>[\d-]+)(?:/(?P<protocol>[a-z]+))?")
_EXPOSE_KEYS = {"container_port", "host_port", "protocol", "host_ip"}


def _range(value: object, what: str) -> tuple[int, int]:
    """Return the first and last port of `80`, `"80"` or `"8000-8010"`. Raises InvalidInput."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if found is None:
        raise InvalidInput(f"{what} {value!r} is not a port", "use a number such as 80 or a range such as '8000-8010'")
    first = int(found[1])
    last = int(found[2] or first)
    if not 1 <= first <= last <= 65535:
        raise InvalidInput(f"{what} {value!r} is not a port", "use ports from 1 to 65535, the lower one first")
    return first, last


def _show(first: int, last: int) -> object:
    return first if first == last else f"{first}-{last}"


def _protocol(value: object, what: str) -> str:
    if value not in PROTOCOLS:
        raise InvalidInput(f"{what}: unknown protocol {value!r}", "use tcp or udp")
    return value


@dataclass(frozen=True, order=True)
class Expose:
    """`count` host ports from `host_port` on, forwarded to as many container ports from `container_port` on.

    `host_ip` "" means every address of the host, "0.0.0.0" every IPv4 and "::" every IPv6 address.
    """

    protocol: str
    host_port: int
    container_port: int
    count: int = 1
    host_ip: str = ""

    @classmethod
    def parse(cls, value: object) -> Expose:
        """Return the expose of one list entry. Raises InvalidInput.

        `value` is `"8080-80"` (container port first), `"10000-10100:10000-10100"` (a range with the same host ports),
        each optionally followed by `/udp`, or a dictionary.
        """
        if isinstance(value, str):
            value = _parse_text(value.strip())
        if not isinstance(value, dict):
            raise InvalidInput(
                f"expose {value!r} is not valid", "use CONTAINER_PORT-HOST_PORT such as '8080-80', or a dictionary"
            )
        unknown = sorted(set(map(str, value)) - _EXPOSE_KEYS)
        if unknown:
            raise InvalidInput(f"expose: unknown key {unknown[0]!r}", f"use only {', '.join(sorted(_EXPOSE_KEYS))}")
        if value.get("container_port") is None:
            raise InvalidInput("expose: container_port is missing", "set it to the port in the container")
        inner = _range(value["container_port"], "container_port")
        host = value.get("host_port")
        outer = inner if host is None else _range(host, "host_port")
        count = inner[1] - inner[0] + 1
        if outer[1] - outer[0] + 1 != count:
            raise InvalidInput(
                f"expose: container_port {_show(*inner)} and host_port {_show(*outer)} differ in length",
                "use as many host ports as container ports",
            )
        if inner != outer and count > MOST_SHIFTED:
            raise InvalidInput(
                f"expose: range {_show(*inner)} of {count} ports has other host ports ({_show(*outer)})",
                f"use the same host ports, or a range of at most {MOST_SHIFTED} ports",
            )
        protocol = _protocol(value.get("protocol") or "tcp", "expose")
        return cls(protocol, outer[0], inner[0], count, _host_ip(value.get("host_ip")))

    def to_dict(self) -> dict[str, Any]:
        """Return the form for specs and results, which `parse` accepts."""
        return {
            "container_port": _show(*self.container_ports),
            "host_port": _show(*self.host_ports),
            "protocol": self.protocol,
            "host_ip": self.host_ip or None,
        }

    @property
    def versions(self) -> tuple[int, ...]:
        """Return the IP versions that the expose applies to."""
        return (4, 6) if not self.host_ip else (ipaddress.ip_address(self.host_ip).version,)

    @property
    def any_address(self) -> bool:
        """Return whether the expose applies to every host address of its IP versions."""
        return not self.host_ip or ipaddress.ip_address(self.host_ip).is_unspecified

    @property
    def host_ports(self) -> tuple[int, int]:
        """Return the first and the last host port."""
        return self.host_port, self.host_port + self.count - 1

    @property
    def container_ports(self) -> tuple[int, int]:
        """Return the first and the last container port."""
        return self.container_port, self.container_port + self.count - 1

    def shifted(self) -> Iterator[tuple[int, int]]:
        """Return (host port, container port) of each port if the two differ, else nothing."""
        ports = range(self.count if self.host_port != self.container_port else 0)
        return ((self.host_port + i, self.container_port + i) for i in ports)

    def overlaps(self, other: Expose) -> bool:
        """Return whether one packet to the host could match both."""
        # Most pairs differ in this, and addresses cost more.
        if self.protocol != other.protocol or not overlaps(self.host_ports, other.host_ports):
            return False
        if not set(self.versions) & set(other.versions):
            return False
        return self.any_address or other.any_address or self.host_ip == other.host_ip

    def __str__(self) -> str:
        where = f"[{self.host_ip}]:" if ":" in self.host_ip else f"{self.host_ip}:" if self.host_ip else ""
        return f"{where}{_show(*self.host_ports)}/{self.protocol}"


def _parse_text(text: str) -> dict[str, Any]:
    """Return the dictionary form of an expose in text form. Raises InvalidInput."""
    found = _SHORT.fullmatch(text) or _PAIR.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"expose {text!r} is not valid",
            "use CONTAINER_PORT-HOST_PORT such as '8080-80', a range such as '8000-8010:8000-8010', or a dictionary",
        )
    if ":" in text and found["container"] != found["host"]:
        # Other runtimes have the host port first in this form: the two must not be confused.
        raise InvalidInput(
            f"expose {text!r} does not say which port is the host port",
            "use a dictionary with container_port and host_port",
        )
    return {"container_port": found["container"], "host_port": found["host"], "protocol": found["protocol"]}


def split_published(text: str) -> dict[str, str]:
    """Return the parts of docker's `[[ADDRESS:]HOST_PORT:]CONTAINER_PORT[/PROTOCOL]` by name.

    A part that is left out is "". The values are not checked.
    """
    ports, _, protocol = text.partition("/")
    rest, _, container_port = ports.rpartition(":")
    address, _, host_port = rest.rpartition(":")
    host_ip = re.sub(r"^\[(.*)\]$", r"\1", address)
    return {"host_ip": host_ip, "host_port": host_port, "container_port": container_port, "protocol": protocol}


def expose_warnings(values: Iterable[object]) -> list[str]:
    """Return a warning for each value that exposes one port but looks like a range."""
    warnings = []
    for value in values:
        found = _SHORT.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            continue
        first, second, protocol = int(found["container"]), int(found["host"]), found["protocol"] or "tcp"
        # 8080-18080, and 3000-8000 for TCP, are the usual ways to map a single port to another number.
        second_number = str(second).endswith(str(first)) or (first < 10000 and first % 1000 == second % 1000)
        like_range = not str(second).endswith(str(first)) if protocol == "udp" else not second_number
        if 1024 <= first < second and like_range and (protocol == "udp" or second - first >= 10):
            warnings.append(
                f"expose {value!r} maps container port {first} to host port {second}, but looks like a range. "
                f"For a range, write '{first}-{second}:{first}-{second}/{protocol}'. For one port, write "
                f"{{container_port: {first}, host_port: {second}, protocol: {protocol}}}."
            )
    return warnings


def _host_ip(value: object) -> str:
    if value is None or value == "":
        return ""
    return str(parse_address(value, f"host_ip {value!r}", "use an address of the host"))


def parse_exposes(values: Iterable[object]) -> tuple[Expose, ...]:
    """Return the option expose, sorted and without duplicates. Raises InvalidInput if two use the same host port."""
    exposes = sorted({Expose.parse(value) for value in values})
    found = find_overlap([(expose, "") for expose in exposes], {""})
    if found is not None:
        (other, _), (one, _) = found
        raise InvalidInput(
            f"expose: host port {other} is used twice ({one})", "use a different host port for each container port"
        )
    return tuple(exposes)


Claim = tuple[Expose, str]  # an expose and its owner


def find_overlap(claims: Iterable[Claim], asking: Collection[str]) -> tuple[Claim, Claim] | None:
    """Return two claims that one packet to the host could match, one of them of an owner in `asking`, or None."""
    # The one with the last host port so far, by whether its owner asks, protocol, IP version and address: "" is every
    # address of the host, None any address at all. Pairs are not compared one by one, since there may be thousands.
    last: dict[tuple[bool, str, int, str | None], Claim] = {}
    for claim in sorted(claims):
        one, asks = claim[0], claim[1] in asking
        address = "" if one.any_address else one.host_ip
        for version in one.versions:
            for key in (None,) if one.any_address else ("", address):
                for other_asks in (True, False) if asks else (True,):
                    other = last.get((other_asks, one.protocol, version, key))
                    if other is not None and other[0].overlaps(one):
                        return other, claim
            for key in (None, address):
                other = last.setdefault((asks, one.protocol, version, key), claim)
                if one.host_ports[1] > other[0].host_ports[1]:
                    last[asks, one.protocol, version, key] = claim
    return None


def overlaps(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two ranges, each given by its first and last port, share a port."""
    return one[0] <= other[1] and other[0] <= one[1]


@dataclass(frozen=True, order=True)
class PortRange:
    """A range of ports on which a peer may be called."""

    protocol: str
    first: int
    last: int

    @classmethod
    def parse(cls, value: object) -> PortRange:
        """Return the range of `"80/tcp"`, `"8000-8010/udp"` or `80` (tcp). Raises InvalidInput."""
        ports, slash, protocol = str(value).partition("/")
        if slash and not protocol:
            raise InvalidInput(f"ports {value!r} is not valid", "use the form '80/tcp' or '8000-8010/udp'")
        first, last = _range(ports, "ports")
        return cls(_protocol(protocol or "tcp", f"ports {value!r}"), first, last)

    def __str__(self) -> str:
        return f"{_show(self.first, self.last)}/{self.protocol}"


def parse_port_ranges(values: Iterable[object]) -> tuple[PortRange, ...]:
    """Return the option ports, sorted and with adjacent ranges merged, since the nftables set allows no overlap."""
    return merge_port_ranges({PortRange.parse(value) for value in values})


def merge_port_ranges(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """Return `ranges` sorted, with overlapping and adjacent ranges merged."""
    merged: list[PortRange] = []
    for ports in sorted(ranges):
        last = merged[-1] if merged else None
        if last and last.protocol == ports.protocol and ports.first <= last.last + 1:
            merged[-1] = PortRange(last.protocol, last.first, max(last.last, ports.last))
        else:
            merged.append(ports)
    return tuple(merged)
