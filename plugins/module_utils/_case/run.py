# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules have in common: their parameters, the one place that knows check mode, and their exit."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._errors import ConductorError, HostNotCapable
from .._store.containers import require_one_directory
from .._store.settings import SETTINGS_SPEC, Settings
from .perform import UseCase, check, perform


def check_in_play(case: UseCase) -> dict:
    """What check mode reports. What an earlier task of the play would have made, and check mode has not, is a warning.

    A use case tells by `ahead` what its result is then.
    """
    try:
        return check(case)
    except ConductorError as error:
        if not error.may_come or not hasattr(case, "ahead"):
            raise
        warning = f"{error.message}. In check mode an earlier task of the play has not made or started it."
        return {"changed": True, "diff": {"before": {}, "after": {}}, "warnings": [warning], **case.ahead()}


def run_module(spec: dict, build: Callable[[dict, Settings], UseCase], **module_options: Any) -> None:
    """Run a module to its exit: `spec` is its argument_spec without the shared settings, `build` makes its use case."""
    module = AnsibleModule(argument_spec={**SETTINGS_SPEC, **spec}, supports_check_mode=True, **module_options)
    try:
        if os.geteuid():
            raise HostNotCapable("this needs root on the managed host", "set become: true")
        settings = Settings.load(module.params)
        require_one_directory(settings.container_dir)
        case = build(module.params, settings)
        result = check_in_play(case) if module.check_mode else perform(case)
    except ConductorError as error:
        module.fail_json(msg=str(error), **error.facts)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        module.fail_json(msg=f"{error.strerror or error}{where}")
    module.exit_json(**result)
