# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of conductor_stack: runs the module from the bundle on the managed host."""

from __future__ import annotations

from ansible_collections.conductor.containers.plugins.plugin_utils.bundled_action import BundledAction


class ActionModule(BundledAction):
    MODULE = "conductor.containers.conductor_stack"
