# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of Ansible around a use case: its parameters, check mode, and its exit. Only here check mode is known.

The use case is not in the payload: it is loaded from the bundle on the host (bundle.py), which the action plugin puts
there if it is missing.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .bundle import install, load, path_of

# Options of all modules for the host's settings (settings.py).
_SETTINGS = {
    "image_dir": {"type": "path"},
    "container_dir": {"type": "path"},
    "lock_timeout": {"type": "float"},
}
# From the action plugin: the hash of its bundle, and a zip file of it for a host that does not have it. What roles give
# as _options becomes options of the module there.
_BUNDLE = {"_bundle": {"type": "str"}, "_bundle_file": {"type": "path"}, "_options": {"type": "raw"}}
# As Ansible writes it for what must not be logged.
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class _Module(AnsibleModule):  # type: ignore[misc]  # it has no types
    """A module whose secrets go neither to syslog nor into `invocation`: values of `env`, whose names stay, and texts.

    The option no_log would do so, and would also hide each occurrence of such a value in the result: "1", or "/".
    """

    params: dict[str, Any]

    def _log_invocation(self) -> None:
        params = self.params
        self.params = without_secrets(params)
        try:
            super()._log_invocation()
        finally:
            self.params = params

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        super()._return_formatted({"invocation": {"module_args": without_secrets(self.params)}, **kwargs})


def without_secrets(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a module as others may see them."""
    shown = {name: value for name, value in params.items() if name not in _BUNDLE}
    for name in ("stdin", "content"):
        if shown.get(name) is not None:
            shown[name] = _HIDDEN
    if isinstance(shown.get("env"), dict):
        shown["env"] = dict.fromkeys(shown["env"], _HIDDEN)
    return shown


def run_module(spec: dict[str, Any], use_case: str, **module_options: Any) -> None:
    """Run a module to its exit: `spec` is its argument_spec without what all modules have.

    `use_case`: as for run_use_case.
    """
    module = _Module(argument_spec={**_SETTINGS, **_BUNDLE, **spec}, supports_check_mode=True, **module_options)
    if os.geteuid():
        module.fail_json(msg="this needs root on the managed host. Set become: true.")
    params = dict(module.params)
    bundle, file, _ = (params.pop(name) for name in _BUNDLE)
    try:
        if file and not module.check_mode:
            install(bundle, file)
            file = None
        run = load("_engine.run_use_case", bundle, file).run_use_case
    except ModuleNotFoundError as error:
        # The action plugin sends the bundle then, and runs the module again.
        module.fail_json(msg=f"{path_of(bundle or '')} cannot be imported: {error}", bundle_missing=True)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{path_of(bundle)} cannot be installed: {error}")
    try:
        result = run(use_case, params, only_check=module.check_mode)
    except (ImportError, SyntaxError) as error:
        module.fail_json(msg=f"{path_of(bundle or '')} is damaged ({error}). Delete that directory and run this again.")
    for text in result.pop("warnings", ()):
        module.warn(text)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
