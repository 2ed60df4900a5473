# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choice of a container's range of ids from /etc/subuid, /etc/subgid and other containers' ranges. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..._engine.decimal_number import decimal_number
from ..._engine.id_range import SIZE, IdRange
from ..._errors import Conflict, HostNotCapable

OWNER = "conductor"
# For 4096 containers. Ranges of systemd-nspawn begin here, too (systemd.io/UIDS-GIDS). useradd(8), which assigns ids up
# to 600100000 (login.defs(5)), has room for 5000 users after it.
DEFAULT = IdRange(524288, 4096 * SIZE)


@dataclass(frozen=True)
class IdsView:
    """Text of /etc/subuid and /etc/subgid, and the ranges of all other containers by name."""

    subuid: str = ""
    subgid: str = ""
    assigned: Mapping[str, IdRange] = field(default_factory=dict)


def choose_ids(userns: str | IdRange, view: IdsView) -> IdRange | None:
    """The range for a container with this `userns`; None for the host's ids. Raises the errors of `choose_range`."""
    return None if userns == "host" else choose_range(userns, view)


def choose_range(userns: str | IdRange, view: IdsView) -> IdRange:
    """The range for a container whose `userns` is auto or a range.

    Raises Conflict if another container or a user has ids of that range, HostNotCapable if no range is free.
    """
    if isinstance(userns, IdRange):
        containers = [(f"container {name}", found, "") for name, found in view.assigned.items()]
        for name, other, where in (*containers, *_of_users(view)):
            if userns.overlaps(other):
                raise Conflict(
                    f"userns: ids {userns.base} to {userns.end - 1} are not free: {name} has {other.base} "
                    f"to {other.end - 1}{where}",
                    "choose another base, or auto",
                )
        return userns
    blocked = sorted([*view.assigned.values(), *(ids for _, ids, _ in _of_users(view))], key=lambda found: found.base)
    for pool in _pools(view):
        found = _first_free(pool, blocked)
        if found is not None:
            return found
    raise HostNotCapable(
        f"userns: no range of {SIZE} ids is free for a container",
        f"give the user {OWNER} more ids in /etc/subuid and /etc/subgid, or remove containers",
    )


def unregistered_ids(ids: IdRange, view: IdsView) -> tuple[IdRange, ...]:
    """Ranges to register for the user conductor, so that useradd(8) assigns the `ids` of a container to no user.

    The default if conductor has no range in either file, and `ids` if they are not within a registered range.
    """
    users, groups = _of_owner(view.subuid), _of_owner(view.subgid)
    missing: list[IdRange] = [] if users or groups else [DEFAULT]
    for registered in (users, groups):
        if not _is_within(ids, [*registered, *missing]):
            missing.append(ids)
    return tuple(missing)


def missing_lines(ranges: Iterable[IdRange], text: str) -> str:
    """Lines that give `ranges` to the user conductor, without those that are registered in `text` (subuid(5))."""
    known = _of_owner(text)
    return "".join(f"{OWNER}:{found.base}:{found.size}\n" for found in ranges if not _is_within(found, known))


def _is_within(ids: IdRange, ranges: Iterable[IdRange]) -> bool:
    return any(found.base <= ids.base and ids.end <= found.end for found in ranges)


def _first_free(pool: IdRange, blocked: list[IdRange]) -> IdRange | None:
    """Return the first range of the pool that overlaps none of `blocked`, which are sorted by their bases."""
    base = pool.base
    for other in blocked:
        if other.base >= base + SIZE:
            break
        if other.end > base:
            # In steps from the start of the pool, so that a released range fits the next container.
            base = pool.base + -(-(other.end - pool.base) // SIZE) * SIZE
    return IdRange(base) if base + SIZE <= pool.end else None


def _pools(view: IdsView) -> list[IdRange]:
    """Ranges to choose from: those that conductor has in both files, or in the only one with some, or the default.

    A host may have only one of the files, and another process may have written only one of them so far.
    """
    users, groups = _of_owner(view.subuid), _of_owner(view.subgid)
    if not users or not groups:
        return users or groups or [DEFAULT]
    return [
        IdRange(max(user.base, group.base), min(user.end, group.end) - max(user.base, group.base))
        for user in users
        for group in groups
        if user.overlaps(group)
    ]


def _of_owner(text: str) -> list[IdRange]:
    return [found for name, found in _entries(text) if name == OWNER]


def _of_users(view: IdsView) -> list[tuple[str, IdRange, str]]:
    """Return the ranges of users, each with a text that names the user and one that names the file."""
    files = (("/etc/subuid", view.subuid), ("/etc/subgid", view.subgid))
    return [
        (f"user {name}", found, f" in {path}")
        for path, text in files
        for name, found in _entries(text)
        if name != OWNER
    ]


def _entries(text: str) -> list[tuple[str, IdRange]]:
    """Lines NAME:BASE:SIZE (subuid(5)); other lines are ignored, as by newuidmap(1)."""
    rows = [line.split(":") for line in text.splitlines()]
    numbers = [
        (row[0], decimal_number(row[1], 1 << 32), decimal_number(row[2].strip(), 1 << 32))
        for row in rows
        if len(row) == 3
    ]
    return [(name, IdRange(base, size)) for name, base, size in numbers if base is not None and size]
