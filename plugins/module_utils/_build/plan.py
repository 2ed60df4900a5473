# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be done so that an image is as wanted: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .._engine.action import Action, Plan
from .._errors import Conflict, Damaged, NotFound
from .._image.spec import Recipe, differing

# With the longest names there are, and the default directories, a root of so many can be mounted.
_MOST_LAYERS = 20


@dataclass(frozen=True)
class ImageView:
    """What is.

    `recipe` and `builder` of the image, None where there is none; `damage` says why it cannot be understood;
    `users` are containers that have it and `derived` images that lie on it, `unknown_users` says why there may be more;
    `stale`: a run was interrupted;
    `exported`: the archive is of this image; `archive_checksum` of the archive to build from, where that had to be
    read; `complete`: what a build now would be made of.
    """

    recipe: Recipe | None = None
    builder: str | None = None
    damage: str = ""
    users: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    unknown_users: str = ""
    stale: bool = False
    exported: bool = False
    archive_checksum: str | None = None
    complete: Recipe | None = None

    @property
    def exists(self) -> bool:
        return self.recipe is not None or bool(self.damage)


@dataclass(frozen=True)
class Wish:
    """What the module was asked for; `builder` is None where any will do."""

    name: str
    state: str = "present"
    recipe: Recipe = field(default_factory=Recipe)
    builder: str | None = None
    force: bool = False
    archive: str = ""


@dataclass(frozen=True)
class ClearStaging(Action):
    name: str

    def describe(self) -> str:
        return f"clear away what an interrupted run left of image {self.name}"


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


def needs_build(wish: Wish, view: ImageView) -> bool:
    """Whether `plan_image` would build, as far as no conflict forbids it."""
    return wish.state == "present" and (wish.force or not view.exists)


def check_layers(base: str, layers: Sequence[str]) -> None:
    """Raises Conflict where `base`, of so many layers, can carry no more: overlayfs takes them in one page of text."""
    if len(layers) >= _MOST_LAYERS:
        raise Conflict(
            f"image {base} has {len(layers)} layers, and {_MOST_LAYERS} is the most",
            "make it one layer: export it (state=exported) and import the archive (source)",
        )


def plan_image(wish: Wish, view: ImageView) -> Plan:
    """Actions from `view` to `wish`. Raises Conflict, NotFound, Damaged."""
    if view.damage and not (wish.force and wish.state != "exported"):
        raise Damaged(view.damage)
    clearing: tuple[Action, ...] = (ClearStaging(wish.name),) if view.stale else ()
    return {"absent": _absent, "exported": _exported, "present": _present}[wish.state](wish, view, clearing)


def _absent(wish: Wish, view: ImageView, clearing: tuple[Action, ...]) -> Plan:
    if not view.exists:
        return Plan(clearing, _shown(view.recipe), {"state": "absent"})
    _refuse_if_used(wish, view, "removed")
    return Plan((*clearing, RemoveImage(wish.name)), _shown(view.recipe, view.damage), {"state": "absent"})


def _exported(wish: Wish, view: ImageView, clearing: tuple[Action, ...]) -> Plan:
    if view.recipe is None:
        raise NotFound(f"there is no image {wish.name!r} to export", "build it with state=present first")
    _refuse_if_other(wish, view, view.recipe)
    done = view.exported and not wish.force
    actions = clearing if done else (*clearing, ExportImage(wish.name, wish.archive))
    return Plan(actions, {"exported": view.exported}, {"exported": True})


def _present(wish: Wish, view: ImageView, clearing: tuple[Action, ...]) -> Plan:
    before = _shown(view.recipe, view.damage)
    if needs_build(wish, view):
        if view.exists:
            _refuse_if_used(wish, view, "built again")
        build = BuildImage(wish.name, again=view.exists)
        return Plan((*clearing, build), before, _shown(view.complete or wish.recipe))
    if view.recipe is not None:
        _refuse_if_other(wish, view, view.recipe)
    return Plan(clearing, before, before)


def _refuse_if_other(wish: Wish, view: ImageView, built: Recipe) -> None:
    options = differing(built, wish.recipe, view.archive_checksum)
    had, wanted = built.to_json(), wish.recipe.to_json()
    if wish.builder is not None and wish.builder != view.builder:
        options.append("builder")
        had["builder"], wanted["builder"] = view.builder, wish.builder
    if options:
        raise Conflict(
            f"image {wish.name!r} was built with other values of {', '.join(options)}",
            "set force: true with state=present to build it again, or take another name",
            diff={"before": {o: had.get(o) for o in options}, "after": {o: wanted[o] for o in options}},
        )


def _refuse_if_used(wish: Wish, view: ImageView, what: str) -> None:
    if view.users:
        raise Conflict(
            f"image {wish.name!r} cannot be {what}: used by {', '.join(view.users)}",
            "remove these containers first (conductor_container state=absent)",
        )
    if view.derived:
        raise Conflict(
            f"image {wish.name!r} cannot be {what}: it is the base of {', '.join(view.derived)}",
            "remove these images first (conductor_image state=absent), or export them and import their archives",
        )
    if view.unknown_users:
        raise Damaged(
            f"image {wish.name!r} cannot be {what}, for it may be in use: {view.unknown_users}",
            "remove that container or image with force: true, or repair it",
        )


def _shown(recipe: Recipe | None, damage: str = "") -> dict[str, Any]:
    if damage:
        return {"state": "damaged"}
    return {"state": "absent"} if recipe is None else {"state": "present", **recipe.to_json()}
