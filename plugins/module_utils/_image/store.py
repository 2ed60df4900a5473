# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on disk: NAME/image.json and NAME/rootfs in the image directory; what they lie on, and who uses them."""

from __future__ import annotations

import os

from .._engine.container_records import container_names, read_kept
from .._engine.id_range import IdRange
from .._engine.json_files import read_json, write_json
from .._engine.names import parse_name
from .._engine.paths import ContainerPaths, ImagePaths
from .._errors import ConductorError, Conflict, Damaged, InvalidInput, NotFound, not_yet
from .spec import Image


def image_names(image_dir: str) -> list[str]:
    """Names of all images, damaged or not."""
    try:
        entries = os.listdir(image_dir)
    except FileNotFoundError:
        return []
    return sorted(filter(_is_name, entries))


def read_image(image_dir: str, name: str) -> Image | None:
    """What image.json says of the image, or None where there is none. Raises Damaged."""
    paths = ImagePaths.of(image_dir, name)
    value = read_json(paths.spec)
    if value is not None:
        image = Image.from_json(value, paths.spec)
        if image.name != name:
            raise Damaged(
                f"{paths.spec} is damaged (its name is {image.name!r})", "set force: true to remove the image"
            )
        return image
    if os.path.lexists(paths.directory):
        raise Damaged(f"{paths.directory} has no image.json", "move it away: it was not made by conductor_image")
    return None


def write_image(paths: ImagePaths, image: Image) -> None:
    write_json(paths.spec, image.to_json())


def is_ours(image_dir: str, name: str) -> bool:
    """Whether a directory of that name was made by us, whatever its image.json says."""
    return os.path.lexists(ImagePaths.of(image_dir, name).spec)


def image_layers(image_dir: str, name: str) -> tuple[str, ...]:
    """Root directories of what the image consists of, upmost first: its own, its base's, and so on.

    Raises NotFound where there is no such image, Damaged where it has lost a base.
    """
    image = read_image(image_dir, name)
    if image is None:
        raise not_yet(NotFound(f"there is no image {name!r}", "build it with conductor_image"))
    layers = [ImagePaths.of(image_dir, name).rootfs]
    while image.base is not None:
        wanted, image = image.base, read_image(image_dir, image.base.name)
        if image is None or image.id != wanted.id:
            found = "is gone" if image is None else "is another one now"
            raise Damaged(f"image {name} has lost its base: image {wanted.name} {found}", "build both again")
        layers.append(ImagePaths.of(image_dir, wanted.name).rootfs)
    return tuple(layers)


def check_ids(image_dir: str, name: str, ids: IdRange, where: str) -> None:
    """`require_ids` for each layer of the image."""
    layer = read_image(image_dir, name)
    while layer is not None:
        require_ids(layer, ids, where)
        layer = read_image(image_dir, layer.base.name) if layer.base else None


def require_ids(image: Image, ids: IdRange, where: str) -> None:
    """Raises Conflict if a file in the image's own layer has an owner who does not exist in the range `ids` of `where`.

    Such a file would belong to nobody inside, and not even root could open it or give it to another.
    """
    if image.highest_id >= ids.size:
        raise Conflict(
            f"{where}: image {image.name} has files of the id {image.highest_id}, and the ids inside are 0 to "
            f"{ids.size - 1}",
            f"give a container a range with userns.size above {image.highest_id}, or change the owner in the image",
        )


def images_on(image_dir: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Names of the images that lie on each image; and, by name, why an image's base cannot be known."""
    found: dict[str, tuple[str, ...]] = {}
    unknown = {}
    for name in image_names(image_dir):
        if not is_ours(image_dir, name):
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
    """Names of the containers whose root lies on each image; and, where some container's image cannot be known, why."""
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
    kept = read_kept(paths)
    image = None if kept is None else kept.get("image")
    if image is None:
        raise Damaged(f"{paths.spec} is {'missing' if kept is None else 'damaged (it has no image)'}")
    return image


def _is_name(entry: str) -> bool:
    """Not staging, nor what others keep in the directory, like lost+found."""
    try:
        return bool(parse_name(entry, "name"))
    except InvalidInput:
        return False
