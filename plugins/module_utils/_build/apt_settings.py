# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download settings of this host's apt (apt.conf(5)): proxies, certificates, and date checks of archives."""

from __future__ import annotations

import re

from .._kernel.run_program import find_program, run

_DOWNLOAD = re.compile(r"Acquire::((https?|ftp)::|Check-Valid-Until\b|Check-Date\b|Retries\b|ForceIPv[46]\b).*")


def download_settings() -> list[str]:
    """Return apt.conf lines that give another apt the download settings of this host."""
    apt_config = find_program("apt-config")
    if apt_config is None:
        return []
    return parse_dump(run([apt_config, "dump"]).decode(errors="replace"))


def parse_dump(text: str) -> list[str]:
    """Return the lines of `apt-config dump` that set download options, without empty values."""
    return [line for line in text.splitlines() if _DOWNLOAD.fullmatch(line) and not line.endswith('"";')]


def proxies() -> dict[str, str]:
    """Return the proxies of this host's apt as environment variables, for programs other than apt."""
    found = {}
    for line in download_settings():
        match = re.fullmatch(r'Acquire::(https?|ftp)::Proxy "(\S+)";', line)
        if match and match[2] != "DIRECT":
            found[f"{match[1]}_proxy"] = match[2]
    return found
