# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every module has: where things lie on the managed host, and how long to wait for a lock."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by all modules of the collection."""

    DOCUMENTATION = r"""
options:
  image_dir:
    description:
      - Directory of the images on the managed host, an absolute path.
      - Default is C(image_dir) in C(/etc/conductor/conductor.json), else V(/var/lib/conductor/images).
    type: path
  container_dir:
    description:
      - Directory of the containers on the managed host, an absolute path.
      - Default is C(container_dir) in C(/etc/conductor/conductor.json), else V(/var/lib/conductor/containers).
    type: path
  lock_timeout:
    description:
      - How long to wait, in seconds, for another run that works on the same thing.
      - Default is C(lock_timeout) in C(/etc/conductor/conductor.json), else V(60).
    type: float
requirements:
  - Debian 12 or later, with Python 3.9 or later
  - root on the managed host (C(become=true))
"""
