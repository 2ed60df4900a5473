# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version of the collection, as in galaxy.yml, which is not on a managed host."""

from __future__ import annotations

VERSION = "0.1.0"
