# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets of this network namespace and their processes (/proc/net/{tcp,tcp6,udp,udp6}, proc(5))."""

from __future__ import annotations

import ipaddress
import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator

TCP_LISTEN, UDP_UNCONNECTED = "0A", "07"
# Limits of the search for owners: descriptors of one process, and of all processes together.
_MOST_OF_PROCESS, _MOST_DESCRIPTORS = 10_000, 200_000


def find_listeners(ports: Iterable[tuple[str, int, int]]) -> list[tuple[str, str, int, str]]:
    """Return the sockets that listen on one of `ports`, each a protocol ("tcp", "udp") and first and last of a range.

    Each socket is (protocol, address, port, process). The unspecified address stands for any address; the process is
    "name (pid N)", or "" if it is unknown.
    """
    found, ranges = [], list(ports)
    for protocol, state in (("tcp", TCP_LISTEN), ("udp", UDP_UNCONNECTED)):
        for suffix in ("", "6"):
            rows = _sockets(f"/proc/net/{protocol}{suffix}", state)
            wanted = [(first, last) for name, first, last in ranges if name == protocol]
            found += [(protocol, *row) for row in rows if any(first <= row[1] <= last for first, last in wanted)]
    # The search through all descriptors of all processes is expensive, so it is only done for the sockets found.
    owners = _owners({row[3] for row in found}) if found else {}
    return sorted((protocol, address, port, owners.get(inode, "")) for protocol, address, port, inode in found)


def _sockets(path: str, state: str) -> list[tuple[str, int, str]]:
    try:
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
    except FileNotFoundError:
        return []  # a kernel without IPv6
    return [(*_endpoint(row[1]), row[9]) for row in rows if row[3] == state]


def _endpoint(text: str) -> tuple[str, int]:
    digits, _colon, port = text.partition(":")
    # Each 32-bit word is in the machine's byte order.
    words = [bytes.fromhex(digits[i : i + 8]) for i in range(0, len(digits), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = ipaddress.ip_address(raw)
    return str(getattr(address, "ipv4_mapped", None) or address), int(port, 16)


def _owners(inodes: set[str]) -> dict[str, str]:
    """Return the process of each socket, as far as it is found.

    Only processes in this network namespace are searched, and only so many descriptors: processes of containers and of
    other users can have any number of them, and share them with any number of processes.
    """
    owners: dict[str, str] = {}
    here = os.stat("/proc/self/ns/net")
    remaining = _MOST_DESCRIPTORS
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if owners.keys() >= inodes or remaining <= 0:
            break
        try:
            if not os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), here):
                continue
            for link in _descriptors(pid, min(remaining, _MOST_OF_PROCESS)):
                remaining -= 1
                inode = re.fullmatch(r"socket:\[(\d+)\]", link)
                if inode and inode[1] in inodes and inode[1] not in owners:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        owners[inode[1]] = f"{file.read().strip()} (pid {pid})"
        except OSError:
            continue  # it ended meanwhile or is hidden (hidepid); the port is reported without a process
    return owners


def _descriptors(pid: str, most: int) -> Iterator[str]:
    """Yield the targets of the first `most` descriptors of a process."""
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in itertools.islice(entries, most):
            try:
                link = os.readlink(entry.path)
            except FileNotFoundError:
                continue  # it was closed meanwhile
            yield link
