"""The server that enters containers (module_utils/_agent), spoken to as a controller does."""

from __future__ import annotations

import socket
import subprocess

from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client, host_bundle, run_cache
from testhost import PYTHON, Host


class EntryServer:
    """The entry server of a test host, where the container `box` runs."""

    def __init__(self, host: Host, python: str = PYTHON) -> None:
        self.host = host
        self.python = python
        command, content = host_bundle.install_command(python)
        subprocess.run([*host.enter, "sh", "-c", command], input=content, check=True)
        self.program, self.path_there = run_cache.agent_paths()
        self.start()
        self.path = self.outside(self.path_there)

    def start(self) -> None:
        """Have it serve, if it does not."""
        self.host.run(self.python, "-I", "-S", self.program, "serve", self.path_there)

    def outside(self, path: str) -> str:
        """A path of the host's, as this process can reach it."""
        return f"/proc/{self.host.pid}/root{path}"

    def run(self, command: str, data: bytes = b"", container: str = "box") -> tuple[int, bytes, bytes]:
        """Have `command` run as root inside: status, output, errors."""
        return agent_client.run(self.path, [container, "root", "/bin/sh", "-c", command], data)

    def ask(self, command: str) -> socket.socket:
        """Have a request taken, and no more."""
        return agent_client.send_request(self.path, ["box", "root", "/bin/sh", "-c", command])

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name in the container's /run."""
        path = f"/var/lib/conductor/containers/box/rootfs/run/{name}"
        return self.host.run("test", "-e", path, check=False).returncode == 0
