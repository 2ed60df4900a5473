# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules tell of an image."""

from __future__ import annotations

from .._model.layout import ImagePaths
from .._store.images import read_image, users_of
from .._store.settings import Settings


def image_facts(settings: Settings, name: str) -> dict | None:
    """The image `name` with its recipe, path and users; None where there is none. Raises Damaged."""
    image = read_image(settings.image_dir, name)
    if image is None:
        return None
    recipe = image["recipe"]
    return {
        "name": name,
        "id": image.get("id"),
        "created": image.get("created"),
        "suite": recipe.get("suite"),
        "variant": recipe.get("variant"),
        "architecture": recipe.get("architecture"),
        "builder": image.get("builder"),
        "size": image.get("size"),
        "recipe": recipe,
        "path": ImagePaths.of(settings.image_dir, name).rootfs,
        "used_by": list(users_of(settings.container_dir, name)),
    }
