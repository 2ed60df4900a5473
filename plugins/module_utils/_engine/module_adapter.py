# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules have in common: their parameters, the one place that knows check mode, and their exit."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._errors import ConductorError, HostNotCapable, printable
from .container_records import require_one_directory
from .engine import UseCase, check, perform
from .settings import SETTINGS_SPEC, Settings

# As Ansible writes it for what must not be logged.
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class _Module(AnsibleModule):
    """One whose secrets go neither to syslog nor into `invocation`: values of `env`, whose names stay, and texts.

    The option no_log would do so, and would also hide each occurrence of such a value in the result: "1", or "/".
    """

    def _log_invocation(self) -> None:
        params = self.params
        self.params = without_secrets(params)
        try:
            super()._log_invocation()
        finally:
            self.params = params

    def _return_formatted(self, kwargs: dict) -> None:
        super()._return_formatted({"invocation": {"module_args": without_secrets(self.params)}, **kwargs})


def without_secrets(params: dict) -> dict:
    """Parameters of a module as others may see them."""
    shown = dict(params)
    for name in ("stdin", "content"):
        if shown.get(name) is not None:
            shown[name] = _HIDDEN
    if isinstance(shown.get("env"), dict):
        shown["env"] = dict.fromkeys(shown["env"], _HIDDEN)
    return shown


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
    module = _Module(argument_spec={**SETTINGS_SPEC, **spec}, supports_check_mode=True, **module_options)
    try:
        if os.geteuid():
            raise HostNotCapable("this needs root on the managed host", "set become: true")
        settings = Settings.load(module.params)
        require_one_directory(settings.container_dir)
        case = build(module.params, settings)
        result = check_in_play(case) if module.check_mode else perform(case)
    except ConductorError as error:
        module.fail_json(msg=_shown(str(error)), **_warned(module, error.facts))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        module.fail_json(msg=_shown(f"{error.strerror or error}{where}"))
    if "diff" in result:
        result["diff"] = _shown_diff(result["diff"])
    module.exit_json(**_warned(module, result))


def _warned(module: AnsibleModule, result: dict) -> dict:
    """`result` without its warnings, which the module tells in Ansible's own way."""
    for text in result.get("warnings", ()):
        module.warn(_shown(text))
    return {key: value for key, value in result.items() if key != "warnings"}


def _shown(text: str) -> str:
    """Text that Ansible prints as it is."""
    return printable(text, keep="\n\t")


def _shown_diff(diff: Any) -> Any:
    """A diff without characters that act on a terminal: file names and content may come from a container."""
    if isinstance(diff, list):
        return [_shown_diff(each) for each in diff]
    # What is no text is printed as JSON.
    return {key: _shown(value) if isinstance(value, str) else value for key, value in diff.items()}
