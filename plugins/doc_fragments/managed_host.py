# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for the connection to a managed host: ours, and all options of ansible-core's ssh connection plugin."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.connection import ssh
from ansible_collections.conductor.containers.plugins.plugin_utils.host_options import managed_host_options


def _as_ours(part: Any) -> Any:
    """Rename remote_user to our host_user, and remove version_added, whose releases are those of ansible-core."""
    if isinstance(part, list):
        return [_as_ours(each) for each in part]
    if isinstance(part, dict):
        return {key: _as_ours(value) for key, value in part.items() if not key.startswith("version_added")}
    return part.replace("O(remote_user)", "O(host_user)") if isinstance(part, str) else part


class ModuleDocFragment:
    """Options of ssh, read from the running ansible-core, so that the list is complete for each release."""

    DOCUMENTATION: str


# JSON is valid YAML, and faster to write.
_OPTIONS = managed_host_options(_as_ours(yaml_load(ssh.DOCUMENTATION)["options"]))
ModuleDocFragment.DOCUMENTATION = json.dumps({"options": _OPTIONS})
