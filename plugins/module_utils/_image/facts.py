# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts about an image that modules return."""

from __future__ import annotations

from dataclasses import asdict

from .._engine.paths import ImagePaths
from .spec.recipe import Image


def image_facts(image: Image, image_dir: str, users: tuple[str, ...], derived: tuple[str, ...]) -> dict:
    """Return the image's fields, recipe and path, the containers that use it, and the images based on it."""
    recipe = image.recipe
    return {
        "name": image.name,
        "id": image.id,
        "created": image.created,
        "suite": recipe.suite,
        "variant": recipe.variant,
        "architecture": recipe.architecture,
        "builder": image.builder,
        "size": image.size,
        "recipe": recipe.to_json(),
        "path": ImagePaths.of(image_dir, image.name).rootfs,
        "base": image.base and asdict(image.base),
        "used_by": list(users),
        "base_of": list(derived),
    }
