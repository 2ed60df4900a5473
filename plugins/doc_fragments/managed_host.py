# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a managed host is reached: our options, and all that the ssh connection plugin of ansible-core has."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.connection import ssh
from ansible_collections.conductor.containers.plugins.plugin_utils.host_options import managed_host_options


def _as_ours(part: Any) -> Any:
    """With our name of the user, and without the releases of ansible-core, which would be taken for ours."""
    if isinstance(part, list):
        return [_as_ours(each) for each in part]
    if isinstance(part, dict):
        return {key: _as_ours(value) for key, value in part.items() if not key.startswith("version_added")}
    return part.replace("O(remote_user)", "O(host_user)") if isinstance(part, str) else part


class ModuleDocFragment:
    """Options of ssh as the ansible-core that runs knows them, so that none of them is ever missing here."""

    DOCUMENTATION: str


# JSON is YAML, and faster to write.
_OPTIONS = managed_host_options(_as_ours(yaml_load(ssh.DOCUMENTATION)["options"]))
ModuleDocFragment.DOCUMENTATION = json.dumps({"options": _OPTIONS})
