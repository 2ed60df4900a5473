# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of ours that Ansible shall take for a template."""

from __future__ import annotations

try:
    from ansible.template import trust_as_template as template
except ImportError:
    # Before ansible-core 2.19 each text may be one.
    def template(text: str) -> str:
        return text


__all__ = ["template"]
