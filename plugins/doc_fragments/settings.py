# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of all modules: directories on the managed host, and the timeout of locks."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by all modules of the collection."""

    DOCUMENTATION = r"""
options:
  image_dir:
    description:
      - Absolute path of the directory of the images on the managed host. Symlinks in it are resolved.
      - Defaults to C(image_dir) in C(/etc/conductor/conductor.json), else to V(/var/lib/conductor/images).
    type: path
  container_dir:
    description:
      - Absolute path of the directory of the containers on the managed host. Symlinks in it are resolved.
      - Defaults to C(container_dir) in C(/etc/conductor/conductor.json), else to V(/var/lib/conductor/containers).
    type: path
  lock_timeout:
    description:
      - Seconds to wait for another run that has locked the same container, image or network.
      - Defaults to C(lock_timeout) in C(/etc/conductor/conductor.json), else to V(60).
    type: float
requirements:
  - Debian 12 or later, with Python 3.9 or later
  - root on the managed host (C(become=true))
"""
