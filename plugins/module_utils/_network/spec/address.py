# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP addresses as users write them."""

from __future__ import annotations

import ipaddress
import re
from typing import Union

from ..._errors import InvalidInput

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def parse_address(value: object, subject: str, remedy: str) -> Address:
    """Return the address that `value` is. Raises InvalidInput about `subject`, also if the address has a zone.

    The module ipaddress accepts any text as a zone (fe80::1%eth0), which nft does not know, and a number as an address.
    """
    text = value if isinstance(value, str) else ""
    if "%" in text:
        raise InvalidInput(f"{subject} has a zone", "use an address without % and the text after it")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(f"{subject} is not an IP address", remedy) from None


def parse_zoned_address(value: object, subject: str, remedy: str) -> str:
    """Return the address that `value` is, in canonical form, with its zone if it has one (RFC 4007, 11).

    For files that the resolver of the container reads; nft knows no zones. Raises InvalidInput about `subject`.
    """
    text, percent, zone = value.partition("%") if isinstance(value, str) else ("", "", "")
    address = parse_address(text, subject, remedy)
    if percent and (address.version != 6 or not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", zone)):
        raise InvalidInput(f"{subject} has an invalid zone", "use the form fe80::1%eth0, or omit % and the zone")
    return f"{address}{percent}{zone}"
