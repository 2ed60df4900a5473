# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on disk: NAME/image.json and NAME/rootfs in the image directory; and who uses them."""

from __future__ import annotations

import os

from .._errors import ConductorError, Damaged, InvalidInput
from .._model.image import Image
from .._model.layout import ContainerPaths, ImagePaths
from .._model.names import parse_name
from .containers import container_names
from .json_files import read_json, write_json


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
        return Image.from_json(value, paths.spec)
    if os.path.lexists(paths.directory):
        raise Damaged(f"{paths.directory} has no image.json", "move it away: it was not made by conductor_image")
    return None


def write_image(paths: ImagePaths, image: Image) -> None:
    write_json(paths.spec, image.to_json())


def is_ours(image_dir: str, name: str) -> bool:
    """Whether a directory of that name was made by us, whatever its image.json says."""
    return os.path.lexists(ImagePaths.of(image_dir, name).spec)


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
    spec = read_json(paths.spec)
    image = None if spec is None else spec.get("image")
    if not isinstance(image, str):
        raise Damaged(f"{paths.spec} is {'missing' if spec is None else 'damaged (it has no image)'}")
    return image


def _is_name(entry: str) -> bool:
    """Not staging, nor what others keep in the directory, like lost+found."""
    try:
        return bool(parse_name(entry, "name"))
    except InvalidInput:
        return False
