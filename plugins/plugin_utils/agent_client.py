# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the agent on a managed host over a local socket that leads to it, without starting ssh, a shell or perl.

The other end is module_utils/_agent/relayed_streams.py, which describes the protocol.
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

# Values of `host` for the controller itself. 127.0.0.1 is not one of them: virtual machines often listen there.
_HERE = (None, "", "local", "localhost")
_STDOUT, _STDERR, _END = b"1", b"2", b"."
_TAKEN = b"+"
_HEAD = struct.Struct("!cI")
# Bytes per read.
_PIECE = 1 << 18
# Maximum bytes of one frame and of the final answer; the agent sends less (module_utils/_agent/relayed_streams.py).
_LONGEST_FRAME = 1 << 20
_LONGEST_ANSWER = 1 << 14
# Seconds within which an agent must accept a request: a stopped agent must not block a run.
ACCEPT_TIMEOUT = 60
# Options that identify an ssh connection and its destination.
_CONNECTION_OPTIONS = (
    "host", "port", "host_user", "private_key_file", "control_path", "ssh_args", "ssh_common_args", "ssh_extra_args",
    "host_become", "host_become_method", "host_become_user",
)  # fmt: skip


class NotRun(Exception):
    """The command was not run; the message is the reason."""


class NotAccepted(Exception):
    """No agent accepted the request, so it was not carried out."""


class ConnectionLost(Exception):
    """The connection ended while the command was running."""


def command_request(container: str, user: str, command: str) -> list[str]:
    """Return the request to run the shell command `command` as `user` in `container`."""
    return [container, user, "/bin/sh", "-c", command]


def is_controller(host: str | None) -> bool:
    """Return whether the value of option `host` means the controller itself."""
    return host in _HERE


def local_socket_path(socket_there: str, option: Callable[[str], Any]) -> str | None:
    """Return the local path of the socket that leads to `socket_there`, the agent's on the host.

    None if an earlier task found that there cannot be one. The path need not exist yet. `option` is get_option of a
    plugin with the options of the host.
    """
    here = is_controller(option("host"))
    if here and not option("host_become"):
        return socket_there
    identity = [socket_there, *(str(option(name)) for name in _CONNECTION_OPTIONS)]
    name = f"conductor-{hashlib.sha256(repr(identity).encode()).hexdigest()[:10]}"
    path = os.path.join(C.DEFAULT_LOCAL_TMP if here else unfrackpath(option("control_path_dir")), name)
    return None if os.path.exists(no_forward_mark(path)) else path


def no_forward_mark(path: str) -> str:
    """Return the file whose existence means that in this run of Ansible no socket can be forwarded to `path`."""
    return os.path.join(C.DEFAULT_LOCAL_TMP, f"{os.path.basename(path)}-refused")


def secret_file(path: str) -> str:
    """Return the file with the secret for requests at `path` in this run of Ansible, if the host requires become."""
    return os.path.join(C.DEFAULT_LOCAL_TMP, f"{os.path.basename(path)}-secret")


def accepts_requests(path: str, at: str | None = None) -> bool:
    """Return whether an agent accepts requests at `path`, or at `at`, its temporary name. Runs no command."""
    try:
        send_request(path, [], at).close()
    except NotAccepted:
        return False
    return True


def run(path: str, request: list[str], data: bytes) -> tuple[int, bytes, bytes]:
    """Send `request` with the input `data` to the agent at `path`; return the command's status, output and errors.

    Raises NotAccepted if no agent accepts the request, NotRun if the agent reports an error, ConnectionLost if the
    connection ends.
    """
    with send_request(path, request) as connection:
        connection.setblocking(False)
        received = ReceivedFrames()
        # The agent runs the command only after it has received the size of the input, so send that after the request.
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
                raise ConnectionLost(error.strerror) from None
    return received.outcome()


def send_request(path: str, request: list[str], at: str | None = None) -> socket.socket:
    """Connect to the agent at `path`, or at `at`, and return the connection after it accepted `request`.

    Raises NotAccepted.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Bounds connect(2), too, which waits for room in the queue of the listener; with settimeout() it would not.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", ACCEPT_TIMEOUT, 0))
        connection.connect(at or path)
        connection.settimeout(ACCEPT_TIMEOUT)
        # Another user who could replace the socket would receive all requests.
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        body = "\0".join([*_secret(path), "relayed", *request]).encode(errors="surrogateescape")
        if uid in (0, os.geteuid()):
            connection.sendall(struct.pack("!I", len(body)) + body)
            if connection.recv(1) == _TAKEN:
                connection.settimeout(None)
                return connection
    # OSError also if the path is too long for a socket (unix(7)).
    except OSError:
        pass
    connection.close()
    raise NotAccepted


def _secret(path: str) -> list[str]:
    try:
        with open(secret_file(path), encoding="ascii") as file:
            return [file.read()]
    except FileNotFoundError:
        return []


class ReceivedFrames:
    """The frames received so far."""

    def __init__(self) -> None:
        self.end: str | None = None
        self._rest = bytearray()
        self._output: dict[bytes, list[bytes]] = {_STDOUT: [], _STDERR: []}

    def add(self, data: bytes) -> None:
        """Add received bytes. Raises OSError if the connection ended before the answer, or if a frame is invalid."""
        if not data:
            raise ConnectionResetError(0, "closed by the host")
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(self._rest)
            if kind not in (_STDOUT, _STDERR, _END) or size > (_LONGEST_ANSWER if kind == _END else _LONGEST_FRAME):
                raise ConnectionAbortedError(0, "invalid answer from the agent")
            if len(self._rest) < _HEAD.size + size:
                break
            content = bytes(self._rest[_HEAD.size : _HEAD.size + size])
            del self._rest[: _HEAD.size + size]
            if kind == _END:
                self.end = content.decode(errors="replace")
            else:
                self._output[kind].append(content)

    def outcome(self) -> tuple[int, bytes, bytes]:
        """Return status, output and errors.

        Raises NotRun for an error of the agent, ConnectionLost for an invalid answer.
        """
        end = self.end
        if end is not None and end.startswith("!"):
            raise NotRun(end[1:])
        if end is None or not (end.isascii() and end.isdigit() and len(end) <= 3):
            raise ConnectionLost("invalid answer from the agent")
        return int(end), b"".join(self._output[_STDOUT]), b"".join(self._output[_STDERR])
