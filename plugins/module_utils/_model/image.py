# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is made of: its recipe."""

from __future__ import annotations

import re

from .._errors import InvalidInput

# What a user can give; what is not given is the builder's or the host's default, and no difference later.
FIELDS = ("suite", "mirror", "variant", "architecture", "components", "packages", "keyring", "commands")

_WORD = {
    "suite": r"[a-z][a-z0-9.-]*",
    "variant": r"[a-z-]+",
    "architecture": r"[a-z0-9-]+",
    "components": r"[a-z0-9-]+",
    # dpkg's package names (Debian Policy 5.6.7), with an optional architecture or version as apt takes them.
    "packages": r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?",
}
_CHECKSUM = r"sha256:[0-9a-f]{64}"


def parse_recipe(params: dict) -> dict:
    """The parts of a recipe that `params` give, checked. Raises InvalidInput."""
    recipe = {name: params[name] for name in FIELDS if params.get(name) is not None}
    for name, pattern in _WORD.items():
        values = recipe.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            if not re.fullmatch(pattern, value):
                raise InvalidInput(f"{name}: {value!r} is not one", "see debootstrap(8) for what it can be")
    if "packages" in recipe:
        recipe["packages"] = sorted(set(recipe["packages"]))
    if "mirror" in recipe and not re.fullmatch(r"(https?|file|copy|ftp)://?[^\s'\"]+", recipe["mirror"]):
        raise InvalidInput(
            f"mirror {recipe['mirror']!r} is not the address of a mirror", "it begins with http:// or so"
        )
    if "keyring" in recipe and not recipe["keyring"].startswith("/"):
        raise InvalidInput(f"keyring {recipe['keyring']!r} is not an absolute path")
    for command in recipe.get("commands", []):
        if not command.strip() or "\0" in command:
            raise InvalidInput(f"commands: {command!r} is empty or has a NUL in it")
    return _with_source(recipe, params.get("source"))


def _with_source(recipe: dict, source: dict | None) -> dict:
    if source is None:
        return recipe
    built = sorted(set(recipe) - {"commands"})
    if built:
        raise InvalidInput(f"source and {', '.join(built)} exclude each other", "an archive has its packages already")
    if not source["archive"].startswith("/"):
        raise InvalidInput(f"source: archive {source['archive']!r} is not an absolute path")
    checksum = source.get("checksum")
    if checksum is not None and not re.fullmatch(_CHECKSUM, checksum):
        raise InvalidInput(f"source: checksum {checksum!r} is not one", "write sha256: and 64 hexadecimal digits")
    return {**recipe, "source": {"archive": source["archive"], **({"checksum": checksum} if checksum else {})}}


def differing(built: dict, wanted: dict) -> list[str]:
    """Names of the parts that `wanted` gives and `built`, the recipe of an image, does not have like that."""
    differ = [name for name in FIELDS if name in wanted and built.get(name) != wanted[name]]
    if "source" in wanted:
        had = built.get("source") or {}
        # By content where that is known, else by path.
        key = "checksum" if "checksum" in wanted["source"] else "archive"
        if had.get(key) != wanted["source"][key]:
            differ.append("source")
    return differ
