# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command of a controller comes to run in a container: by a socket of this machine's that leads to the server.

Nothing is started for it: no ssh, no shell, no client. The other end is module_utils/_agent/relayed_streams.py, which
tells the protocol.
"""

from __future__ import annotations

import hashlib
import os
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Any

from ansible import constants as C
from ansible.utils.path import unfrackpath

# What a user may write for "this very machine". 127.0.0.1 is not among it: virtual machines answer there.
_HERE = (None, "", "local", "localhost")
_STDOUT, _STDERR, _END = b"1", b"2", b"."
_TAKEN = b"+"
_HEAD = struct.Struct("!cI")
# Bytes read at a time.
_PIECE = 1 << 18
# Bytes of one frame and of the answer at the end: the server sends less (module_utils/_agent/relayed_streams.py).
_LONGEST_FRAME = 1 << 20
_LONGEST_ANSWER = 1 << 14
# Seconds within which a server takes a request: one that is stopped must not stop a run.
_PATIENCE = 60.0
# Options that tell one connection of ssh from another, and what it leads to.
_WHICH = (
    "host", "port", "host_user", "private_key_file", "control_path", "ssh_args", "ssh_common_args", "ssh_extra_args",
    "host_become", "host_become_method", "host_become_user",
)  # fmt: skip


class NotRun(Exception):
    """The command was not run, and why."""


class NotTaken(Exception):
    """Nobody there takes a request, so that it was not carried out."""


class Lost(Exception):
    """The connection ended while the command was under way."""


def request_of(container: str, user: str, command: str) -> list[str]:
    """What the server is asked: to run `command`, which is for a shell, as `user` in `container`."""
    return [container, user, "/bin/sh", "-c", command]


def is_here(host: str | None) -> bool:
    """Whether the option `host` means this machine itself."""
    return host in _HERE


def path_to(socket_there: str, option: Callable[[str], Any]) -> str | None:
    """Path on this machine by which to connect to `socket_there`, root's on a host; None where there cannot be one.

    There need not be anything at it yet. `option` is get_option of a plugin with the options for a host.
    """
    here = is_here(option("host"))
    if here and not option("host_become"):
        return socket_there
    which = [socket_there, *(str(option(name)) for name in _WHICH)]
    name = f"conductor-{hashlib.sha256(repr(which).encode()).hexdigest()[:10]}"
    path = os.path.join(C.DEFAULT_LOCAL_TMP if here else unfrackpath(option("control_path_dir")), name)
    return None if os.path.exists(refused_mark(path)) else path


def refused_mark(path: str) -> str:
    """File that tells, in this run of Ansible, that nothing can be forwarded to `path`."""
    return os.path.join(C.DEFAULT_LOCAL_TMP, f"{os.path.basename(path)}-refused")


def secret_file(path: str) -> str:
    """File that has, in this run of Ansible, what requests at `path` begin with, where root is become on the host."""
    return os.path.join(C.DEFAULT_LOCAL_TMP, f"{os.path.basename(path)}-secret")


def is_answered(path: str, at: str | None = None) -> bool:
    """Whether somebody at `path` takes requests, or at `at`, which is to become that. Nothing is run."""
    try:
        _ask(path, [], at).close()
    except NotTaken:
        return False
    return True


def run(path: str, request: list[str], data: bytes) -> tuple[int, bytes, bytes]:
    """Have the server at `path` carry `request` out, fed with `data`: the command's status, output and errors.

    Raises NotTaken; NotRun where the server says why there is no status; Lost.
    """
    with _ask(path, request) as connection:
        connection.setblocking(False)
        received = _Received()
        # The input and its size are sent once the request has been taken: then it is run, and not before.
        to_send = memoryview(struct.pack("!Q", len(data)) + data)
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            try:
                while received.end is None:
                    for _, events in selector.select():
                        if events & selectors.EVENT_READ:
                            received.add(connection.recv(_PIECE))
                        elif to_send:
                            to_send = to_send[connection.send(to_send) :]
                        if not to_send:
                            selector.modify(connection, selectors.EVENT_READ)
            except OSError as error:
                raise Lost(error.strerror) from None
    return received.outcome()


def _ask(path: str, request: list[str], at: str | None = None) -> socket.socket:
    """A connection to whoever listens at `path`, or at `at`, and has taken `request`. Raises NotTaken."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(at or path)
        connection.settimeout(_PATIENCE)
        # Whoever could put another one there would be told all.
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        body = "\0".join([*_secret(path), "relayed", *request]).encode(errors="surrogateescape")
        if uid in (0, os.geteuid()):
            connection.sendall(struct.pack("!I", len(body)) + body)
            if connection.recv(1) == _TAKEN:
                connection.settimeout(None)
                return connection
    # Also where a path is too long for a socket.
    except OSError:
        pass
    connection.close()
    raise NotTaken


def _secret(path: str) -> list[str]:
    try:
        with open(secret_file(path), encoding="ascii") as file:
            return [file.read()]
    except FileNotFoundError:
        return []


class _Received:
    """The frames that have come."""

    def __init__(self) -> None:
        self.end: str | None = None
        self._rest = bytearray()
        self._output: dict[bytes, list[bytes]] = {_STDOUT: [], _STDERR: []}

    def add(self, data: bytes) -> None:
        """Take what was received. Raises OSError if that is the end before the answer, or no answer of the server's."""
        if not data:
            raise ConnectionResetError(0, "it was closed")
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(self._rest)
            if kind not in (_STDOUT, _STDERR, _END) or size > (_LONGEST_ANSWER if kind == _END else _LONGEST_FRAME):
                raise ConnectionAbortedError(0, "the server's answer cannot be understood")
            if len(self._rest) < _HEAD.size + size:
                break
            content = bytes(self._rest[_HEAD.size : _HEAD.size + size])
            del self._rest[: _HEAD.size + size]
            if kind == _END:
                self.end = content.decode(errors="replace")
            else:
                self._output[kind].append(content)

    def outcome(self) -> tuple[int, bytes, bytes]:
        """Status, output and errors. Raises NotRun, Lost."""
        end = self.end
        if end is not None and end.startswith("!"):
            raise NotRun(end[1:])
        if end is None or not (end.isascii() and end.isdigit() and len(end) <= 3):
            raise Lost("the server's answer cannot be understood")
        return int(end), b"".join(self._output[_STDOUT]), b"".join(self._output[_STDERR])
