#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_exec
short_description: Run a command in a container
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Runs a command in a running container, in all of its namespaces, its root file system and its cgroup, with the
    capabilities of the container at most.
  - The command is not run by a shell, unless the command is a shell.
  - In check mode the command is not run. The result says whether it would be run.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
attributes:
  diff_mode:
    support: none
    details: [The changes of the command are not known.]
  idempotent:
    support: partial
    details: [Only with O(creates) or O(removes).]
options:
  container:
    description: Name of the container.
    type: str
    required: true
  argv:
    description:
      - 'Command to run: a list of the program and its arguments, or a string that is split like
        a shell command.'
      - Defaults to V(/bin/bash) if O(stdin) is given. Mutually exclusive with O(cmd).
    type: raw
  cmd:
    description:
      - Command to run, as a string that is split like a shell command.
      - Mutually exclusive with O(argv).
    type: str
  stdin:
    description: Standard input of the command. It is not written to the log of the host.
    type: str
  stdin_add_newline:
    description: Whether to append a newline to O(stdin) if it does not end with one.
    type: bool
    default: true
  env:
    description:
      - Environment variables of the command, in addition to those of the container, which they
        override.
      - Values are not written to the log of the host.
    type: dict
  chdir:
    description:
      - Directory inside in which the command runs.
      - Defaults to the container's O(conductor.containers.conductor_container#module:working_dir).
    type: str
  user:
    description:
      - User of the command, and optionally its group, V(USER:GROUP).
      - Defaults to the container's O(conductor.containers.conductor_container#module:user).
    type: str
  creates:
    description: Path or glob pattern inside. If it exists, the command is not run.
    type: str
  removes:
    description: Path or glob pattern inside. If it does not exist, the command is not run.
    type: str
  timeout:
    description:
      - Seconds after which the command and its descendants are killed and the task fails.
      - Defaults to no timeout.
    type: float
  output_limit:
    description: Bytes of each output stream that are kept, a number or a text like V(64m), up to
      V(1g). The rest is discarded, with a warning.
    type: raw
    default: 16m
  detach:
    description:
      - Start the command and do not wait for it. Its output goes to the container's log.
      - Mutually exclusive with O(timeout) and O(stdin).
    type: bool
    default: false
seealso:
  - module: conductor.containers.conductor_container
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Show the addresses of a container
  conductor.containers.conductor_exec:
    container: web
    argv: [ip, -brief, address]
  changed_when: false

- name: Initialize a database once
  conductor.containers.conductor_exec:
    container: db
    cmd: /usr/local/bin/init-db --data /var/lib/db
    creates: /var/lib/db/PG_VERSION

- name: Run a script in the container's bash
  conductor.containers.conductor_exec:
    container: web
    stdin: |
      set -eu
      echo "hello from $(hostname)" > /srv/index.html
"""

RETURN = r"""
actions:
  description: The command that was run, or in check mode would be run.
  returned: success
  type: list
  elements: str
  sample: [run ip -brief address in container web]
cmd:
  description: The command and its arguments.
  returned: success, or if the command failed or timed out
  type: list
  elements: str
rc:
  description:
    - Exit status. The negative number of the signal if a signal ended the command.
    - 0 in check mode and if the command was skipped.
    - Null if the command timed out, and with O(detach=true).
  returned: success, or if the command failed or timed out
  type: int
stdout:
  description: Standard output. A byte that is not UTF-8 is replaced by U+FFFD, and a warning tells that.
  returned: success, or if the command failed or timed out; not if the command was detached
  type: str
stdout_lines:
  description: Standard output as a list of lines.
  returned: success, or if the command failed or timed out; not if the command was detached
  type: list
  elements: str
stdout_truncated:
  description: Whether standard output has more than O(output_limit) bytes, of which RV(stdout) contains the first.
  returned: success, or if the command failed or timed out; not if the command was detached
  type: bool
stderr_truncated:
  description: Whether standard error has more than O(output_limit) bytes, of which RV(stderr) contains the first.
  returned: success, or if the command failed or timed out; not if the command was detached
  type: bool
stderr:
  description: Standard error. As for RV(stdout).
  returned: success, or if the command failed or timed out; not if the command was detached
  type: str
stderr_lines:
  description: Standard error as a list of lines.
  returned: success, or if the command failed or timed out; not if the command was detached
  type: list
  elements: str
start:
  description: Time at which the command began.
  returned: if the command was run
  type: str
end:
  description: Time at which the command ended.
  returned: if the command was run
  type: str
delta:
  description: Duration of the command.
  returned: if the command was run
  type: str
pid:
  description: Process id of the command on the host. Null if the command was not run.
  returned: success, with O(detach=true)
  type: int
msg:
  description: Reason for not running the command, with O(creates) or O(removes).
  returned: if the command was skipped
  type: str
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module

# Generated by script/generate, from module_utils/_container/exec/request.py.
ARGUMENT_SPEC = {
    "container": {"type": "str", "required": True},
    "argv": {"type": "raw"},
    "cmd": {"type": "str"},
    "stdin": {"type": "str"},
    "stdin_add_newline": {"type": "bool", "default": True},
    "env": {"type": "dict"},
    "chdir": {"type": "str"},
    "user": {"type": "str"},
    "creates": {"type": "str"},
    "removes": {"type": "str"},
    "timeout": {"type": "float"},
    "output_limit": {"type": "raw", "default": "16m"},
    "detach": {"type": "bool", "default": False},
}
# End of the generated part.


def main() -> None:
    run_module(
        ARGUMENT_SPEC,
        "_container.exec.use_case:ExecCase",
        mutually_exclusive=[("argv", "cmd")],
    )


if __name__ == "__main__":
    main()
