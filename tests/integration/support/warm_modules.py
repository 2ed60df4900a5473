"""Modules without the start of a Python for each: a process on the test host that has them loaded forks for each call.

What runs is the module's own main(), with its parameters as Ansible gives them, in a process of its own that can be
killed at any moment. A tenth of the time of Host.module, for tests of very many calls.

As a program, on the host: one JSON object a line in, one out.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback

NAMES = ("container", "container_info", "exec", "image", "network", "network_info", "peer")
USE_CASES = (
    "_container.use_case",
    "_container.info",
    "_container.exec.use_case",
    "_build.use_case",
    "_network.use_case",
    "_network.info",
    "_network.peer_use_case",
)
LONGEST = 180  # seconds; what takes longer hangs


class WarmModules:
    """The host's side of it. Not for two threads at once: have one each."""

    def __init__(self, host) -> None:
        from testhost import PYTHON, module_environment

        self._process = host.popen(
            PYTHON, __file__, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **module_environment()},
        )  # fmt: skip

    def module(
        self, module: str, /, *, check: bool = False, kill_after: float | None = None, clock: float = 0, **params
    ) -> dict | None:
        """Result of `module`, failed or not. None where it was killed (SIGKILL) after `kill_after` seconds.

        `clock` is by how many seconds its wall clock, as time.time() tells it, is wrong.
        """
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        answer = self._ask(module=module, arguments=arguments, kill_after=kill_after, clock=clock)
        if answer["killed"]:
            assert kill_after is not None, f"{module} with {params} did not end within {LONGEST} s"
            return None
        try:
            return json.loads(answer["output"])
        except ValueError:
            raise AssertionError(f"{module} with {params} printed no JSON: {answer['output']}") from None

    def look(self) -> dict:
        """What kernel_view.look says of the host."""
        return self._ask(look=True)

    def _ask(self, **request) -> dict:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the process that runs modules ended; it was asked for {request}")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def serve() -> None:
    """Answer requests until there are no more."""
    import kernel_view

    loaded = {f"conductor_{name}": load(f"modules.conductor_{name}") for name in NAMES}
    # What a module loads from the bundle, here beforehand.
    for name in ("_engine.run_use_case", *USE_CASES):
        load(f"module_utils.{name}")
    # pyroute2 is what modules import at the moment of need; here that moment is now.
    importlib.import_module("pyroute2")
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    # Nothing that a module starts may hold the channel that answers go through.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for line in requests:
        request = json.loads(line)
        answer = kernel_view.look() if request.get("look") else run(loaded[request["module"]], request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def load(module: str):
    return importlib.import_module(f"ansible_collections.conductor.containers.plugins.{module}")


def run(module, request: dict) -> dict:
    """Fork, have the child be the module, kill it in time; what it printed."""
    output = os.memfd_create("output")
    child = os.fork()
    if child == 0:
        os.dup2(output, 1)
        os.dup2(output, 2)
        be(module, request)
    killed = False
    pidfd = os.pidfd_open(child)
    if not select.select([pidfd], [], [], LONGEST if request["kill_after"] is None else request["kill_after"])[0]:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        killed = True
    os.close(pidfd)
    _, status = os.waitpid(child, 0)
    with os.fdopen(output, "rb") as file:
        file.seek(0)
        text = file.read().decode(errors="replace")
    return {"killed": killed and os.WIFSIGNALED(status), "output": text}


def be(module, request: dict) -> None:
    """Be a run of `module`, to the end of this process."""
    from ansible.module_utils import basic

    status = 1
    try:
        if request["clock"]:
            right = time.time
            time.time = lambda: right() + request["clock"]
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": request["arguments"]}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        module.main()
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
