# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command for a client on this host (_cli/by_agent.py), whose standard streams are copied to and from it.

The command gets pipes, since the client's streams may be files or devices of the host. The client passes its signals
on to it (client.py).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from .._container.exec.enter import Command, enter_and_start, pipes
from .._container.exec.pass_through import pass_through
from .._container.exec.running import RunningContainer
from .._container.spec.mounts import parse_path
from .._container.spec.values import parse_argv, parse_env, parse_user
from .._errors import ConductorError
from .._kernel.descriptors import close_other_descriptors
from .client import ACCEPTED, NOT_RUN, require_client, streams_of

# Returns the running container with this name. Raises ConductorError.
FindContainer = Callable[[str], RunningContainer]


def run_live(connection: socket.socket, arguments: list[str], client: int, find: FindContainer) -> bytes:
    """Run the command of `arguments` with the streams of the process `client`; return the answer after ACCEPTED.

    `arguments` are the container, user and working directory ("" for the container's), the number of environment
    variables, these, and the command. Call this in a process of its own. Raises BrokenPipeError if the client has
    disconnected.
    """
    try:
        container, command = _command(arguments, find)
        callers = streams_of(client)
    except (ConductorError, OSError, ValueError):
        return NOT_RUN
    require_client(connection)
    connection.sendall(ACCEPTED)
    streams, ours = pipes()
    try:
        pid = enter_and_start(container.process, container.cgroup, command, streams)
    except (ConductorError, OSError):
        return NOT_RUN
    for fd in streams:
        os.close(fd)
    child = os.pidfd_open(pid)
    try:
        pass_through(child, pid, ours, callers, connection.fileno())
    except (BrokenPipeError, ConnectionResetError):
        # The client was killed. The command notices by its streams. It is a child of this process, which waits for it,
        # since the container's first process may not.
        close_other_descriptors(set())
        os.waitpid(pid, 0)
        raise
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return str(code if code >= 0 else 128 - code).encode()


def _command(arguments: list[str], find: FindContainer) -> tuple[RunningContainer, Command]:
    """Return the container and the command. Raises ConductorError, and ValueError for a request of another form."""
    name, user, chdir, number, *rest = arguments
    count = int(number)
    env = parse_env(dict(each.split("=", 1) for each in rest[:count]), "env")
    container = find(name)
    return container, container.command(
        parse_argv(rest[count:], "argv"),
        parse_user(user, "user") if user else None,
        env,
        parse_path(chdir, "chdir") if chdir else None,
    )
