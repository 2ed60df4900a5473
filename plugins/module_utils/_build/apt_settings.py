# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How this host's apt downloads (apt.conf(5)): proxies, certificates, and how old an archive may be."""

from __future__ import annotations

import re

from .._kernel.run_program import find_program, run

_DOWNLOAD = re.compile(r"Acquire::((https?|ftp)::|Check-Valid-Until\b|Check-Date\b|Retries\b|ForceIPv[46]\b).*")


def download_settings() -> list[str]:
    """Lines for an apt.conf that make another apt download as this host's does."""
    apt_config = find_program("apt-config")
    if apt_config is None:
        return []
    return parse_dump(run([apt_config, "dump"]).decode(errors="replace"))


def parse_dump(text: str) -> list[str]:
    """The lines of `apt-config dump` that say how to download."""
    return [line for line in text.splitlines() if _DOWNLOAD.fullmatch(line) and not line.endswith('"";')]


def proxies() -> dict[str, str]:
    """The same as environment variables, for programs that are not apt: those that know of proxies only."""
    found = {}
    for line in download_settings():
        match = re.fullmatch(r'Acquire::(https?|ftp)::Proxy "(\S+)";', line)
        if match and match[2] != "DIRECT":
            found[f"{match[1]}_proxy"] = match[2]
    return found
