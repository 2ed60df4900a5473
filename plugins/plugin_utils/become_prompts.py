# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts of become plugins in the output of a command."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.text.converters import to_bytes


def without_prompt(become: Any, data: bytes) -> bytes:
    """Return `data` without the become plugin's prompt, the text before it and the whitespace after it.

    ansible-core has this as BecomeBase.strip_become_prompt since 2.19.
    """
    if not isinstance(become.prompt, (str, bytes)) or not become.prompt or not become.expect_prompt():
        return data
    _, prompt, after = data.partition(to_bytes(become.prompt))
    return after.lstrip() if prompt else data
