# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marking of text as a template, or as data that is never a template, for all supported releases of ansible-core."""

from __future__ import annotations

from typing import Any

try:
    from ansible.template import trust_as_template as template

    IN_RESULTS = True

    def untrusted(value: Any) -> Any:
        """Return `value` as it is: text is no template unless marked."""
        return value
except ImportError:
    # Before ansible-core 2.19, any text can be a template, except in the result of a task.
    from ansible.utils.unsafe_proxy import wrap_var

    IN_RESULTS = False

    def untrusted(value: Any) -> Any:
        return wrap_var(value)

    def template(text: str) -> str:
        return text


__all__ = ["IN_RESULTS", "template", "untrusted"]
