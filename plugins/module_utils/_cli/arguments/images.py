# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and help texts of the verbs for images."""

from __future__ import annotations

import argparse

from .common import Verb, add_changes


def _build(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    verb.add_argument("--suite", metavar="SUITE", help="Debian release, such as trixie; default: that of the host")
    verb.add_argument(
        "--package", metavar="PACKAGE", dest="packages", action="append", help="package to install; repeatable"
    )
    add_changes(verb)


def _export(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    verb.add_argument("archive", metavar="ARCHIVE", help="file to write, such as web.tar.zst")
    verb.add_argument("--force", action="store_true", help="replace a file that is not the archive of this image")
    add_changes(verb)


def _import(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("archive", metavar="ARCHIVE", help="tar archive of a root file system")
    verb.add_argument("name", metavar="NAME", help="name of the image")
    add_changes(verb)


def _tag(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("image", metavar="IMAGE", help="name of an image")
    verb.add_argument("name", metavar="NAME", help="further name")
    add_changes(verb)


def _images(_verb: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def _rmi(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", metavar="NAME", nargs="+", help="name of an image; repeatable")
    verb.add_argument("--force", action="store_true", help="remove an image even if its image.json is damaged")
    add_changes(verb)


VERBS: dict[str, Verb] = {
    "build": (
        "build a Debian image",
        """\
Uses the Debian release and mirror of the host, with mmdebstrap or debootstrap. This takes some minutes. Use the
module conductor_image for other sources.

examples:
  conductor build debian
  conductor build machine --suite trixie --package systemd-sysv --package dbus
""",
        _build,
    ),
    "image build": (
        "build a Debian image: another name of build",
        "example:\n  conductor image build debian\n",
        _build,
    ),
    "images": ("list the images", "example:\n  conductor images\n", _images),
    "image ls": ("list the images: another name of images", "example:\n  conductor image ls\n", _images),
    "image rm": ("remove images: another name of rmi", "example:\n  conductor image rm web web-old\n", _rmi),
    "image export": (
        "write an image to an archive",
        "The name of the archive selects its compression.\n\nexample:\n  conductor image export web /srv/web.tar.zst\n",
        _export,
    ),
    "image import": (
        "make an image of an archive",
        "example:\n  conductor image import /srv/web.tar.zst web\n",
        _import,
    ),
    "image tag": (
        "give an image a further name",
        "The new image shares all files with the other one, which cannot be removed before it.\n\n"
        "example:\n  conductor image tag web web-old\n",
        _tag,
    ),
    "rmi": (
        "remove images",
        "An image that containers or other images use is not removed. With --check, each image is checked as if the\n"
        "others stayed.\n\n"
        "examples:\n  conductor rmi debian\n  conductor rmi web-old web\n",
        _rmi,
    ),
}
