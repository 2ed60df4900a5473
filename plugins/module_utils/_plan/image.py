# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be done so that an image is as wanted: pure."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import Conflict, NotFound
from .._model.image import differing
from .action import Action, Plan


@dataclass(frozen=True)
class ImageView:
    """What is: `recipe` None where there is no image; `exported` says whether the archive is of this image."""

    recipe: dict | None = None
    users: tuple[str, ...] = ()
    stale: bool = False
    exported: bool = False


@dataclass(frozen=True)
class Wish:
    """What the module was asked for."""

    name: str
    state: str
    recipe: dict
    force: bool = False
    archive: str = ""


@dataclass(frozen=True)
class ClearStaging(Action):
    name: str

    def describe(self) -> str:
        return f"clear away a build of image {self.name} that was interrupted"


@dataclass(frozen=True)
class BuildImage(Action):
    name: str
    again: bool = False

    def describe(self) -> str:
        return f"build image {self.name}{' again' if self.again else ''}"


@dataclass(frozen=True)
class RemoveImage(Action):
    name: str

    def describe(self) -> str:
        return f"remove image {self.name}"


@dataclass(frozen=True)
class ExportImage(Action):
    name: str
    archive: str

    def describe(self) -> str:
        return f"export image {self.name} to {self.archive}"


def plan_image(wish: Wish, view: ImageView) -> Plan:
    """Actions from `view` to `wish`. Raises Conflict, NotFound."""
    actions: list[Action] = [ClearStaging(wish.name)] if view.stale else []
    before = _shown(view.recipe)
    if wish.state == "absent":
        if view.recipe is not None:
            _refuse_if_used(wish, view, "removed")
            actions.append(RemoveImage(wish.name))
        return Plan(tuple(actions), before, {"state": "absent"})
    if wish.state == "exported":
        if view.recipe is None:
            raise NotFound(f"there is no image {wish.name!r} to export", "build it with state=present first")
        if not view.exported or wish.force:
            actions.append(ExportImage(wish.name, wish.archive))
        return Plan(tuple(actions), {"exported": view.exported}, {"exported": True})
    if view.recipe is None:
        return Plan((*actions, BuildImage(wish.name)), before, {"state": "present", **wish.recipe})
    options = differing(view.recipe, wish.recipe)
    if options and not wish.force:
        raise Conflict(
            f"image {wish.name!r} was built with other values of {', '.join(options)}",
            "set force: true to build it again, or take another name",
            diff={"before": {o: view.recipe.get(o) for o in options}, "after": {o: wish.recipe[o] for o in options}},
        )
    if wish.force:
        _refuse_if_used(wish, view, "built again")
        actions.append(BuildImage(wish.name, again=True))
    return Plan(tuple(actions), before, {**before, **wish.recipe})


def _refuse_if_used(wish: Wish, view: ImageView, what: str) -> None:
    if view.users:
        raise Conflict(
            f"image {wish.name!r} cannot be {what}: used by {', '.join(view.users)}",
            "remove these containers first (conductor_container state=absent)",
        )


def _shown(recipe: dict | None) -> dict:
    return {"state": "absent"} if recipe is None else {"state": "present", **recipe}
