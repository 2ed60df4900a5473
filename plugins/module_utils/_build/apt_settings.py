# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download settings of this host's apt (apt.conf(5)): proxies, certificates, and date checks of archives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from .._kernel.run_program import find_program, run

# Names of options are not case-sensitive (apt.conf(5)).
_DOWNLOAD = re.compile(
    r"Acquire::((https?|ftp)::|Check-Valid-Until\b|Check-Date\b|Retries\b|ForceIPv[46]\b).*", re.IGNORECASE
)
_PROXY = re.compile(r'Acquire::(https?|ftp)::Proxy(?:::(\S+))? "(.*)";', re.IGNORECASE)
# Options of apt-transport-http(1) and apt-transport-https(1), also for a single server.
_HOST_FILE = re.compile(
    r"\S+::(Proxy-?Auto-?Detect|CAInfo|CAPath|CRLFile|IssuerCert|SSLCert|SSLKey)(::\S+)? .*", re.IGNORECASE
)


def download_settings() -> list[str]:
    """Return apt.conf lines that give another apt on this host its download settings."""
    apt_config = find_program("apt-config")
    if apt_config is None:
        return []
    return parse_dump(run([apt_config, "dump"]).decode(errors="replace"))


def parse_dump(text: str) -> list[str]:
    """Return the lines of `apt-config dump` that set download options, without empty values."""
    return [line for line in text.splitlines() if _DOWNLOAD.fullmatch(line) and not line.endswith('"";')]


def without_host_files(settings: Iterable[str]) -> list[str]:
    """Return the lines of `settings` that are valid in an image, too, since they name no file of this host."""
    return [line for line in settings if not _HOST_FILE.fullmatch(line)]


def proxies(only_archives: bool = False) -> dict[str, str]:
    """Return the proxies of this host's apt as environment variables, for programs other than apt.

    `only_archives`: for a program that downloads only what apt would.
    """
    return parse_proxies(download_settings(), os.environ.get("no_proxy", ""), only_archives)


def parse_proxies(settings: Iterable[str], no_proxy: str, only_archives: bool = False) -> dict[str, str]:
    """Return the proxies in apt.conf lines as environment variables; servers without a proxy are added to `no_proxy`.

    A value that is no URL, such as DIRECT or false, means no proxy. For archives https has the proxy of http if its own
    is not set (apt-transport-https(1)). For other servers it has not: a cache of Debian's archives may refuse these.
    """
    proxy: dict[str, str] = {}
    direct = []
    for line in settings:
        match = _PROXY.fullmatch(line)
        if match and not match[2]:
            proxy[match[1].lower()] = match[3]
        elif match and "://" not in match[3]:
            direct.append(match[2])
    if only_archives and "http" in proxy:
        proxy.setdefault("https", proxy["http"])
    found = {f"{scheme}_proxy": url for scheme, url in proxy.items() if "://" in url}
    if direct:
        found["no_proxy"] = ",".join(dict.fromkeys(filter(None, [*no_proxy.split(","), *direct])))
    return found
