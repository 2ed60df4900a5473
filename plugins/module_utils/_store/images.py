# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on disk: NAME/image.json and NAME/rootfs in the image directory."""

from __future__ import annotations

import os

from .._errors import Damaged
from .._model.layout import STAGING_PREFIX, ContainerPaths, ImagePaths
from .containers import container_names
from .json_files import read_json


def image_names(image_dir: str) -> list[str]:
    """Names of all images."""
    try:
        entries = os.listdir(image_dir)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if not entry.startswith(STAGING_PREFIX))


def read_image(image_dir: str, name: str) -> dict | None:
    """What image.json says of the image, or None where there is none. Raises Damaged."""
    paths = ImagePaths.of(image_dir, name)
    image = read_json(paths.spec)
    if image is None and os.path.lexists(paths.directory):
        raise Damaged(f"{paths.directory} has no image.json", "move it away: it was not made by conductor_image")
    if image is not None and not isinstance(image.get("recipe"), dict):
        raise Damaged(f"{paths.spec} has no recipe", "remove the directory, and build the image again")
    return image


def users_of(container_dir: str, name: str) -> tuple[str, ...]:
    """Names of the containers whose root lies on the image. Raises Damaged where that cannot be known."""
    users = []
    for container in container_names(container_dir):
        spec = read_json(ContainerPaths.of(container_dir, container).spec)
        if spec is not None and spec.get("image") == name:
            users.append(container)
    return tuple(users)
