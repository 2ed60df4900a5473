# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package sources of this host's apt (sources.list(5)), in one-line and deb822 style."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._kernel.files.atomic_write import read_text
from .apt_parts import apt_parts

# Names that a source may have for the host's suite instead of its codename.
_RELEASES = ("stable", "oldstable", "testing", "sid", "unstable")


@dataclass(frozen=True)
class Source:
    """One archive and the suites that apt takes from it.

    `own` is true if the source is in a file that Debian's installer writes. `signed_by` is the value in the file, or ""
    if it is not set.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""
    own: bool = False


def host_sources(directory: str = "/etc/apt") -> list[Source]:
    """Return all enabled binary package sources of this host."""
    found: list[Source] = []
    for path in (f"{directory}/sources.list", *apt_parts(f"{directory}/sources.list.d", "list")):
        found += parse_one_line(read_text(path), own=os.path.basename(path) == "sources.list")
    for path in apt_parts(f"{directory}/sources.list.d", "sources"):
        found += parse_deb822(read_text(path), own=os.path.basename(path) == "debian.sources")
    return found


def parse_one_line(text: str, own: bool = False) -> list[Source]:
    """Parse sources in one-line style: deb [options] uri suite [component...]."""
    sources = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)", line.partition("#")[0].strip())
        if match:
            options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
            sources.append(
                Source(match[2], (match[3],), tuple(match[4].split()), options.get("signed-by", ""), own),
            )
    return sources


def parse_deb822(text: str, own: bool = False) -> list[Source]:
    """Parse sources in deb822 style: stanzas of fields, with indented continuation lines."""
    sources = []
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                key = name.strip().lower()
                fields[key] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "off", "0"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        suites, components = (tuple(fields.get(name, "").split()) for name in ("suites", "components"))
        for uri in fields.get("uris", "").split():
            sources.append(Source(uri, suites, components, fields.get("signed-by", ""), own))
    return sources


def debian_archive(sources: Iterable[Source], codename: str | None) -> tuple[str | None, str | None]:
    """Return the URIs of Debian's main archive and security archive in `sources`; `codename` is the host's suite.

    Other vendors use the same names of suites and components. The signing key, the URI and the other suites of a source
    tell Debian's archives apart from theirs.
    """
    if codename is None:
        return None, None
    sources = [source for source in sources if _scheme(source.uri)]
    updating = {s.uri for s in sources if _names(codename, "-updates") & set(s.suites)}

    def best(suffix: str) -> str | None:
        suites = _names(codename, suffix)
        candidates = [s for s in sources if suites & set(s.suites) and "main" in s.components]
        ranked = [
            (_looks_like_debian(s, s.uri in updating), f"{codename}{suffix}" in s.suites, _address(s.uri))
            for s in candidates
        ]
        usable = [entry for entry in ranked if any(entry[0]) and entry[2]]
        # max returns the first of equals, which apt prefers, too.
        return max(usable, key=lambda entry: entry[:2])[2] if usable else None

    main = best("")
    security = best("-security")
    return main, security if main else None


def _names(codename: str, suffix: str) -> set[str]:
    return {f"{name}{suffix}" for name in (codename, *_RELEASES)}


def _looks_like_debian(source: Source, updating: bool) -> tuple[bool, ...]:
    place = urlsplit(source.uri)
    words = {*place.path.split("/"), place.hostname or ""}
    return ("debian-archive" in source.signed_by, bool(words & {"debian", "debian-security"}), updating, source.own)


def _address(uri: str) -> str | None:
    """Return the URI of a mirror that is valid in an image, too, or None.

    Cloud images keep a list of mirrors in a file (apt-transport-mirror(1)), which an image does not have.
    """
    if uri.startswith("mirror+file:"):
        lines = read_text(re.sub(r"^mirror\+file:/*", "/", uri)).splitlines()
        uri = next((line.split()[0] for line in lines if line.strip() and not line.startswith("#")), "")
    return uri.rstrip("/") if _scheme(uri) in ("http", "https", "ftp", "file") else None


def _scheme(uri: str) -> str:
    """Return the scheme of `uri`; "" if it is not a valid URI, which apt does not check before it connects."""
    try:
        return urlsplit(uri).scheme
    except ValueError:
        return ""


def host_codename(path: str = "/etc/os-release") -> str | None:
    """Return the suite of this host (os-release(5)), or None if it is not Debian."""
    fields = dict(line.split("=", 1) for line in read_text(path).splitlines() if "=" in line)
    if fields.get("ID", "").strip("\"'") != "debian":
        return None
    return fields.get("VERSION_CODENAME", "").strip("\"'") or None
