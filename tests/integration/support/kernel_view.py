"""What there is of us on a host, specs and kernel side by side: looked at on the host itself, judged in model.py."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

CONTAINERS, RUN, NETNS = Path("/var/lib/conductor/containers"), Path("/run/conductor"), Path("/run/netns")


def look() -> dict:
    """All of it, as JSON takes it."""
    processes = {pid: found for pid in _pids() if (found := _process(pid)) is not None}
    namespaces = {p.name[len("conductor-") :]: _netns(p) for p in sorted(NETNS.glob("conductor-*"))}
    names = sorted(p.name for p in CONTAINERS.glob("[!.]*"))
    return {
        "containers": {name: _container(CONTAINERS / name) for name in names},
        "run_states": {p.stem: _json(p) for p in sorted((RUN / "containers").glob("[!.]*"))},
        # What is being made or deleted, or was when its maker died.
        "staged": sorted(p.name for p in CONTAINERS.glob(".*")),
        "mounts": _mounts(),
        "namespaces": namespaces,
        "inside": {name: _network("-n", f"conductor-{name}") for name, inode in namespaces.items() if inode},
        "outside": _network(),
        "sysctls": _sysctls(),
        "table": _table(),
        "cgroups": _cgroups(),
        "processes": processes,
    }


def _json(path: Path) -> object:
    """Content of a file of ours; None where there is none, its text where it is no JSON."""
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _container(directory: Path) -> dict:
    files = {name: _text(directory / "rootfs/etc" / name) for name in ("hosts", "resolv.conf", "hostname")}
    specs = {key: _json(directory / f"{name}.json") for key, name in (("spec", "container"), ("network", "network"))}
    return {**specs, "exit": _json(directory / "exit.json"), "files": files}


def _text(path: Path) -> str | None:
    """What a file says; None where it cannot be read at once. Root inside may have put anything there."""
    try:
        with open(path, errors="replace", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            return file.read(1 << 20)
    except OSError:
        return None


def _mounts() -> list[dict]:
    """Mounts below the places that are ours."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        first, _, last = line.partition(" - ")
        point, (kind, _source, options) = first.split()[4], last.split()
        if point.startswith((f"{CONTAINERS}/", f"{NETNS}/conductor-")):
            found.append({"point": point, "kind": kind, "options": options.split(",")})
    return found


def _netns(path: Path) -> int | None:
    """Inode of the namespace that is mounted there; None where none is."""
    found = path.stat()
    return found.st_ino if found.st_dev == Path("/proc/self/ns/net").stat().st_dev else None


def _ip(*arguments: str) -> list[dict]:
    said = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True).stdout
    return json.loads(said or "[]")


def _network(*where: str) -> dict:
    links = {}
    for link in _ip(*where, "-d", "address", "show"):
        if link["ifname"].startswith(("cdtr-", "eth0")):
            links[link["ifname"]] = {
                "kind": link.get("linkinfo", {}).get("info_kind"),
                "up": "UP" in link["flags"],
                "mtu": link["mtu"],
                "mac": link["address"],
                "names": link.get("altnames", []),
                "addresses": [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if "local" in a],
            }
    routes = [*_ip(*where, "-4", "route", "show"), *_ip(*where, "-6", "route", "show", "table", "all")]
    return {"links": links, "routes": [[r["dst"], r.get("gateway"), r.get("dev"), r.get("type")] for r in routes]}


def _sysctls() -> dict[str, str]:
    top = Path("/proc/sys/net")
    names = [top / "ipv4/ip_forward", top / "ipv6/conf/all/forwarding"]
    for link in top.glob("ipv4/conf/cdtr-*"):
        names.append(link / "route_localnet")
        names += [top / "ipv6/conf" / link.name / name for name in ("disable_ipv6", "addr_gen_mode", "accept_ra")]
    return {str(path.relative_to(top)): path.read_text().strip() for path in names}


def _table() -> list[dict] | None:
    """All of both tables of ours; None if one is missing."""
    found = []
    for family in ("inet", "netdev"):
        listing = ["nft", "-j", "-n", "list", "table", family, "conductor"]
        done = subprocess.run(listing, capture_output=True, text=True, check=False)
        if done.returncode:
            return None
        found += json.loads(done.stdout)["nftables"]
    return found


def _cgroups() -> dict[str, list[dict]]:
    """By container, in each hierarchy: its processes and limits."""
    found: dict[str, list[dict]] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        for directory in Path(target, "conductor").glob("[!.]*/") if kind in ("cgroup", "cgroup2") else ():
            if directory.is_dir():
                limits = {name: _text(directory / name) for name in ("pids.max", "memory.limit_in_bytes", "memory.max")}
                pids = [int(p) for f in directory.rglob("cgroup.procs") for p in f.read_text().split()]
                found.setdefault(directory.name, []).append(
                    {"path": str(directory), "pids": pids, "limits": {k: v.strip() for k, v in limits.items() if v}}
                )
    return found


def _pids() -> list[int]:
    return sorted(int(p.name) for p in Path("/proc").glob("[0-9]*"))


def _process(pid: int) -> dict | None:
    """proc_pid_stat(5): 3 is the state, 4 the parent, 22 the start time. None where it has gone."""
    top = Path("/proc", str(pid))
    try:
        stat = (top / "stat").read_text().rpartition(")")[2].split()
        command = (top / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        netns = os.stat(top / "ns/net").st_ino if stat[0] not in "ZX" else None
    except (FileNotFoundError, ProcessLookupError):
        return None
    return {"state": stat[0], "parent": int(stat[1]), "start": int(stat[19]), "command": command, "netns": netns}
