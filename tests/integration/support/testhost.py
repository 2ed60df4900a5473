"""A managed host made of namespaces, with an 'internet' and an 'outside' client; see anchor.py for the picture."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import warm_modules

ROOT = Path(__file__).parents[3]
SUPPORT = Path(__file__).parent
# The interpreter of the "managed host": script/test runs the suite with the distribution's and with the .venv's.
PYTHON = os.environ.get("CONDUCTOR_TEST_PYTHON", str(ROOT / ".venv/bin/python"))


class ModuleFailed(AssertionError):
    """A module said failed: its result is in `result`."""

    def __init__(self, result: dict) -> None:
        super().__init__(result.get("msg"))
        self.result = result


class Node:
    """Where commands run: a set of namespaces named by nsenter's options."""

    def __init__(self, enter: list[str]) -> None:
        self.enter = ["nsenter", *enter, "--"]

    def run(self, *argv: str, check: bool = True, stdin: str | None = None, timeout: float = 120, env=None):
        """Run a command to its end; text in, text out."""
        done = subprocess.run(
            [*self.enter, *argv], input=stdin if stdin is not None else "", capture_output=True, text=True,
            timeout=timeout, check=False, env={**os.environ, **(env or {})},
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{argv} exited {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def user(self, name: str) -> Node:
        """The same where commands run as user `name`, who can read all files, as the code of this project."""
        as_user = ["setpriv", "--reuid", name, "--regid", name, "--clear-groups"]
        able = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        return Node([*self.enter[1:-1], "--", *as_user, *able])

    def popen(self, *argv: str, **options) -> subprocess.Popen:
        """Start a command that goes on; it ends with the test host at the latest."""
        return subprocess.Popen([*self.enter, *argv], **options)


def module_environment() -> dict:
    """What a module needs on its path: the collection, and ansible.module_utils without the .venv's other packages."""
    only = ROOT / ".cache" / "ansible-only"
    only.mkdir(parents=True, exist_ok=True)
    source = next((ROOT / ".venv/lib").glob("python3*/site-packages/ansible")).resolve()
    link = only / "ansible"
    if not link.is_symlink() or link.resolve() != source:
        # Threads of a test run modules, too.
        temporary = only / f".ansible-{secrets.token_hex(4)}"
        temporary.symlink_to(source)
        temporary.rename(link)
    return {
        "PYTHONPATH": f"{ROOT}/.venv/collections:{only}",
        # Without it each module compiles all of its files: a third of its time.
        "PYTHONPYCACHEPREFIX": f"{ROOT}/.cache/bytecode",
        "PYTHONDONTWRITEBYTECODE": "",
        "LC_ALL": "C.UTF-8",
    }


class Host(Node):
    """The managed host of a test. Use it as a context manager: all of it is gone at the end."""

    def __init__(self, size: str = "2g") -> None:
        self.group = f"conductor-test-{os.getpid()}-{secrets.token_hex(4)}"
        unshare = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        self._process = subprocess.Popen(
            [*unshare, sys.executable, "-I", "-S", str(SUPPORT / "anchor.py"), self.group, size],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError("the test host did not come up; see its standard error")
        # unshare --fork: the anchor is the one child of the process that we started.
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.pid = int(children[0])
        base = ["--target", str(self.pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup"]
        super().__init__(base)
        self._own_enter = self.enter
        without_net = ["--target", str(self.pid), "--mount", "--pid", "--uts", "--ipc", "--cgroup"]
        peers = json.loads(line)
        # nsenter enters the mount namespace first: the peers' pids are those of the host's own /proc.
        # For what runs on the host itself and wants to call from there.
        self.outside_pid: int = peers["outside"]
        outer = self._outer_pids()
        self.internet = Node([f"--net=/proc/{outer[peers['internet']]}/ns/net", *without_net])
        self.outside = Node([f"--net=/proc/{outer[peers['outside']]}/ns/net", *without_net])

    def _outer_pids(self) -> dict[int, int]:
        """Pids inside the host to pids out here (NSpid of /proc/PID/status), for the anchor's children."""
        found = {}
        for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            status = Path(f"/proc/{pid}/status").read_text()
            inner = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1]
            found[int(inner)] = int(pid)
        return found

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the host, and with them its namespaces; remove its cgroups."""
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, target, kind, *_ = line.split()
            if kind.startswith("cgroup"):
                remove_cgroup(Path(target, self.group))

    def module(
        self, module: str, /, *, check: bool = False, fails: bool = False, python: str | None = None, **params
    ) -> dict:
        """Run `module` as Ansible would, with `params`; its result. With `python`, or where
        `enter` was changed, in a Python that starts for it.

        Raises ModuleFailed where it failed, unless `fails` says that it must.
        """
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        if python or self.enter != self._own_enter:
            done = self.run(
                python or PYTHON, "-m", f"ansible_collections.conductor.containers.plugins.modules.{module}",
                stdin=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), env=module_environment(), check=False,
            )  # fmt: skip
        else:
            done = warm_modules.run(self, "module", {"module": module, "arguments": arguments, "clock": 0})
        try:
            result = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(
                f"{module} printed no JSON (exit {done.returncode}): {done.stdout}{done.stderr}"
            ) from None
        if bool(result.get("failed")) != fails:
            raise ModuleFailed(result) if result.get("failed") else AssertionError(f"{module} did not fail: {result}")
        return result


def remove_cgroup(directory: Path) -> None:
    """Remove a cgroup and those below it, when the last process in it is gone."""
    if not directory.is_dir():
        return
    for child in directory.iterdir():
        if child.is_dir():
            remove_cgroup(child)
    for _ in range(500):
        try:
            directory.rmdir()
            return
        except OSError:
            # The processes were killed; their cgroup is free once the kernel has buried them.
            with contextlib.suppress(OSError):
                os.sched_yield()
            subprocess.run(["sleep", "0.01"], check=True)
