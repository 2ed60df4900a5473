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
  - Runs a command in a running container, in all of its namespaces, its root file system, its cgroup, and with no more
    capabilities than the container has.
  - The command is a list of arguments and is never given to a shell, unless a shell is what it names.
  - In check mode nothing is run; whether it would be is reported.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
attributes:
  idempotent:
    support: partial
    details: [Only with O(creates) or O(removes).]
options:
  container:
    description: Name of the container.
    type: str
    required: true
  argv:
    description: The command and its arguments. Default is V(/bin/bash) where O(stdin) is given.
    type: list
    elements: str
  cmd:
    description: The command and its arguments in one string, which is split by the quoting rules of a shell.
    type: str
  stdin:
    description: What the command reads on its standard input. It is not shown in the log of the host.
    type: str
  stdin_add_newline:
    description: Whether a newline is added to O(stdin) where it does not end with one.
    type: bool
    default: true
  env:
    description: Environment variables, over those of the container. Values are not shown in the log of the host.
    type: dict
  chdir:
    description:
      - Directory inside in which the command runs.
      - Default is the container's O(conductor.containers.conductor_container#module:working_dir).
    type: str
  user:
    description: User, or C(USER:GROUP), of the command. Default is the container's own.
    type: str
  creates:
    description: A path or glob pattern inside. Where it exists, the command is not run.
    type: str
  removes:
    description: A path or glob pattern inside. Where it does not exist, the command is not run.
    type: str
  timeout:
    description: Seconds after which the command and what it has begun are killed and the module fails.
    type: float
  output_limit:
    description:
      - Bytes of each output stream that are kept, a number or text like V(64m), up to V(1g). What comes after them is
        thrown away, with a warning.
    type: raw
    default: 16m
  detach:
    description: Leave the command running and do not wait for it. Its output goes to the container's log.
    type: bool
    default: false
seealso:
  - module: conductor.containers.conductor_container
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Ask a container for its addresses
  conductor.containers.conductor_exec:
    container: web
    argv: [ip, -brief, address]
  changed_when: false

- name: Initialise a database once
  conductor.containers.conductor_exec:
    container: db
    cmd: /usr/local/bin/init-db --data /var/lib/db
    creates: /var/lib/db/PG_VERSION

- name: A small script, by the container's own shell
  conductor.containers.conductor_exec:
    container: web
    stdin: |
      set -eu
      echo "hello from $(hostname)" > /srv/index.html
"""

RETURN = r"""
actions:
  description: What was run, or in check mode would be run.
  returned: success
  type: list
  elements: str
  sample: [run ip -brief address in container web]
cmd:
  description: The command as a list.
  returned: always
  type: list
  elements: str
rc:
  description: Exit status, negative where a signal ended the command. Null where it timed out or was detached.
  returned: always
  type: int
stdout:
  description: Standard output.
  returned: not detached
  type: str
stdout_lines:
  description: The same by lines.
  returned: not detached
  type: list
  elements: str
stdout_truncated:
  description: Whether it printed more than O(output_limit) bytes there, of which RV(stdout) has the first.
  returned: not detached
  type: bool
stderr_truncated:
  description: The same for RV(stderr).
  returned: not detached
  type: bool
stderr:
  description: Standard error.
  returned: not detached
  type: str
stderr_lines:
  description: The same by lines.
  returned: not detached
  type: list
  elements: str
start:
  description: When it began.
  returned: when it was run
  type: str
end:
  description: When it ended.
  returned: when it was run
  type: str
delta:
  description: How long it took.
  returned: when it was run
  type: str
pid:
  description: Process id on the host.
  returned: when O(detach=true)
  type: int
msg:
  description: Why it was not run, with O(creates) and O(removes).
  returned: when it was skipped
  type: str
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
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
        },
        "_container.exec.use_case:ExecCase",
        mutually_exclusive=[("argv", "cmd")],
    )


if __name__ == "__main__":
    main()
