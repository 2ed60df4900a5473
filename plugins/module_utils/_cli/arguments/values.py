# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of arguments. The functions raise ArgumentTypeError, whose text argparse prints."""

from __future__ import annotations

import argparse
import datetime
import re
import time

from ..._engine.decimal_number import decimal_number


def expose_value(text: str) -> str | dict[str, str]:
    """Return an entry of the option expose of conductor_network: a string, or a dictionary for KEY=VALUE,..."""
    if "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    value = {key: given for key, _, given in pairs}
    if not all(given for _, _, given in pairs) or len(value) != len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of KEY=VALUE, each key once")
    return value


def published(text: str) -> dict[str, str]:
    """Return an entry of the option expose of conductor_network for [ADDRESS:]HOST_PORT:CONTAINER_PORT[/udp]."""
    # Other verbs do without it: its import takes longer than the start of Python.
    from ..._network.spec.ports import split_published

    found = split_published(text)
    if not found["host_port"] or not found["container_port"]:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not [ADDRESS:]HOST_PORT:CONTAINER_PORT[/PROTOCOL], for example 8080:80"
        )
    return {key: value for key, value in found.items() if value}


def volume(text: str) -> dict[str, object]:
    """Return an entry of the option mounts of conductor_container for SOURCE:TARGET[:ro,noidmap,rslave]."""
    source, _, rest = text.partition(":")
    target, _, modes = rest.partition(":")
    given = set(modes.split(",")) - {""}
    if not source.startswith("/") or not target.startswith("/") or given - {"ro", "rw", "noidmap", "rslave"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not SOURCE:TARGET[:ro,noidmap,rslave] with two absolute paths")
    mount: dict[str, object] = {"source": source, "target": target}
    propagation = {"propagation": "slave"} if "rslave" in given else {}
    return {**mount, "read_only": "ro" in given, "idmap": "noidmap" not in given, **propagation}


def variable(text: str) -> tuple[str, str]:
    """Return name and value of an environment variable."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def seconds(text: str) -> float:
    try:
        if 0 < (seconds := float(text)) < 1e6:
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")


def since(text: str) -> float:
    """Convert the value of --since, a duration, a date or seconds since 1970, to seconds since 1970.

    A date without a time zone is one of the host's. Raises argparse.ArgumentTypeError.
    """
    duration = re.fullmatch(r"(?=.)(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?", text)
    if duration:
        return time.time() - sum(int(n or 0) * unit for n, unit in zip(duration.groups(), (86400, 3600, 60, 1)))
    if re.fullmatch(r"[0-9]{9,11}(\.[0-9]+)?", text):
        return float(text)
    try:
        # fromisoformat() of Python 3.9 does not know Z.
        return datetime.datetime.fromisoformat(re.sub("Z$", "+00:00", text)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a duration, as 10m or 1h30m, nor a date, as 2026-11-29T12:00"
        ) from None


def lines(text: str) -> int:
    """Return a number of lines."""
    number = decimal_number(text, 1 << 63)
    if number is not None:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
