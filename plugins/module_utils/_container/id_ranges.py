# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Id ranges of containers: each is recorded in its container.json, and is released when that file is deleted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator

from .._engine.container_records import build_names, container_names, read_common_spec
from .._engine.id_range import IdRange
from .._engine.paths import ContainerPaths
from .._errors import Damaged, HostNotCapable, LockTimeout
from .._kernel.files.atomic_write import read_text, write_atomic

SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"
_PASSWD_LOCK = "/etc/.pwd.lock"


def read_ids(paths: ContainerPaths) -> IdRange | None:
    """The container's range; None if it uses the host's ids or does not exist. Raises Damaged."""
    kept = read_common_spec(paths)
    if kept is None or kept.get("userns", "host") == "host":
        return None
    ids = kept.get("ids")
    if ids is None:
        raise Damaged(
            f"{paths.spec} is damaged (it has no ids)", f"remove {paths.name} with state=absent and force=true"
        )
    return IdRange(ids["base"], ids["size"])


def assigned_ids(container_dir: str, but: str) -> dict[str, IdRange]:
    """Ranges of all containers and image builds except `but`, by name."""
    found = {}
    for name in (*container_names(container_dir), *build_names(container_dir)):
        paths = ContainerPaths.of(container_dir, name)
        ids = _ids_or_owner(paths) if name != but else None
        if ids is not None:
            found[name] = ids
    return found


def subid_files() -> list[str]:
    """Those of /etc/subuid and /etc/subgid that exist. Without them, useradd(8) assigns no such ids."""
    return [path for path in (SUBUID, SUBGID) if os.path.exists(path)]


@contextlib.contextmanager
def lock_subid_files(timeout: float) -> Iterator[None]:
    """Hold the lock of programs that change users (lckpwdf(3)) during the block.

    Raises LockTimeout after `timeout` seconds, HostNotCapable if /etc is not writable.
    """
    try:
        fd = os.open(_PASSWD_LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _not_writable(_PASSWD_LOCK, error) from None
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                # fcntl(2), on the whole file; closing the descriptor releases it.
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                if time.monotonic() >= deadline:
                    raise LockTimeout(
                        f"{_PASSWD_LOCK}: another program holds the lock for longer than {timeout:g} s",
                        "run this again when that program (useradd or usermod, for instance) has exited",
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def append_ids(path: str, lines: str) -> None:
    """Append `lines` to /etc/subuid or /etc/subgid, under `lock_subid_files`. Raises HostNotCapable."""
    text = read_text(path)
    if text and not text.endswith("\n"):
        text += "\n"
    try:
        write_atomic(os.path.realpath(path), (text + lines).encode(errors="surrogateescape"), os.stat(path).st_mode)
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: str, error: OSError) -> HostNotCapable:
    return HostNotCapable(
        f"{path}: cannot be written ({error.strerror}), so useradd could assign ids of containers to users",
        f"register the ids for the user conductor, like conductor:524288:268435456 in {SUBUID} and {SUBGID}",
    )


def _ids_or_owner(paths: ContainerPaths) -> IdRange | None:
    try:
        return read_ids(paths)
    except Damaged:
        pass
    # A container with a damaged spec may still run: the owner of its files shows its range.
    try:
        owner = os.stat(paths.upper).st_uid
    except OSError:
        return None
    return IdRange(owner) if owner else None
