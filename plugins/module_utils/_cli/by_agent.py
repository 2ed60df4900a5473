# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs of this process's arguments by the agent (_agent/live_exec.py, _agent/verb.py).

Most of the time of a command on the host is the start of Python with all modules, which the agent has loaded. So this
file imports only modules in C: signal and socket alone would take as long as the interpreter.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

_SIGNALS = (_signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGHUP)
# Verbs that neither read the standard input nor run a program on the terminal.
_VERBS = ("ps", "run", "create", "start", "stop", "restart", "kill", "rm", "rename", "inspect", "port", "images")
# One of these options is required, so that the verb neither asks nor opens a shell.
_REQUIRED = {"stop": ("-y", "--yes", "--keep"), "run": ("-d", "--detach", "--init", "--")}
_OPTIONS = {"-u": "user", "-w": "chdir", "-e": "env"}
# Seconds within which the agent accepts a request; it may be stopped.
_TIMEOUT = 5.0
# There is no status, since the process that ran the verb was killed.
_KILLED = -1
# The exit status then: that of EffectFailed (main.py).
_LOST = 8
_LOST_TEXT = {
    "live": "the agent that ran the command was killed. See whether the command still runs",
    "verb": "the agent that ran this was killed. Run it again",
}


def run_by_agent(bundle: str, path: str) -> None:
    """Run the verb of this process's arguments by the agent at the socket `path`, and exit with its status.

    Starts an agent of `bundle` if none listens. Returns, and has run nothing, if these arguments, the standard streams
    or the agent require another way.
    """
    request = request_of(sys.argv[1:])
    if request is None or os.geteuid() or not _can_be_passed(is_verb=request[0] == "verb"):
        return
    try:
        status = _ask(bundle, path, request)
    except KeyboardInterrupt:
        status = 128 + _signal.SIGINT
    except OSError:
        # There is no connection.
        return
    if status is not None:
        os._exit(status)


def _ask(bundle: str, path: str, request: list[str]) -> int | None:
    """Return the exit status, None if nothing has run. Raises OSError."""
    connection = _connect(bundle, path)
    if connection is None:
        return None
    try:
        return _run(connection, request)
    finally:
        connection.close()


def request_of(argv: list[str]) -> list[str] | None:
    """Return the request for the verb of `argv`, None if the agent is not asked for it."""
    end = argv.index("--") if "--" in argv else len(argv)
    if argv[:1] == ["exec"]:
        return _request_of_exec(argv, end)
    # "--rm" waits for the end of the command.
    if argv[:1] == [] or argv[0] not in _VERBS or "--rm" in argv[:end]:
        return None
    required = _REQUIRED.get(argv[0])
    if required and not any(word in required for word in argv[: end + 1]):
        return None
    return ["verb", *argv]


def _request_of_exec(argv: list[str], end: int) -> list[str] | None:
    """Return the request for `exec [-u USER] [-w DIR] [-e NAME=VALUE ...] NAME -- COMMAND ...`, None for all else."""
    *options, name = argv[1:end] or [""]
    given: dict[str, list[str]] = {"user": [], "chdir": [], "env": []}
    for option, value in zip(options[::2], options[1::2]):
        if option not in _OPTIONS or value.startswith("-"):
            return None
        given[_OPTIONS[option]].append(value)
    user, chdir, env, command = given["user"], given["chdir"], given["env"], argv[end + 1 :]
    is_plain = len(options) % 2 == 0 and len(user) < 2 and len(chdir) < 2 and all("=" in each for each in env)
    if not is_plain or not name or name.startswith("-") or not command:
        return None
    return ["live", name, *(user or [""]), *(chdir or [""]), str(len(env)), *env, *command]


def _can_be_passed(is_verb: bool) -> bool:
    """Return whether the agent can use the streams of this process.

    A command in a container cannot use a terminal: it belongs to the processes of its session, and the agent is in
    another one. A verb prints text, in the encoding of the agent.
    """
    try:
        for fd in range(3):
            os.fstat(fd)
    except OSError:
        return False
    if is_verb:
        return sys.getfilesystemencoding() == sys.stdout.encoding == "utf-8"
    return not os.isatty(0) and not os.isatty(1)


def _connect(bundle: str, path: str) -> _socket.socket | None:
    """Return a connection to the agent, None if it does not start. Starts it if none listens."""
    for is_started in (False, True):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            # With a timeout, connect(2) does not wait for room in the queue of an agent that is stopped.
            connection.settimeout(_TIMEOUT)
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if is_started or not _start_agent(bundle, path):
                return None
    return None


def _start_agent(bundle: str, path: str) -> bool:
    argv = [sys.executable, "-I", "-S", bundle, "serve", path]
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
    pid = os.posix_spawn(argv[0], argv, {"LC_ALL": "C.UTF-8"}, file_actions=null)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _run(connection: _socket.socket, request: list[str]) -> int | None:
    """Return the exit status, None if nothing has run. Signals to this process are passed on, and end it if they ended
    the verb.
    """
    received: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        received.append(number)
        try:  # noqa: SIM105 - contextlib takes a millisecond to import
            connection.send(bytes([number]))
        except OSError:
            # The command has ended.
            pass

    data = "\0".join(request).encode(errors="surrogateescape")
    # Blocked until the whole request has been sent: after it, each byte is a signal.
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _SIGNALS)
    # nohup(1) ignores SIGHUP.
    passed = [number for number in _SIGNALS if _signal.getsignal(number) != _signal.SIG_IGN]
    handlers = {number: _signal.signal(number, on_signal) for number in passed}
    try:
        connection.sendall(len(data).to_bytes(4, "big") + data)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
        status = _status(connection) if _is_accepted(connection) else None
    except OSError:
        # Before the request was accepted.
        status = None
    finally:
        for number, handler in handlers.items():
            _signal.signal(number, handler)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    if status == _KILLED and not received:
        os.write(2, f"conductor: {_LOST_TEXT[request[0]]}\n".encode())
        return _LOST
    if status in (None, _KILLED):
        for number in received:
            os.kill(os.getpid(), number)
    return status


def _is_accepted(connection: _socket.socket) -> bool:
    """Return whether the agent has accepted the request. Raises OSError."""
    try:
        return connection.recv(1) == b"+"
    except _socket.timeout:
        # After this the agent cannot accept any more, so that the command does not run twice.
        connection.shutdown(_socket.SHUT_RD)
        return connection.recv(1) == b"+"


def _status(connection: _socket.socket) -> int | None:
    """Return the exit status; None if nothing has run, _KILLED if there is no answer."""
    connection.settimeout(None)
    answer = b""
    try:
        while part := connection.recv(64):
            answer += part
    except ConnectionResetError:
        pass
    if answer == b"-":
        return None
    return int(answer) if answer.isdigit() else _KILLED
