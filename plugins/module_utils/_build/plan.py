# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of conductor_image: the actions from an image's current state to the requested one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .._engine.action import Action, Plan
from .._errors import Conflict, Damaged, NotFound, mark_pending
from .._image.spec.recipe import Recipe, differing

# A root with this many layers can be mounted with the longest names and the default directories.
_MOST_LAYERS = 20


@dataclass(frozen=True)
class ImageView:
    """The current state of an image.

    `recipe` and `builder` are None if the image does not exist. `damage` is the error of reading it. `users` are the
    containers that use it, `derived` the images based on it, `unknown_users` the reason why there may be more of them.
    `stale` is true if an interrupted run left files. `exported` is true if the archive is an export of this image.
    `foreign` is true if the archive exists and this image was never exported to that path.
    `archive_checksum` is that of the source archive, if it had to be read. `complete` is the recipe of a build now.
    """

    recipe: Recipe | None = None
    builder: str | None = None
    damage: str = ""
    users: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    unknown_users: str = ""
    stale: bool = False
    exported: bool = False
    foreign: bool = False
    archive_checksum: str | None = None
    complete: Recipe | None = None

    @property
    def exists(self) -> bool:
        return self.recipe is not None or bool(self.damage)


@dataclass(frozen=True)
class ImageRequest:
    """The options of the module. `builder` is None for any builder."""

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
        return f"remove leftovers of an interrupted run for image {self.name}"


@dataclass(frozen=True)
class BuildImage(Action):
    name: str
    rebuild: bool = False

    def describe(self) -> str:
        return f"build image {self.name}{' again' if self.rebuild else ''}"


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


def needs_build(wish: ImageRequest, view: ImageView) -> bool:
    """Return whether `plan_image` builds the image, if there is no conflict."""
    return wish.state == "present" and (wish.force or not view.exists)


def check_layers(base: str, layers: Sequence[str]) -> None:
    """Raise Conflict if `base` has the maximum of `layers`: mount options of overlayfs are limited to one page."""
    if len(layers) >= _MOST_LAYERS:
        raise Conflict(
            f"image {base} has {len(layers)} layers; the maximum is {_MOST_LAYERS}",
            "make it one layer: export it (state=exported) and import the archive (source)",
        )


def plan_image(wish: ImageRequest, view: ImageView) -> Plan:
    """Return the actions from `view` to `wish`. Raises Conflict, NotFound, Damaged."""
    if view.damage and not (wish.force and wish.state != "exported"):
        raise Damaged(view.damage)
    clearing: tuple[Action, ...] = (ClearStaging(wish.name),) if view.stale else ()
    return {"absent": _absent, "exported": _exported, "present": _present}[wish.state](wish, view, clearing)


def _absent(wish: ImageRequest, view: ImageView, clearing: tuple[Action, ...]) -> Plan:
    if not view.exists:
        return Plan(clearing, _shown(view.recipe), {"state": "absent"})
    _refuse_if_used(wish, view, "removed")
    return Plan((*clearing, RemoveImage(wish.name)), _shown(view.recipe, view.damage), {"state": "absent"})


def _exported(wish: ImageRequest, view: ImageView, clearing: tuple[Action, ...]) -> Plan:
    # First, so that check mode reports it for an image that an earlier task would build, too.
    if view.foreign and not wish.force:
        raise Conflict(
            f"image {wish.name}: cannot be exported because {wish.archive} exists and is not an export of this image",
            "use another path, or set force: true to replace that file",
        )
    if view.recipe is None:
        raise mark_pending(
            NotFound(f"image {wish.name}: cannot be exported because it does not exist", "build it first")
        )
    _refuse_if_other(wish, view, view.recipe)
    done = view.exported and not wish.force
    actions = clearing if done else (*clearing, ExportImage(wish.name, wish.archive))
    return Plan(actions, {"exported": view.exported}, {"exported": True})


def _present(wish: ImageRequest, view: ImageView, clearing: tuple[Action, ...]) -> Plan:
    before = _shown(view.recipe, view.damage)
    if needs_build(wish, view):
        if view.exists:
            _refuse_if_used(wish, view, "built again")
        build = BuildImage(wish.name, rebuild=view.exists)
        return Plan((*clearing, build), before, _shown(view.complete or wish.recipe))
    if view.recipe is not None:
        _refuse_if_other(wish, view, view.recipe)
    return Plan(clearing, before, before)


def _refuse_if_other(wish: ImageRequest, view: ImageView, built: Recipe) -> None:
    options = differing(built, wish.recipe, view.archive_checksum)
    had, wanted = built.to_json(), wish.recipe.to_json()
    if wish.builder is not None and wish.builder != view.builder:
        options.append("builder")
        had["builder"], wanted["builder"] = view.builder, wish.builder
    if options:
        raise Conflict(
            f"image {wish.name}: built with other values of {', '.join(options)}",
            _remedy_for_other(wish, view),
            diff={"before": {o: had.get(o) for o in options}, "after": {o: wanted[o] for o in options}},
        )


def _remedy_for_other(wish: ImageRequest, view: ImageView) -> str:
    if view.users or view.derived:
        return f"use another name for the new image, since {wish.name} is in use"
    return f"set force: true with state=present to rebuild {wish.name}, or use another name"


def _refuse_if_used(wish: ImageRequest, view: ImageView, what: str) -> None:
    if view.users:
        remedy = "remove these containers first (conductor_container state=absent)"
        if wish.state == "present":
            remedy = (
                "build it under another name and set that as their image with recreate: true, which keeps only mounts, "
                "network and peers, or remove these containers first (conductor_container state=absent)"
            )
        raise Conflict(f"image {wish.name}: cannot be {what} because it is used by {', '.join(view.users)}", remedy)
    if view.derived:
        raise Conflict(
            f"image {wish.name}: cannot be {what} because it is the base of {', '.join(view.derived)}",
            "remove these images first (conductor_image state=absent), or export them and import their archives",
        )
    if view.unknown_users:
        raise Damaged(
            f"image {wish.name}: cannot be {what} because it may be in use: {view.unknown_users}",
            "remove that container or image with force: true, or repair it",
        )


def _shown(recipe: Recipe | None, damage: str = "") -> dict[str, Any]:
    if damage:
        return {"state": "damaged"}
    return {"state": "absent"} if recipe is None else {"state": "present", **recipe.to_json()}
