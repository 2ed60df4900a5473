# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a use case as an Ansible module: parameters, check mode and exit. No other file handles check mode.

The use case is not in the payload: it is loaded from the bundle on the host (bundle.py), which the action plugin
installs if it is missing.
"""

from __future__ import annotations

import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._errors import LockTimeout
from .bundle import install, load, path_of

# Options of all modules that override settings of the host (settings.py).
_SETTINGS = {
    "image_dir": {"type": "path"},
    "container_dir": {"type": "path"},
    "lock_timeout": {"type": "float"},
}
# Added by the action plugin: the hash of its bundle, and the bundle as a zip file for a host that lacks it. It replaces
# _options, which roles use, by the options in it.
_OF_ACTION = ("_bundle", "_bundle_file", "_options")
# The text that Ansible shows instead of no_log values.
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class _Module(AnsibleModule):  # type: ignore[misc]  # it has no types
    """A module that hides secrets in syslog and `invocation`: stdin, content, logins, values (not names) of variables.

    The option no_log would also hide each occurrence of such a value, for instance "1" or "/", in the result.
    """

    params: dict[str, Any]

    def _load_params(self) -> None:
        super()._load_params()
        self.bundle, self.bundle_file, _ = (self.params.pop(name, None) for name in _OF_ACTION)

    def _log_invocation(self) -> None:
        params = self.params
        self.params = without_secrets(params)
        try:
            super()._log_invocation()
        except UnicodeEncodeError:
            # run_use_case refuses such parameters, and says which.
            pass
        finally:
            self.params = params

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        super()._return_formatted({"invocation": {"module_args": without_secrets(self.params)}, **kwargs})


def without_secrets(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a module with secrets hidden."""
    hidden = {name: _HIDDEN for name in ("stdin", "content") if params.get(name) is not None}
    return {**_without_variables(params), **hidden}


def _without_variables(value: Any) -> Any:
    """Return `value` without logins in `mirror` and values in `env` and `environment` of all dictionaries in it."""
    if isinstance(value, list):
        return [_without_variables(part) for part in value]
    if not isinstance(value, dict):
        return value
    shown = {name: _without_variables(part) for name, part in value.items()}
    if isinstance(shown.get("mirror"), str):
        # A login in a URL, which is an error.
        shown["mirror"] = re.sub("^(https?|ftp)://.*@", rf"\1://{_HIDDEN}@", shown["mirror"])
    for name in ("env", "environment"):
        if isinstance(shown.get(name), dict):
            shown[name] = dict.fromkeys(shown[name], _HIDDEN)
        elif isinstance(shown.get(name), list):
            # NAME=VALUE, as in a Compose document.
            shown[name] = [
                f"{part.partition('=')[0]}={_HIDDEN}" if isinstance(part, str) and "=" in part else part
                for part in shown[name]
            ]
    return shown


def run_module(spec: dict[str, Any], use_case: str, **module_options: Any) -> None:
    """Run a module to its exit. `spec`: its argument_spec without the options of all modules.

    `use_case`: as in run_use_case.
    """
    module = _Module(argument_spec={**_SETTINGS, **spec}, supports_check_mode=True, **module_options)
    if os.geteuid():
        module.fail_json(msg="this module needs root on the managed host. Set become: true.")
    bundle, file = module.bundle, module.bundle_file
    try:
        if file and not module.check_mode:
            install(bundle, file)
            file = None
        run = load("_engine.run_use_case", bundle, file).run_use_case
    except ModuleNotFoundError as error:
        # The action plugin then sends the bundle and runs the module again.
        module.fail_json(msg=f"{path_of(bundle or '')} cannot be imported: {error}", bundle_missing=True)
    except (LockTimeout, OSError, ValueError) as error:
        module.fail_json(msg=f"{path_of(bundle)} cannot be installed: {error}")
    try:
        result = run(use_case, module.params, only_check=module.check_mode)
    except (ImportError, SyntaxError) as error:
        module.fail_json(msg=f"{path_of(bundle or '')} is damaged ({error}). Delete that directory and run this again.")
    for text in result.pop("warnings", ()):
        module.warn(text)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
