# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where this host gets Debian: the sources of apt (sources.list(5)), one-line and deb822 style."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One archive and the suites that are taken from it."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def host_sources(directory: str = "/etc/apt") -> list[Source]:
    """All binary package sources that are enabled on this host."""
    found: list[Source] = []
    lists = [os.path.join(directory, "sources.list"), *sorted(glob.glob(f"{directory}/sources.list.d/*.list"))]
    for path in lists:
        found += parse_one_line(_read(path))
    for path in sorted(glob.glob(f"{directory}/sources.list.d/*.sources")):
        found += parse_deb822(_read(path))
    return found


def parse_one_line(text: str) -> list[Source]:
    """Sources of the one-line style: deb [options] uri suite [component...]."""
    sources = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s*(.*)", line.partition("#")[0].strip())
        if match:
            sources.append(Source(match[1], (match[2],), tuple(match[3].split())))
    return sources


def parse_deb822(text: str) -> list[Source]:
    """Sources of the deb822 style: stanzas of fields, which may go on in indented lines."""
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
        if fields.get("enabled", "yes").lower() == "no" or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            sources.append(Source(uri, tuple(fields["suites"].split()), tuple(fields.get("components", "").split())))
    return sources


def debian_archive(sources: list[Source], codename: str) -> tuple[str | None, str | None]:
    """Address of the main archive and of the security archive among `sources`; `codename` is the host's own suite."""
    main = next((s.uri for s in sources if {codename, "stable"} & set(s.suites) and "main" in s.components), None)
    secure = next((s.uri for s in sources if any(suite.endswith("-security") for suite in s.suites)), None)
    return main, secure


def host_codename(path: str = "/etc/os-release") -> str | None:
    """The suite that this host is, where it is Debian (os-release(5))."""
    fields = dict(line.split("=", 1) for line in _read(path).splitlines() if "=" in line)
    return (
        fields.get("VERSION_CODENAME", "").strip('"') or None if fields.get("ID", "").strip('"') == "debian" else None
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
