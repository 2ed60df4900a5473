# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of all modules. A module overrides them under its own C(attributes)."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by all modules of the collection."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and reports changes without making them.
    support: full
  diff_mode:
    description: Returns the state before and after the change in diff mode.
    support: full
  idempotent:
    description:
      - A second run with the same options changes nothing.
      - After the changes, the module compares the state with the options again. A remaining difference is an error.
    support: full
  action_group:
    description: Use C(group/conductor.containers.conductor) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - conductor.containers.conductor
  platform:
    description: Supported platforms of managed hosts.
    support: full
    platforms: debian
"""

    # For info modules, which list it before conductor.containers.attributes: the first fragment wins.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Changes nothing, with and without check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference.
    support: N/A
"""
