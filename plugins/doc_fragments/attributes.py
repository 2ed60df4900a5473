# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module supports; a module that differs says so under its own C(attributes)."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by all modules of the collection."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and says what it would change, without changing anything.
    support: full
  diff_mode:
    description: Returns what was before and what is after, in diff mode.
    support: full
  idempotent:
    description:
      - A second run with the same options changes nothing.
      - What is planned is planned again after it was done; a plan that is not empty then is an error.
    support: full
  action_group:
    description: Use C(group/conductor.containers.conductor) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - conductor.containers.conductor
  platform:
    description: Managed hosts that the module works on.
    support: full
    platforms: debian
"""

    # Modules that only look: conductor.containers.attributes.info_module, after conductor.containers.attributes.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Changes nothing, in check mode or out of it.
    support: full
  diff_mode:
    description: There is no difference to show, as nothing is changed.
    support: N/A
"""
