# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Query of the containers of a managed host. `host_answer.py` parses the answer."""

from __future__ import annotations

import shlex

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.conductor.containers.plugins.module_utils._errors import one_line
from ansible_collections.conductor.containers.plugins.plugin_utils.host_bundle import install_command
from ansible_collections.conductor.containers.plugins.plugin_utils.run_cache import agent_paths
from ansible_collections.conductor.containers.plugins.plugin_utils.ssh_host import ManagedHost


def query_containers(host: ManagedHost, python: str) -> bytes:
    """Return the output of `_agent/list_containers.py` on the host, run with its `python`.

    Installs the bundle if it is missing. Raises AnsibleConnectionFailure.
    """
    program, _ = agent_paths()
    command = shlex.join(["/bin/sh", "-c", '[ -e "$1" ] || exit 9; exec "$0" -I -S "$1" list', python, program])
    rc, stdout, stderr = host.run(command)
    if rc == 9:
        put, content = install_command(python)
        rc, stdout, stderr = host.run(put, content)
        if rc == 0:
            rc, stdout, stderr = host.run(command)
    if rc:
        raise AnsibleConnectionFailure(one_line(stderr) or f"exit status {rc}")
    return stdout
