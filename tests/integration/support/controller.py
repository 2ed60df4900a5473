"""Ansible as its users run it: on this machine, with test hosts as the managed hosts, which real sshds let in.

No network leads from here to a test host. ssh's ProxyCommand is an sshd that nsenter starts in there, and that speaks
by its standard input and output as it does below inetd(8).
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible_core import BIN
from testhost import PYTHON, ROOT, Host, Node

SSHD = """
HostKey /run/ssh/host_key
AuthorizedKeysFile /run/ssh/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
MaxSessions 100
"""
PLAIN = {
    "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.venv/collections",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    "ANSIBLE_HOST_KEY_CHECKING": "no",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "no",
    "ANSIBLE_DEPRECATION_WARNINGS": "no",
    "LC_ALL": "C.UTF-8",
}


@dataclass
class Controller:
    """A directory with a key and an inventory, from which playbooks are run."""

    directory: Path
    # By name: variables of a managed host, and of the containers on it.
    inventory: dict = field(default_factory=dict)
    # By name, where it has several; whoever put them there closes them.
    hosts: dict[str, Host] = field(default_factory=dict)
    # Variables besides PLAIN, and seconds that a program may take.
    environment: dict[str, str] = field(default_factory=dict)
    patience: float = 300

    def __post_init__(self) -> None:
        self.key = self.directory / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)

    def let_in(self, host: Host) -> dict:
        """Have `host` let our key in, for each user; variables for the ssh connection to it."""
        host.run("mkdir", "-p", "/run/ssh", "/run/sshd")
        host.run("tee", "/run/ssh/authorized_keys", stdin=self.key.with_suffix(".pub").read_text())
        host.run("tee", "/run/ssh/sshd_config", stdin=SSHD)
        host.run("sh", "-c", "[ -e /run/ssh/host_key ] || ssh-keygen -q -t ed25519 -N '' -f /run/ssh/host_key")
        # A session of its own: Ansible ends that of a worker which is still there when all is done (2.19), and would
        # take the host away with it.
        proxy = " ".join(["setsid", *host.enter, "/usr/sbin/sshd", "-i", "-f", "/run/ssh/sshd_config"])
        return {
            # Never looked up: the way there is the ProxyCommand.
            "conductor_host": f"test-{host.pid}",
            "conductor_host_python": PYTHON,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o 'ProxyCommand={proxy}'",
            "ansible_control_path_dir": str(self.directory / "cp"),
            # The machine may be busy with other tests.
            "ansible_timeout": 60,
        }

    def leave(self, host: Host) -> None:
        """Take away what `let_in` made."""
        host.run("pkill", "sshd", check=False)
        host.run("rm", "-r", "/run/ssh", "/run/sshd")

    def commands_on_the_host(self, tasks: str, **options) -> int:
        """How many commands of the host's a play takes."""
        return self.playbook(tasks, options=["-vvv"], **options).count("SSH: EXEC")

    def ssh_log(self) -> Path:
        """File in which there is a line for each ssh that is executed from now on."""
        log, wrapper = self.directory / "ssh.log", self.directory / "ssh"
        wrapper.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec ssh "$@"\n')
        wrapper.chmod(0o755)
        for variables in self.inventory.values():
            variables["ansible_ssh_executable"] = str(wrapper)
        return log

    def forwarded(self) -> list[Path]:
        """Sockets of managed hosts that ssh forwards."""
        return list((self.directory / "cp").glob("conductor-*"))

    def add(self, name: str, container: str | None = None, **variables) -> None:
        """A container as a target, `name` in the inventory."""
        self.inventory[name] = {
            "ansible_connection": "conductor.containers.conductor",
            "ansible_python_interpreter": "/usr/bin/python3",
            **({"conductor_container": container} if container else {}),
            **variables,
        }

    def add_host(self, name: str, host: Host, **variables) -> None:
        """A managed host itself as a target, by plain ssh as root, `name` in the inventory."""
        way = {key.replace("conductor_host", "ansible_host"): value for key, value in self.let_in(host).items()}
        self.inventory[name] = {**way, "ansible_user": "root", **variables}

    def playbook(self, *tasks: dict | str, on: Node | None = None, check: bool = True, options=(), **play) -> str:
        """Run a play of `tasks` (YAML where it is text) on all targets; what was printed.

        It runs on this machine, or with `on` on a managed host, as there for containers of the host's own.
        """
        self.write_play(*tasks, **play)
        return self.run("ansible-playbook", "play.yml", *options, on=on, check=check)

    def write_play(self, *tasks: dict | str, **play) -> None:
        """Write the file play.yml."""
        tasks = [task for part in tasks for task in (yaml.safe_load(part) if isinstance(part, str) else [part])]
        # Managed hosts may be in the inventory, too, for what is delegated to them.
        text = yaml.safe_dump([{"hosts": "all:!managed", "gather_facts": False, "tasks": tasks, **play}])
        (self.directory / "play.yml").write_text(text)

    def run(self, program: str, *arguments: str, on: Node | None = None, check: bool = True) -> str:
        """Run a program of Ansible's with the inventory; what was printed, to either stream."""
        process = self.start(program, *arguments, on=on)
        try:
            printed, _ = process.communicate(timeout=self.patience)
        finally:
            process.kill()
        if check and process.returncode:
            raise AssertionError(f"{program} exited {process.returncode}: {printed}")
        return printed

    def start(self, program: str, *arguments: str, on: Node | None = None) -> subprocess.Popen:
        """The same without waiting for its end."""
        groups = {"targets": {"hosts": self.inventory}}
        (self.directory / "hosts.json").write_text(json.dumps({"all": {"children": groups}}))
        command = [*(on.enter if on else []), "env", f"--chdir={self.directory}"]
        command += [str(BIN / program), "-i", "hosts.json", *arguments]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **PLAIN, "ANSIBLE_HOME": str(self.directory / "home"), **self.environment},
        )  # fmt: skip
