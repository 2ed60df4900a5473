# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts of become plugins in what a command has written."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.text.converters import to_bytes


def without_prompt(become: Any, data: bytes) -> bytes:
    """`data` without the prompt that the become plugin expects, what stands before it and the space behind it.

    ansible-core has it from 2.19 on (BecomeBase.strip_become_prompt).
    """
    if not isinstance(become.prompt, (str, bytes)) or not become.prompt or not become.expect_prompt():
        return data
    _, prompt, after = data.partition(to_bytes(become.prompt))
    return after.lstrip() if prompt else data
