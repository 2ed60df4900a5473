# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_image: bring one image to the requested state."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timezone

from .._container.store import read_spec
from .._engine.action import Action, Plan
from .._engine.engine import Run, UseCase
from .._engine.id_range import SIZE
from .._engine.locks import container_lock, image_lock
from .._engine.names import parse_name
from .._engine.paths import ContainerPaths, ImagePaths, is_absolute
from .._engine.settings import Settings
from .._errors import Conflict, Damaged, InvalidInput
from .._image.facts import image_facts
from .._image.spec.recipe import Base, Image, Recipe, Source, parse_recipe
from .._image.store import (
    check_ids,
    derived_images,
    has_image_json,
    image_layers,
    image_users,
    read_image,
    require_ids,
    write_image,
)
from .._kernel.files.atomic_write import remove_tree
from .._kernel.flock import Lock
from . import archive, bootstrap, staging
from .apt_settings import proxies
from .build_container import build_paths, has_leftovers, remove_build
from .commands import CommandRunner, check_commands, command_runner
from .layers import check_container, copy_layer, make_directory, mounted_layers
from .plan import (
    BuildImage,
    ClearStaging,
    ExportImage,
    ImageRequest,
    ImageView,
    RemoveImage,
    check_layers,
    needs_build,
    plan_image,
)
from .sanitize import remove_machine_identity

# Seconds to wait for another build of the same image, after which this one finds it done.
_BUILD_TIMEOUT = 3600.0
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst")


class ImageCase(UseCase[ImageView]):
    """The module's parameters, parsed; see UseCase in _engine/engine.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        patient = params.get("lock_timeout") is None
        self.settings = replace(settings, lock_timeout=_BUILD_TIMEOUT) if patient else settings
        name = parse_name(params["name"], "name")
        self.paths = ImagePaths.of(settings.image_dir, name)
        self.request = ImageRequest(
            name, params["state"], parse_recipe(params), _parse_builder(params), params["force"], _parse_archive(params)
        )
        if self.request.recipe.source is not None and self.request.recipe.source.image == name:
            raise InvalidInput(f"source: image {name} cannot be its own base", "give the new image another name")
        self.base: str | None = None
        # A build reports a damaged container. An image that exists does not need the container.
        with contextlib.suppress(Damaged):
            self.base = self._find_base(self.request.recipe.source or Source())

    def locks(self) -> Iterable[Lock]:
        source = self.request.recipe.source or Source()
        # The base must not be removed during the build, and the container must not start while it is copied.
        bases = [image_lock(self.base, shared=True)] if self.base and self.base != self.request.name else []
        containers = [container_lock(source.container)] if source.container else []
        return [*sorted([image_lock(self.request.name), *bases]), *containers]

    def _find_base(self, source: Source) -> str | None:
        """Return the name of the base image, or None."""
        if source.container is None:
            return source.image
        spec = read_spec(ContainerPaths.of(self.settings.container_dir, source.container))
        return None if spec is None else spec.image

    def observe(self) -> ImageView:
        return self._observe(self.request)

    def _observe(self, wish: ImageRequest) -> ImageView:
        name, image_dir = self.request.name, self.settings.image_dir
        image, damage = self._read()
        users, unknown = image_users(self.settings.container_dir)
        derived, damaged = derived_images(image_dir)
        unknown = "; ".join(filter(None, (unknown, *(why for other, why in damaged.items() if other != name))))
        view = ImageView(
            recipe=None if image is None else image.recipe,
            builder=None if image is None else image.builder,
            damage=damage,
            users=users.get(name, ()),
            derived=derived.get(name, ()),
            unknown_users=unknown,
            stale=self._has_leftovers(),
            exported=image is not None and self._is_exported(image),
            foreign=self._is_foreign(image),
        )
        if self.request.state == "exported":
            archive.check_target(self.request.archive)
        if needs_build(wish, view):
            return replace(view, complete=self._complete())
        return replace(view, archive_checksum=self._changed_checksum(image))

    def _has_leftovers(self) -> bool:
        name, partial = self.request.name, self._partial()
        return (
            bool(staging.leftovers(self.settings.image_dir, name))
            or has_leftovers(build_paths(self.settings, name))
            or (bool(partial) and os.path.lexists(partial))
        )

    def _read(self) -> tuple[Image | None, str]:
        try:
            return read_image(self.settings.image_dir, self.request.name), ""
        except Damaged as error:
            if not has_image_json(self.settings.image_dir, self.request.name):
                raise
            return None, str(error)

    def _complete(self) -> Recipe:
        """Return the recipe of a build now. Raises the errors with which that build would fail."""
        recipe = self.request.recipe
        if recipe.commands:
            check_commands(self.settings, self.request.name)
        source = recipe.source
        if source is not None and source.archive:
            checksum = archive.check_source(source.archive, source.checksum)
            return replace(recipe, source=replace(source, checksum=checksum))
        if source is not None:
            base = check_container(self.settings, source.container) if source.container else source.image
            # parse_recipe requires exactly one of archive, container and image.
            if base is None:
                raise AssertionError("the base image is unknown")
            check_layers(base, image_layers(self.settings.image_dir, base))
            return recipe
        recipe = bootstrap.with_host_defaults(recipe)
        bootstrap.check_keyring(bootstrap.choose_builder(self.request.builder, recipe), recipe)
        return recipe

    def _changed_checksum(self, image: Image | None) -> str | None:
        """Return the checksum of the source archive if it is not the file that the image was imported from."""
        source = self.request.recipe.source
        if image is None or image.recipe.source is None or source is None or not source.archive or source.checksum:
            return None
        known = image.archive_stat if source.archive == image.recipe.source.archive else ()
        return archive.changed_checksum(source.archive, known)

    def plan(self, observed: ImageView) -> Plan:
        return plan_image(self.request, observed)

    def apply(self, action: Action, run: Run[ImageView]) -> None:
        run.warnings += _EFFECTS[type(action)](self) or ()

    def observe_again(self, run: Run[ImageView]) -> tuple[ImageView, Iterable[Action]]:
        # `force` applies to the first plan only.
        wish = replace(self.request, force=False)
        observed = self._observe(wish)
        return observed, plan_image(wish, observed).actions

    def result(self, observed: ImageView, run: Run[ImageView]) -> dict:
        return {**self._facts(observed.users, observed.derived), **({"warnings": run.warnings} if run.warnings else {})}

    def _facts(self, users: tuple[str, ...], derived: tuple[str, ...]) -> dict:
        image, _ = self._read()
        facts = image and image_facts(image, self.settings.image_dir, users, derived)
        return {"image": facts, **({"archive": self.request.archive} if self.request.archive else {})}

    def predicted_result(self) -> dict:
        """Return the check-mode result if an earlier task of the play creates what this task needs."""
        name = self.request.name
        action: Action = (
            ExportImage(name, self.request.archive) if self.request.state == "exported" else BuildImage(name)
        )
        users, derived = image_users(self.settings.container_dir)[0], derived_images(self.settings.image_dir)[0]
        return {"actions": [action.describe()], **self._facts(users.get(name, ()), derived.get(name, ()))}

    def _clear(self) -> None:
        staging.clear(self.settings.image_dir, self.request.name)
        build = build_paths(self.settings, self.request.name)
        if has_leftovers(build):
            remove_build(self.settings, build)
        if self._partial():
            archive.remove_partial(self._partial())

    def _build(self) -> Iterable[str]:
        if not self.request.recipe.commands:
            self._make(None)
            return ()
        # Created first, so that an error in the container is found before the long build.
        with command_runner(self.settings, self.request.name) as runner:
            self._make(runner)
            return runner.warnings

    def _make(self, runner: CommandRunner | None) -> None:
        image_dir, name = self.settings.image_dir, self.request.name
        paths = staging.new_staging(image_dir, name)
        try:
            log = staging.start_log(image_dir, name)
            image = self._fill(paths.rootfs, log)
            base = image_layers(image_dir, image.base.name) if image.base else ()
            # Commands run later, but cannot give a file an id outside of their container's range.
            image = replace(image, highest_id=staging.highest_id(paths.rootfs, SIZE - 1))
            if runner is not None:
                self._check_ids(image, runner)
                runner.run(image.recipe.commands or (), paths, base, log, proxies())
            with mounted_layers(paths, base, writable=True):
                remove_machine_identity(paths.rootfs)
            write_image(paths, replace(image, size=staging.tree_size(paths.rootfs)))
            staging.put_in_place(paths, self.paths)
        except BaseException:
            remove_tree(paths.directory)
            raise

    def _fill(self, rootfs: str, log: str) -> Image:
        """Create the root file system in `rootfs`; return the content of image.json, without its size."""
        recipe, source, builder = self.request.recipe, self.request.recipe.source, "archive"
        stat: tuple[int, ...] = ()
        base_record = None
        if source is not None and source.archive:
            unpacked, stat = archive.unpack(source.archive, source.checksum, rootfs, log)
            recipe = replace(recipe, source=unpacked)
        elif source is not None:
            builder = "container" if source.container else "image"
            base = self._fill_on_base(source, rootfs, log)
            recipe = replace(recipe, suite=base.recipe.suite, architecture=base.recipe.architecture)
            base_record = Base(base.name, base.id)
        else:
            recipe = bootstrap.with_host_defaults(recipe)
            builder = bootstrap.choose_builder(self.request.builder, recipe)
            bootstrap.bootstrap(builder, recipe, rootfs, log)
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        previous, _ = self._read()
        # Archives of the previous build are outdated, but may be replaced.
        exports: dict[str, tuple[int, ...]] = {path: () for path in previous.exports} if previous else {}
        return Image(self.request.name, os.urandom(8).hex(), created, recipe, builder, 0, exports, stat, base_record)

    def _fill_on_base(self, source: Source, rootfs: str, log: str) -> Image:
        """Create the layer in `rootfs`; return the base image. Raises Conflict if the container's image has changed."""
        if self.base is None or self._find_base(source) != self.base:
            raise Conflict(
                f"source: the image of container {source.container} changed during this run", "run this task again"
            )
        if source.container:
            copy_layer(self.settings, source.container, rootfs, log)
        else:
            make_directory(rootfs)
        base = read_image(self.settings.image_dir, self.base)
        # `_complete` has checked that it exists, and its lock is held.
        if base is None:
            raise AssertionError("the base image is unknown")
        return base

    def _check_ids(self, image: Image, runner: CommandRunner) -> None:
        """Raise Conflict if the image has files with owners outside of the id range of its commands."""
        where = f"commands of image {image.name}"
        require_ids(image, runner.ids, where)
        if image.base is not None:
            check_ids(self.settings.image_dir, image.base.name, runner.ids, where)

    def _remove(self) -> None:
        staging.remove_image(self.paths)

    def _export(self) -> None:
        image = read_image(self.settings.image_dir, self.request.name)
        # The plan has checked that it exists, and its lock is held.
        if image is None:
            raise AssertionError("the image is unknown")
        log = staging.start_log(self.settings.image_dir, self.request.name)
        newest = int(datetime.fromisoformat(image.created).timestamp())
        base = image_layers(self.settings.image_dir, self.request.name)[1:]

        def record(written: tuple[int, ...]) -> None:
            exports = {**image.exports, self.request.archive: written}
            write_image(self.paths, replace(image, exports=exports))

        with mounted_layers(self.paths, base, writable=False):
            archive.export(self.paths.rootfs, self.request.archive, self._partial(), newest, log, record)

    def _partial(self) -> str:
        return archive.partial_export(self.request.archive, self.request.name) if self.request.archive else ""

    def _is_exported(self, image: Image) -> bool:
        found = archive.file_stat(self.request.archive) if self.request.archive else ()
        return bool(found) and image.exports.get(self.request.archive) == found

    def _is_foreign(self, image: Image | None) -> bool:
        path = self.request.archive
        return bool(path) and os.path.lexists(path) and (image is None or path not in image.exports)


_EFFECTS: dict[type[Action], Callable[[ImageCase], Iterable[str] | None]] = {
    ClearStaging: ImageCase._clear,
    BuildImage: ImageCase._build,
    RemoveImage: ImageCase._remove,
    ExportImage: ImageCase._export,
}


def _parse_builder(params: dict) -> str | None:
    if params["builder"] == "auto":
        return None
    if params["source"] is not None:
        raise InvalidInput("source and builder are mutually exclusive", "omit builder: no builder is used with source")
    return params["builder"]


def _parse_archive(params: dict) -> str:
    archive_path = params["archive"]
    if params["state"] != "exported":
        if archive_path is not None:
            raise InvalidInput(
                f"archive requires state=exported, but state is {params['state']}", "set source to import an archive"
            )
        return ""
    if archive_path is None:
        raise InvalidInput("state=exported requires archive", "set archive to the path of the file to write")
    if not is_absolute(archive_path):
        raise InvalidInput(f"archive: {archive_path!r} is not an absolute path")
    if not archive_path.endswith(_SUFFIXES):
        raise InvalidInput(f"archive: {archive_path!r} has no known suffix", "use .tar, .tar.gz or .tar.zst")
    return archive_path
