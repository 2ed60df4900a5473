# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of an image (its build options) and the record of a built image (image.json)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Union
from urllib.parse import urlsplit

from ..._engine.id_range import SIZE
from ..._engine.names import parse_name
from ..._engine.paths import is_absolute, owner_of
from ..._engine.typed_values import find_problem, integer, list_of, map_of, nullable, object_with, text, utc_time
from ..._errors import Damaged, InvalidInput

# A string for the image's shell, or a program with its arguments.
Command = Union[str, tuple[str, ...]]

# Variants (Debian's package sets) that each builder supports (debootstrap(8), mmdebstrap(1)).
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
# Without user and password.
_MIRROR = r"((https?|ftp)://[^\s'\"\[\]/@:]+(:[0-9]+)?(/[^\s'\"\[\]]*)?|(file|copy):/[^\s'\"\[\]]+)"
_CHECKSUM = r"sha256:[0-9a-f]{64}"
# The kinds of sources, and the kind that each digest option belongs to.
_KINDS = ("archive", "container", "image")
_KIND_OF_DIGEST = {"checksum": "archive", "digest": "container"}


@dataclass(frozen=True)
class Source:
    """The source of an image: a tar archive on the host with its `checksum` (sha256:HEX), a container, or an image.

    `digest` (sha256:HEX) identifies the inputs of the container. The user calculates it.
    """

    archive: str | None = None
    checksum: str | None = None
    container: str | None = None
    digest: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Recipe:
    """The build options of an image.

    None means "not given": the build uses the host's or the builder's default, and `differing` ignores the option.
    """

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
        """Return the given options as a JSON object."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Recipe:
        """Return the recipe that `to_json` wrote. `Image.from_json` has checked the types of its values."""
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
    """The base image of a layered image; `id` identifies one build of it."""

    name: str
    id: str


@dataclass(frozen=True)
class Image:
    """The content of image.json.

    `created` is UTC in ISO 8601. `size` is in bytes on disk; if the image has a `base`, it is that of its own layer.
    `exports` maps the path of each exported archive to its size and mtime (ns), or to nothing if the export is of a
    previous build. `archive_stat` identifies the archive
    that the image was imported from: a file with the same values is not read again. No file in the image's own layer
    has a user or group id above `highest_id`.
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
        """Return the image that the JSON object `value` describes. Raises Damaged, naming the file `where`."""
        problem = find_problem(value, _IMAGE_FIELDS, ("name", "id", "created", "recipe", "builder", "size"))
        if problem:
            remedy = f"set force: true to rebuild or remove image {owner_of(where)}"
            raise Damaged(f"{where} is damaged ({problem})", remedy)
        base = value.get("base")
        return cls(**{
            **{field.name: value[field.name] for field in fields(cls) if field.name in value},
            "recipe": Recipe.from_json(value["recipe"]),
            "exports": {path: tuple(stat) for path, stat in value.get("exports", {}).items()},
            "archive_stat": tuple(value.get("archive_stat", ())),
            "base": Base(base["name"], base["id"]) if base else None,
        })  # fmt: skip


def parse_recipe(params: dict[str, Any]) -> Recipe:
    """Return the recipe that `params` give: checked, with lists of words sorted. Raises InvalidInput."""
    given = {f.name: params[f.name] for f in fields(Recipe) if params.get(f.name) is not None}
    for name, pattern in _WORD.items():
        value = given.get(name, [])
        for word in value if isinstance(value, list) else [value]:
            if not re.fullmatch(pattern, word):
                raise InvalidInput(f"{name}: {word!r} is not valid", "see debootstrap(8) for the valid values")
        if isinstance(value, list) and name in given:
            given[name] = tuple(sorted(set(value)))
    # A Debian system needs a component; an empty list, as a template may produce, selects the default.
    if not given.get("components", True):
        del given["components"]
    if "variant" in given and given["variant"] not in VARIANTS["mmdebstrap"]:
        raise InvalidInput(
            f"variant: unknown variant {given['variant']!r}", f"use one of {', '.join(VARIANTS['mmdebstrap'])}"
        )
    if "mirror" in given:
        given["mirror"] = _mirror(given["mirror"])
    if "keyring" in given and not is_absolute(given["keyring"]):
        raise InvalidInput(f"keyring: {given['keyring']!r} is not an absolute path")
    if "commands" in given:
        given["commands"] = tuple(_command(command) for command in given["commands"])
    if "source" in given:
        given["source"] = _source(given)
    return Recipe(**given)


def _mirror(value: str) -> str:
    is_url = re.fullmatch(_MIRROR, value)
    if is_url and _is_possible(value):
        return value.rstrip("/")
    if not is_url and "@" in value:
        raise InvalidInput(
            "mirror: the URL contains a login, which would be stored in the image",
            "remove it from the URL, and write it to a file NAME.conf in /etc/apt/auth.conf.d on the managed host, see "
            "apt_auth.conf(5)",
        )
    raise InvalidInput(
        f"mirror: invalid mirror URL {value!r}",
        "use a URL that begins with http://, https://, ftp:// or file:/, with a port from 1 to 65535 or without one",
    )


def _is_possible(url: str) -> bool:
    """Return whether `url` has a host name and a port that can exist."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _command(value: object) -> Command:
    given: list[object] = value if isinstance(value, list) else [value]
    words = [word for word in given if isinstance(word, str) and "\0" not in word]
    if len(words) != len(given):
        raise InvalidInput(
            f"commands: {value!r} is not text", "write a string for the shell, or a list of strings without NUL"
        )
    if not words or not words[0].strip():
        raise InvalidInput(f"commands: {value!r} is empty")
    return value if isinstance(value, str) else tuple(words)


def _source(given: dict[str, Any]) -> Source:
    source = given["source"]
    built = sorted(name for name in set(given) - {"commands", "source"} if given[name])
    if built:
        raise InvalidInput(
            f"source and {', '.join(built)} are mutually exclusive",
            "omit the build options: the source already contains its packages",
        )
    chosen = [kind for kind in _KINDS if source.get(kind) is not None]
    if len(chosen) != 1:
        raise InvalidInput(f"source: exactly one of {', '.join(_KINDS)} is required")
    kind, value = chosen[0], source[chosen[0]]
    digests = {option: source[option] for option in _KIND_OF_DIGEST if source.get(option) is not None}
    for option, digest in digests.items():
        if _KIND_OF_DIGEST[option] != kind:
            raise InvalidInput(f"source: {option} requires {_KIND_OF_DIGEST[option]} and cannot be used with {kind}")
        if not re.fullmatch(_CHECKSUM, digest):
            raise InvalidInput(
                f"source: {option} {digest!r} is not valid", "write sha256: and 64 lowercase hexadecimal digits"
            )
    if kind != "archive":
        parse_name(value, f"source: {kind}")
    elif not is_absolute(value):
        raise InvalidInput(f"source: archive {value!r} is not an absolute path")
    return Source(**{kind: value}, **digests)


def differing(built: Recipe, wanted: Recipe, archive_checksum: str | None = None) -> list[str]:
    """Return the names of the options that `wanted` gives and that differ in `built`.

    `archive_checksum` is the current checksum of the archive of `wanted`, if known. An empty list equals a list that
    was not given: the image has none of these.
    """
    plain = [f.name for f in fields(Recipe) if f.name != "source" and getattr(wanted, f.name) is not None]
    differ = [name for name in plain if (getattr(built, name) or ()) != (getattr(wanted, name) or ())]
    if wanted.source is not None and not _same_source(built.source, wanted.source, archive_checksum):
        differ.append("source")
    return differ


def _same_source(built: Source | None, wanted: Source, archive_checksum: str | None) -> bool:
    """Compare an archive or a container by content if it is known, else by path or name."""
    if built is None:
        return False
    if wanted.digest:
        return built.digest == wanted.digest
    if wanted.archive:
        known = wanted.checksum or archive_checksum
        return built.checksum == known if known else built.archive == wanted.archive
    return built.container == wanted.container and built.image == wanted.image


def with_defaults(recipe: Recipe, suite: str, architecture: str) -> Recipe:
    """Return `recipe` with a value for every option that a build needs."""
    return replace(
        recipe,
        suite=recipe.suite or suite,
        architecture=recipe.architecture or architecture,
        variant=recipe.variant or "minbase",
        components=recipe.components or ("main",),
        packages=recipe.packages or (),
        commands=recipe.commands or (),
    )


_TEXTS, _STAT = list_of(text), list_of(integer(-(1 << 63)))
_SOURCE = {name: nullable(text) for name in ("archive", "checksum", "container", "digest", "image")}
_RECIPE = {
    **dict.fromkeys(("suite", "mirror", "variant", "architecture", "keyring"), text),
    **dict.fromkeys(("components", "packages"), _TEXTS),
    "commands": list_of(lambda command: text(command) or _TEXTS(command)),
    "source": object_with(_SOURCE),
}
# The type of each key of image.json.
_IMAGE_FIELDS = {
    "name": text, "id": text, "created": utc_time, "builder": text, "size": integer(0), "recipe": object_with(_RECIPE),
    "exports": map_of(_STAT), "archive_stat": _STAT, "highest_id": integer(0),
    "base": nullable(object_with({"name": text, "id": text}, ("name", "id"))),
}  # fmt: skip
