"""What a reader needs to know about the machine; nothing that identifies it."""

from __future__ import annotations

import datetime
import os
import platform
import re
from pathlib import Path


def machine_facts(versions: dict[str, str]) -> dict:
    """Return facts of this machine now, before anything is measured; `versions` are those of the peers."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "cores": cores,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "processor": _processor(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")),
        "kernel": release_number(platform.release()),
        "distribution": platform.freedesktop_os_release()["PRETTY_NAME"],
        "load": round(load, 2),
        "quiet": is_quiet(load, cores),
        "versions": {"Python": platform.python_version(), **versions},
    }


def release_number(release: str) -> str:
    """The version in uname(2)'s release, without what a distributor or an owner added: 6.12.1 of 6.12.1-cloud."""
    return (re.match(r"[\d.]*\d", release) or [release])[0]


def is_quiet(load: float, cores: int) -> bool:
    """Whether others leave nearly all of the machine; `load` is that of the last minute (proc_loadavg(5))."""
    return load < 0.2 * cores


def _processor(cpuinfo: str) -> str:
    return next((line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "")
