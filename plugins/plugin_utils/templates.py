# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of ours that Ansible shall take for a template."""

from __future__ import annotations

from typing import Any

try:
    from ansible.template import trust_as_template as template

    IN_RESULTS = True

    def untrusted(value: Any) -> Any:
        """`value`, in which no text is a template: none is that is not made one."""
        return value
except ImportError:
    # Before ansible-core 2.19 each text may be one, but for those in the result of a task: there, none is.
    from ansible.utils.unsafe_proxy import wrap_var

    IN_RESULTS = False

    def untrusted(value: Any) -> Any:
        return wrap_var(value)

    def template(text: str) -> str:
        return text


__all__ = ["IN_RESULTS", "template", "untrusted"]
