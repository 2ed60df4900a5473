# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_image_info: list the images of a host."""

from __future__ import annotations

from .._engine.engine import Run
from .._engine.info_use_case import InfoCase, parse_names
from .._engine.settings import Settings
from .._errors import ConductorError
from .facts import image_facts
from .store import derived_images, image_names, image_users, read_image


class ImageInfoCase(InfoCase[list[dict]]):
    """The images with the requested names; all images if no name is given."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.names = parse_names(params)

    def observe(self) -> list[dict]:
        users, unknown = image_users(self.settings.container_dir)
        derived, _unknown = derived_images(self.settings.image_dir)
        found = []
        for name in self.names or image_names(self.settings.image_dir):
            try:
                image = read_image(self.settings.image_dir, name)
            except ConductorError as error:
                # One damaged image must not hide the others.
                relations = {"used_by": list(users.get(name, ())), "base_of": list(derived.get(name, ()))}
                found.append({"name": name, "error": str(error), **relations})
                continue
            if image is not None:
                facts = image_facts(image, self.settings.image_dir, users.get(name, ()), derived.get(name, ()))
                found.append({**facts, "error": f"used_by may be incomplete: {unknown}"} if unknown else facts)
        return found

    def result(self, observed: list[dict], run: Run[list[dict]]) -> dict:
        return {"images": observed}
