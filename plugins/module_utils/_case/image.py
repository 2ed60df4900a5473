# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_image: one image as wanted."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timezone

from .._errors import ConductorError, InvalidInput, NotFound
from .._image import builders
from .._image.export import export_rootfs
from .._image.neutral import neutralise
from .._linux.files import remove_tree, sync_directory
from .._model.image import parse_recipe
from .._model.layout import STAGING_PREFIX, ImagePaths
from .._model.names import parse_name
from .._plan import image as plan
from .._plan.action import Action, Plan
from .._store.images import read_image, users_of
from .._store.json_files import read_json, write_json
from .._store.settings import Settings
from .image_facts import image_facts
from .locking import image_lock

# Another build of the same image may take that long; ours then finds it done.
_BUILD_TIMEOUT = 3600.0


class ImageCase:
    """The module's parameters, parsed; see UseCase in run.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        patient = params.get("lock_timeout") is None
        self.settings = replace(settings, lock_timeout=_BUILD_TIMEOUT) if patient else settings
        self.name = parse_name(params["name"], "name")
        self.paths = ImagePaths.of(settings.image_dir, self.name)
        self.builder = params["builder"]
        self.archive = _parse_archive(params)
        self.recipe = parse_recipe(params)
        self.wish = plan.Wish(self.name, params["state"], self.recipe, params["force"], self.archive)
        self._done = False

    def locks(self) -> Iterable[str]:
        return (image_lock(self.name),)

    def observe(self) -> plan.ImageView:
        image = read_image(self.settings.image_dir, self.name)
        return plan.ImageView(
            recipe=None if image is None else image["recipe"],
            users=users_of(self.settings.container_dir, self.name) if image is not None else (),
            stale=any(True for _ in self._stale()),
            exported=image is not None and self._is_exported(image),
        )

    def plan(self, observed: plan.ImageView) -> Plan:
        # `force` asks to do it again, once.
        wish = replace(self.wish, force=False) if self._done else self.wish
        planned = plan.plan_image(wish, observed)
        if any(isinstance(action, plan.BuildImage) for action in planned.actions):
            self._check_buildable()
        return planned

    def apply(self, action: Action) -> None:
        _EFFECTS[type(action)](self)
        self._done = True

    def settle(self) -> None:
        return

    def result(self, observed: plan.ImageView) -> dict:
        image = image_facts(self.settings, self.name)
        return {"image": image, **({"archive": self.archive} if self.archive else {})}

    def _check_buildable(self) -> None:
        """What a build would fail of, found before it begins."""
        source = self.recipe.get("source")
        if source is None:
            builders.choose_builder(self.builder)
            builders.complete(self.recipe)
        elif not os.path.isfile(source["archive"]):
            raise NotFound(f"source: archive {source['archive']} does not exist on the managed host", "copy it there")

    def _stale(self) -> Iterable[str]:
        """Directories of builds and removals of this image that were interrupted."""
        prefixes = (f"{STAGING_PREFIX}build-{self.name}-", f"{STAGING_PREFIX}gone-{self.name}-")
        try:
            entries = os.listdir(self.settings.image_dir)
        except FileNotFoundError:
            return
        for entry in entries:
            # The random part has no '-', so that web is not taken for web-2.
            if entry.startswith(prefixes) and entry.rpartition("-")[0] + "-" in prefixes:
                yield os.path.join(self.settings.image_dir, entry)

    def _clear(self) -> None:
        for directory in self._stale():
            for attempt in range(5):
                try:
                    remove_tree(directory)
                    break
                except OSError as error:
                    # What a killed builder still wrote while the kernel was ending it.
                    if error.errno != errno.ENOTEMPTY or attempt == 4:
                        raise

    def _log(self) -> str:
        directory = os.path.join(self.settings.image_dir, f"{STAGING_PREFIX}logs")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        return os.path.join(directory, f"{self.name}.log")

    def _build(self) -> None:
        os.makedirs(self.settings.image_dir, mode=0o711, exist_ok=True)
        self._clear()
        staging = self._staging("build")
        log = self._log()
        open(log, "wb").close()
        os.mkdir(staging, 0o711)
        paths = ImagePaths(staging)
        try:
            recipe, builder = self._fill(paths.rootfs, log)
            builders.run_commands(recipe.get("commands", []), paths.rootfs, log)
            neutralise(paths.rootfs)
            write_json(
                paths.spec,
                {
                    "name": self.name,
                    "id": secrets.token_hex(8),
                    "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                    "recipe": recipe,
                    "builder": builder,
                    "size": builders.tree_size(paths.rootfs),
                },
            )
            # The name must not be on disk before the content is: a host that loses power now has the whole image.
            os.sync()
            if os.path.lexists(self.paths.directory):
                self._remove()
            os.rename(staging, self.paths.directory)
            sync_directory(self.settings.image_dir)
        except (ConductorError, OSError):
            remove_tree(staging)
            raise

    def _fill(self, rootfs: str, log: str) -> tuple[dict, str]:
        if "source" in self.recipe:
            digest = builders.unpack(self.recipe["source"], rootfs, log)
            source = {"archive": self.recipe["source"]["archive"], "checksum": digest}
            return {**self.recipe, "source": source}, "archive"
        recipe, builder = builders.complete(self.recipe), builders.choose_builder(self.builder)
        builders.bootstrap(builder, recipe, rootfs, log)
        return recipe, builder

    def _staging(self, kind: str) -> str:
        name = f"{STAGING_PREFIX}{kind}-{self.name}-{secrets.token_hex(4)}"
        return os.path.join(self.settings.image_dir, name)

    def _remove(self) -> None:
        trash = self._staging("gone")
        os.rename(self.paths.directory, trash)
        sync_directory(self.settings.image_dir)
        remove_tree(trash)

    def _export(self) -> None:
        image = read_image(self.settings.image_dir, self.name) or {}
        newest = int(datetime.fromisoformat(image["created"]).timestamp())
        export_rootfs(self.paths.rootfs, self.archive, newest, self._log())
        done = os.stat(self.archive)
        exports = {**image.get("exports", {}), self.archive: [done.st_size, done.st_mtime_ns]}
        write_json(self.paths.spec, {**(read_json(self.paths.spec) or {}), "exports": exports})

    def _is_exported(self, image: dict) -> bool:
        try:
            found = os.stat(self.archive) if self.archive else None
        except FileNotFoundError:
            return False
        return found is not None and image.get("exports", {}).get(self.archive) == [found.st_size, found.st_mtime_ns]


_EFFECTS = {
    plan.ClearStaging: ImageCase._clear,
    plan.BuildImage: ImageCase._build,
    plan.RemoveImage: ImageCase._remove,
    plan.ExportImage: ImageCase._export,
}


def _parse_archive(params: dict) -> str:
    archive = params["archive"]
    if params["state"] != "exported":
        if archive is not None:
            raise InvalidInput(f"archive is for state=exported, not for state={params['state']}", "see source")
        return ""
    if archive is None:
        raise InvalidInput("state=exported needs archive, the file to write")
    if not archive.startswith("/"):
        raise InvalidInput(f"archive {archive!r} is not an absolute path")
    if not archive.endswith((".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst")):
        raise InvalidInput(f"archive {archive!r} has no known suffix", "use .tar, .tar.gz or .tar.zst")
    if not os.path.isdir(os.path.dirname(archive)):
        raise InvalidInput(f"archive: the directory {os.path.dirname(archive)} does not exist", "make it first")
    return archive
