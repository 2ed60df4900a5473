# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a Compose document: names of images of the host, and recipes in `x-conductor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine.convert_options import convert_options
from ...._engine.names import parse_name
from ...._errors import InvalidInput
from ...._image.spec.request import MODULE_OPTIONS
from .node import Node, Refused, collected

RECIPE = {name: option for name, option in MODULE_OPTIONS.items() if name not in ("state", "archive")}
_REMEDY = "set x-conductor of the service, such as {name: web, suite: trixie, packages: [nginx]}"


class Images:
    """The recipes that were found, by name; two of one name must be equal."""

    def __init__(self) -> None:
        self.recipes: dict[str, dict[str, Any]] = {}

    def add(self, node: Node) -> None:
        """Add a recipe, a mapping of options of conductor_image. Raises Refused."""
        name = node.value["name"]
        node.checked(lambda: convert_options(RECIPE, node.value, ""))
        if self.recipes.setdefault(name, node.value) != node.value:
            raise node.refused(f"image {name} has another recipe, too", "give it once, and only its name elsewhere")

    def add_document(self, node: Node, problems: list[Refused]) -> None:
        """Add the recipes of `x-conductor` of the document. Errors are added to `problems`."""
        with collected(problems):
            fields = node.fields(("images",))
            for one in fields["images"].entries() if "images" in fields else ():
                with collected(problems):
                    recipe = one.fields()
                    if "name" not in recipe:
                        raise one.refused("name is missing", "set it to the name of the image")
                    name = recipe["name"]
                    name.checked(lambda name=name: parse_name(name.value, ""))  # type: ignore[misc]
                    self.add(one)

    def of_service(self, node: Node, fields: Mapping[str, Node], project: str, has_default: bool) -> str | None:
        """Return the name of the image of the service `node`, and add its recipe. Raises Refused.

        `has_default`: whether a service without an image has one by other means. It is then None.
        """
        image = fields.get("image")
        given = (node.value or {}).get("x-conductor")
        if given is None:
            if image is not None:
                return self._name_of(image)
            if has_default or "build" in fields:
                return None
            raise node.refused("image is missing", _REMEDY)
        own = Node(given, (*node.path, "x-conductor"))
        recipe = own.fields()
        if "name" in recipe:
            name = recipe["name"].checked(lambda: parse_name(recipe["name"].value, ""))
        else:
            # As Compose calls the image that it builds of a service.
            name = self._name_of(image) if image is not None else f"{project}-{node.path[-1]}"
        if recipe.keys() - {"name"}:
            self.add(Node({**given, "name": name}, own.path))
        return name

    @staticmethod
    def _name_of(image: Node) -> str:
        try:
            return parse_name(image.value, "image")
        except InvalidInput:
            raise image.refused(f"{image.value!r} is not the name of an image of the host", _REMEDY) from None
