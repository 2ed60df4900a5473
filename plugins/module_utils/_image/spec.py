# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is made of (its recipe), and what is written down of one that exists (image.json)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Union

from .._engine.id_range import SIZE
from .._engine.names import parse_name
from .._engine.typed_values import list_of, map_of, maybe, object_with, text, whole, wrong
from .._errors import Damaged, InvalidInput

# One for the image's shell, or a program with its arguments.
# For the shell, or the words of a program.
Command = Union[str, tuple[str, ...]]

# Debian's sets of packages, and what each builder calls them by (debootstrap(8), mmdebstrap(1)).
VARIANTS = {
    "mmdebstrap": ("essential", "apt", "minbase", "buildd", "important", "standard"),
    "debootstrap": ("minbase", "buildd", "important"),
}

_WORD = {
    "suite": r"[a-z][a-z0-9.-]*",
    "architecture": r"[a-z0-9][a-z0-9-]*",
    "components": r"[a-z0-9][a-z0-9-]*(/[a-z0-9-]+)?",
    # dpkg's package names (Debian Policy 5.6.7), with an optional architecture or version as apt takes them.
    "packages": r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?",
}
_CHECKSUM = r"sha256:[0-9a-f]{64}"
# What an image can be made from, and the options that tell what is in it.
_KINDS = ("archive", "container", "image")
_TOLD_BY = {"checksum": "archive", "digest": "container"}


@dataclass(frozen=True)
class Source:
    """A tar archive on the host, of which `checksum` is sha256:HEX; or a container; or another image.

    `digest` (sha256:HEX) is of what went into the container, as whoever put it there tells.
    """

    archive: str | None = None
    checksum: str | None = None
    container: str | None = None
    digest: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Recipe:
    """None is what was not given: it is the host's or the builder's default, and no difference later."""

    suite: str | None = None
    mirror: str | None = None
    variant: str | None = None
    architecture: str | None = None
    components: tuple[str, ...] | None = None
    packages: tuple[str, ...] | None = None
    keyring: str | None = None
    commands: tuple[Command, ...] | None = None
    source: Source | None = None

    def to_json(self) -> dict[str, Any]:
        """What is given, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Recipe:
        """The recipe that `to_json` wrote, with values of the kinds that `Image.from_json` has looked for."""
        given = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        for name in ("components", "packages"):
            if name in given:
                given[name] = tuple(given[name])
        if "commands" in given:
            given["commands"] = tuple(c if isinstance(c, str) else tuple(c) for c in given["commands"])
        if "source" in given:
            source = given["source"]
            given["source"] = Source(**{field.name: source.get(field.name) for field in fields(Source)})
        return cls(**given)


@dataclass(frozen=True)
class Base:
    """The image that another one lies on; `id` tells which build of it."""

    name: str
    id: str


@dataclass(frozen=True)
class Image:
    """image.json. `created` is UTC in ISO 8601, `size` bytes on disk, of its own layer where it has a `base`.

    `exports` has size and mtime (ns) of each archive that was written of it; `archive_stat` what tells the archive that
    it was made from: a file that has that still need not be read again. No file in its layer belongs to a user or group
    above `highest_id`.
    """

    name: str
    id: str
    created: str
    recipe: Recipe
    builder: str
    size: int
    exports: dict[str, tuple[int, ...]] = field(default_factory=dict)
    archive_stat: tuple[int, ...] = ()
    base: Base | None = None
    highest_id: int = SIZE - 1

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "recipe": self.recipe.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any], where: str) -> Image:
        """Raises Damaged, naming the file `where`."""
        problem = wrong(value, _OF_IMAGE, ("name", "id", "created", "recipe", "builder", "size"))
        if problem:
            raise Damaged(f"{where} is damaged ({problem})", "set force: true to build or remove the image")
        base = value.get("base")
        return cls(**{
            **{field.name: value[field.name] for field in fields(cls) if field.name in value},
            "recipe": Recipe.from_json(value["recipe"]),
            "exports": {path: tuple(stat) for path, stat in value.get("exports", {}).items()},
            "archive_stat": tuple(value.get("archive_stat", ())),
            "base": Base(base["name"], base["id"]) if base else None,
        })  # fmt: skip


def parse_recipe(params: dict[str, Any]) -> Recipe:
    """The parts of a recipe that `params` give, checked and in one order. Raises InvalidInput."""
    given = {f.name: params[f.name] for f in fields(Recipe) if params.get(f.name) is not None}
    for name, pattern in _WORD.items():
        value = given.get(name, [])
        for word in value if isinstance(value, list) else [value]:
            if not re.fullmatch(pattern, word):
                raise InvalidInput(f"{name}: {word!r} is not one", "see debootstrap(8) for what it can be")
        if isinstance(value, list) and name in given:
            given[name] = tuple(sorted(set(value)))
    # There is no Debian of no components: an empty list, as a template may give, asks for the default.
    if not given.get("components", True):
        del given["components"]
    if "variant" in given and given["variant"] not in VARIANTS["mmdebstrap"]:
        raise InvalidInput(f"variant: {given['variant']!r} is not one", f"use {', '.join(VARIANTS['mmdebstrap'])}")
    if "mirror" in given:
        given["mirror"] = _mirror(given["mirror"])
    if "keyring" in given and not given["keyring"].startswith("/"):
        raise InvalidInput(f"keyring {given['keyring']!r} is not an absolute path")
    if "commands" in given:
        given["commands"] = tuple(_command(command) for command in given["commands"])
    if "source" in given:
        given["source"] = _source(given)
    return Recipe(**given)


def _mirror(value: str) -> str:
    if not re.fullmatch(r"(https?://|ftp://|file:/|copy:/)[^\s'\"\[\]]+", value):
        raise InvalidInput(f"mirror {value!r} is not the address of a mirror", "it begins with http:// or so")
    return value.rstrip("/")


def _command(value: object) -> Command:
    given: list[object] = value if isinstance(value, list) else [value]
    words = [word for word in given if isinstance(word, str) and "\0" not in word]
    if len(words) != len(given):
        raise InvalidInput(f"commands: {value!r} is not text", "a string for the shell, or a list of strings")
    if not words or not words[0].strip():
        raise InvalidInput(f"commands: {value!r} is empty")
    return value if isinstance(value, str) else tuple(words)


def _source(given: dict[str, Any]) -> Source:
    source = given["source"]
    built = sorted(set(given) - {"commands", "source"})
    if built:
        raise InvalidInput(f"source and {', '.join(built)} exclude each other", "it has its packages already")
    chosen = [kind for kind in _KINDS if source.get(kind) is not None]
    if len(chosen) != 1:
        raise InvalidInput(f"source: give one of {', '.join(_KINDS)}")
    kind, value = chosen[0], source[chosen[0]]
    digests = {option: source[option] for option in _TOLD_BY if source.get(option) is not None}
    for option, digest in digests.items():
        if _TOLD_BY[option] != kind:
            raise InvalidInput(f"source: {option} is for {_TOLD_BY[option]}, not for {kind}")
        if not re.fullmatch(_CHECKSUM, digest):
            raise InvalidInput(f"source: {option} {digest!r} is not one", "write sha256: and 64 hexadecimal digits")
    if kind != "archive":
        parse_name(value, f"source: {kind}")
    elif not value.startswith("/"):
        raise InvalidInput(f"source: archive {value!r} is not an absolute path")
    return Source(**{kind: value}, **digests)


def differing(built: Recipe, wanted: Recipe, archive_checksum: str | None = None) -> list[str]:
    """Names of the parts that `wanted` gives and `built` does not have like that.

    `archive_checksum` is what the archive of `wanted` has now, where that is known.
    """
    plain = [f.name for f in fields(Recipe) if f.name != "source"]
    differ = [n for n in plain if getattr(wanted, n) is not None and getattr(built, n) != getattr(wanted, n)]
    if wanted.source is not None and not _same_source(built.source, wanted.source, archive_checksum):
        differ.append("source")
    return differ


def _same_source(built: Source | None, wanted: Source, archive_checksum: str | None) -> bool:
    """An archive or a container by content where that is known, else by path or name."""
    if built is None:
        return False
    if wanted.digest:
        return built.digest == wanted.digest
    if wanted.archive:
        known = wanted.checksum or archive_checksum
        return built.checksum == known if known else built.archive == wanted.archive
    return built.container == wanted.container and built.image == wanted.image


def with_defaults(recipe: Recipe, suite: str, architecture: str) -> Recipe:
    """`recipe` of a build, with everything given."""
    return replace(
        recipe,
        suite=recipe.suite or suite,
        architecture=recipe.architecture or architecture,
        variant=recipe.variant or "minbase",
        components=recipe.components or ("main",),
        packages=recipe.packages or (),
        commands=recipe.commands or (),
    )


_TEXTS, _STAT = list_of(text), list_of(whole(-(1 << 63)))
_SOURCE = {name: maybe(text) for name in ("archive", "checksum", "container", "digest", "image")}
_RECIPE = {
    **dict.fromkeys(("suite", "mirror", "variant", "architecture", "keyring"), text),
    **dict.fromkeys(("components", "packages"), _TEXTS),
    "commands": list_of(lambda command: text(command) or _TEXTS(command)),
    "source": object_with(_SOURCE),
}
# What image.json has, by key.
_OF_IMAGE = {
    "name": text, "id": text, "created": text, "builder": text, "size": whole(0), "recipe": object_with(_RECIPE),
    "exports": map_of(_STAT), "archive_stat": _STAT,
    "base": maybe(object_with({"name": text, "id": text}, ("name", "id"))),
}  # fmt: skip
