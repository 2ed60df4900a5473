# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs for images."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import Any

from ..._engine.engine import UseCase
from ..._engine.paths import ImagePaths
from ..._engine.settings import Settings
from ..output import local_time, print_json, size
from .common import change, for_each, load_settings, look, print_table, show_change, warn, warn_of_errors


def do_build(args: Namespace) -> int:
    from ..._build.staging import log_file

    settings = load_settings()
    case = _image_case(settings, args.name, "present", suite=args.suite, packages=args.packages)
    exists = os.path.exists(ImagePaths.of(settings.image_dir, args.name).spec)
    if not exists and not args.check and sys.stderr.isatty():
        warn(f"this takes some minutes; the builder's output is written to {log_file(settings.image_dir, args.name)}")
    return show_change(args, change(args, case))


def do_image_build(args: Namespace) -> int:
    return do_build(args)


def do_image_ls(args: Namespace) -> int:
    return do_images(args)


def do_image_rm(args: Namespace) -> int:
    return do_rmi(args)


def do_images(args: Namespace) -> int:
    from ..._image.info import ImageInfoCase

    result = look(ImageInfoCase({"name": None}, load_settings()))
    if args.json:
        print_json(result)
        return 0
    rows = [
        (
            i["name"],
            i["base"]["name"] if i.get("base") else "",
            size(i["size"]) if "size" in i else "",
            local_time(i.get("created")),
            " ".join([*i["used_by"], *(f"{name} (image)" for name in i["base_of"])]),
        )
        for i in result["images"]
    ]
    print_table(
        ("NAME", "BASE", "SIZE", "CREATED", "USED BY"), rows, "no images; create one with: conductor build NAME"
    )
    warn_of_errors(result["images"])
    return 0


def do_rmi(args: Namespace) -> int:
    settings = load_settings()

    def remove(name: str) -> dict:
        return change(args, _image_case(settings, name, "absent", force=args.force))

    return for_each(args, remove, "image {} does not exist")


def do_image_export(args: Namespace) -> int:
    archive = os.path.abspath(args.archive)
    case = _image_case(load_settings(), args.name, "exported", archive=archive, force=args.force)
    return show_change(args, change(args, case))


def do_image_import(args: Namespace) -> int:
    source = {"archive": os.path.abspath(args.archive)}
    return show_change(args, change(args, _image_case(load_settings(), args.name, "present", source=source)))


def do_image_tag(args: Namespace) -> int:
    case = _image_case(load_settings(), args.name, "present", source={"image": args.image})
    return show_change(args, change(args, case))


def _image_case(settings: Settings, name: str, state: str, **options: Any) -> UseCase:
    from ..._build.use_case import ImageCase

    params = {"name": name, "state": state, "builder": "auto", "source": None, "force": False, "archive": None}
    return ImageCase({**params, **options}, settings)
