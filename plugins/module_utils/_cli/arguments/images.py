# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and help texts of the verbs for images."""

from __future__ import annotations

import argparse

from .common import Verb, add_changes


def _build(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    add_changes(verb)


def _images(_verb: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def _rmi(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    verb.add_argument("--force", action="store_true", help="remove the image even if its image.json is damaged")
    add_changes(verb)


VERBS: dict[str, Verb] = {
    "build": (
        "build a Debian image",
        """\
Uses the Debian release and mirror of the host, with mmdebstrap or debootstrap. This takes some minutes. Use the
module conductor_image for other releases, packages and sources.

example:
  conductor build debian
""",
        _build,
    ),
    "images": ("list the images", "example:\n  conductor images\n", _images),
    "rmi": (
        "remove an image",
        "An image that containers use is not removed.\n\nexample:\n  conductor rmi debian\n",
        _rmi,
    ),
}
