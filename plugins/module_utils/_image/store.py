# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on disk: NAME/image.json and NAME/rootfs in the image directory, their base images and their users."""

from __future__ import annotations

import os

from .._engine.container_records import container_names, read_common_spec
from .._engine.id_range import IdRange
from .._engine.json_files import read_json, write_json
from .._engine.names import parse_name
from .._engine.paths import ContainerPaths, ImagePaths
from .._errors import ConductorError, Conflict, Damaged, InvalidInput, NotFound, mark_pending
from .spec.recipe import Image


def image_names(image_dir: str) -> list[str]:
    """Return the names of all images, including damaged ones, sorted."""
    try:
        entries = os.listdir(image_dir)
    except FileNotFoundError:
        return []
    return sorted(filter(_is_name, entries))


def read_image(image_dir: str, name: str) -> Image | None:
    """Return the image from its image.json, or None if it does not exist. Raises Damaged."""
    paths = ImagePaths.of(image_dir, name)
    value = read_json(paths.spec)
    if value is not None:
        image = Image.from_json(value, paths.spec)
        if image.name != name:
            raise Damaged(
                f"{paths.spec} is damaged (its name is {image.name!r})", f"set force: true to remove image {name}"
            )
        return image
    if os.path.lexists(paths.directory):
        raise Damaged(
            f"{paths.directory} has no image.json", "move the directory away: conductor_image did not create it"
        )
    return None


def write_image(paths: ImagePaths, image: Image) -> None:
    write_json(paths.spec, image.to_json())


def has_image_json(image_dir: str, name: str) -> bool:
    """Return whether the directory of image `name` has an image.json, valid or not."""
    return os.path.lexists(ImagePaths.of(image_dir, name).spec)


def image_layers(image_dir: str, name: str) -> tuple[str, ...]:
    """Return the root directories of the image's layers, uppermost first: its own, its base's, and so on.

    Raises NotFound if the image does not exist, Damaged if one of its base images is missing or was rebuilt.
    """
    image = read_image(image_dir, name)
    if image is None:
        raise mark_pending(NotFound(f"image {name}: does not exist", f"build {name} with conductor_image"))
    layers = [ImagePaths.of(image_dir, name).rootfs]
    while image.base is not None:
        wanted, image = image.base, read_image(image_dir, image.base.name)
        if image is None or image.id != wanted.id:
            found = "does not exist" if image is None else "was replaced by another build"
            raise Damaged(f"image {name}: base image {wanted.name} {found}", "rebuild both images")
        layers.append(ImagePaths.of(image_dir, wanted.name).rootfs)
    return tuple(layers)


def check_ids(image_dir: str, name: str, ids: IdRange, where: str) -> None:
    """Call `require_ids` for each layer of the image."""
    layer = read_image(image_dir, name)
    while layer is not None:
        require_ids(layer, ids, where)
        layer = read_image(image_dir, layer.base.name) if layer.base else None


def require_ids(image: Image, ids: IdRange, where: str) -> None:
    """Raise Conflict if a file in the image's own layer has an owner outside of the range `ids` of `where`.

    Such a file has an unmapped owner inside; not even root of the container could open it or change its owner.
    """
    if image.highest_id >= ids.size:
        raise Conflict(
            f"{where}: image {image.name} has files with the id {image.highest_id}, but the ids inside are 0 to "
            f"{ids.size - 1}",
            f"set userns.size of the container above {image.highest_id}, or change the owner in the image",
        )


def derived_images(image_dir: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Map each base image to the images based on it; map each unreadable image to the error of reading it."""
    found: dict[str, tuple[str, ...]] = {}
    unknown = {}
    for name in image_names(image_dir):
        if not has_image_json(image_dir, name):
            continue
        try:
            image = read_image(image_dir, name)
        except ConductorError as error:
            unknown[name] = error.message
            continue
        if image is not None and image.base is not None:
            found[image.base.name] = (*found.get(image.base.name, ()), name)
    return found, unknown


def image_users(container_dir: str) -> tuple[dict[str, tuple[str, ...]], str]:
    """Map each image to the containers that use it; return also the errors of unreadable containers, or ""."""
    users: dict[str, tuple[str, ...]] = {}
    unknown = []
    for container in filter(_is_name, container_names(container_dir)):
        try:
            image = _image_of(ContainerPaths.of(container_dir, container))
        except ConductorError as error:
            unknown.append(error.message)
            continue
        users[image] = (*users.get(image, ()), container)
    return users, "; ".join(unknown)


def _image_of(paths: ContainerPaths) -> str:
    kept = read_common_spec(paths)
    image = None if kept is None else kept.get("image")
    if image is None:
        raise Damaged(f"{paths.spec} is {'missing' if kept is None else 'damaged (it has no image)'}")
    return image


def _is_name(entry: str) -> bool:
    """Return whether `entry` is an image's name, and not a staging directory or, for instance, lost+found."""
    try:
        return bool(parse_name(entry, "name"))
    except InvalidInput:
        return False
