"""The model: what a host must show for its specs, told anew from what the documents promise, without a line of the
collection's own code. `findings` compares; `disagreements` asks the modules' check mode for the same.
"""

from __future__ import annotations

import json

import model_network
from model_values import Finding, alive, link_of, ports_of, stored
from waiting import until

__all__ = ["Finding", "alive", "checks", "disagreements", "findings", "kill", "link_of", "settled", "stored"]


def kill(host, pid: int) -> None:
    """End a process on the host by SIGKILL; returns when the kernel shows it no more."""
    host.run("sh", "-c", 'kill -9 "$1"; while [ -e /proc/"$1" ]; do sleep 0.01; done', "sh", str(pid), timeout=30)


def on_its_way(view: dict) -> list[str]:
    """What ends, or starts again, by itself within a moment."""
    moving = []
    up = supervisors(view)
    for name, state in view["run_states"].items():
        stored_here = view["containers"].get(name, {})
        spec, ended = stored_here.get("spec"), stored_here.get("exit")
        if not up or not isinstance(state, dict) or alive(view, state):
            continue
        wanted = isinstance(spec, dict) and spec["wanted"] == "running" and spec["restart_policy"] == "always"
        if wanted or not ended or any(ended.get(key) != state.get(key) for key in ("pid", "start_time")):
            moving.append(f"{name} has just ended")
    moving += [f"the supervisor's helper {pid} works" for pid in helpers(view)]
    if up and not any(alive(view, state) for state in view["run_states"].values()):
        moving.append("the supervisor ends after the last container")
    for pid, process in view["processes"].items():
        # What a module that was killed has left: a supervisor before it executes its program, the helper of an exec.
        parent = view["processes"].get(str(process["parent"]), {})
        orphans = process["parent"] == 1 or (parent.get("parent") == 1 and "warm_modules.py" in parent["command"])
        if "warm_modules.py" in process["command"] and process["state"] not in "ZX" and orphans:
            moving.append(f"process {pid} is left of a module")
    for name, groups in view["cgroups"].items():
        for group in groups:
            if group["pids"] and not alive(view, view["run_states"].get(name)):
                moving.append(f"{group['path']} has processes that end")
    return moving


def _running_supervise(view: dict) -> dict[str, dict]:
    """Processes with the program of the supervisor, by pid: itself and its helpers."""
    processes = view["processes"].items()
    return {pid: p for pid, p in processes if p["command"].endswith(" supervise") and p["state"] not in "ZX"}


def supervisors(view: dict) -> list[str]:
    """Pids of supervisors: one at most is right."""
    found = _running_supervise(view)
    return [pid for pid, process in found.items() if str(process["parent"]) not in found]


def helpers(view: dict) -> list[str]:
    """Pids of helpers of the supervisor, which start, restart or stop a container."""
    found = _running_supervise(view)
    return [pid for pid, process in found.items() if str(process["parent"]) in found]


def settled(look, seconds: float = 20.0) -> dict:
    """The first look at the host at which nothing is on its way."""
    last: dict = {}

    def still():
        last.update(view := look(), moving=on_its_way(view))
        return not last["moving"]

    try:
        until(still, "", seconds)
    except AssertionError:
        raise AssertionError(f"does not come to rest within {seconds:g} s: {last['moving']}") from None
    return last


def findings(view: dict) -> list[Finding]:
    """All that is not as the specs say; [] where all is right."""
    found = [*_containers(view), *_strays(view), *model_network.findings(view), *_store(view)]
    return sorted(set(found))


def _containers(view: dict):
    for name, (spec, _network) in stored(view).items():
        state = view["run_states"].get(name)
        if spec["wanted"] == "stopped":
            if state is not None:
                yield Finding("container", name, "has a run state")
            continue
        if not alive(view, state):
            yield Finding("container", name, "does not run")
            continue
        if not supervisors(view):
            yield Finding("container", name, "is not supervised")
        process = view["processes"][str(state["pid"])]
        if process["netns"] != view["namespaces"].get(name):
            yield Finding("host", name, "is not in the network namespace of its name")
        yield from _root(view, name, spec)
        yield from _groups(view, name, spec, state["pid"])


def _root(view: dict, name: str, spec: dict):
    directory = f"/var/lib/conductor/containers/{name}"
    mounts = [m for m in view["mounts"] if m["point"].startswith(f"{directory}/")]
    if [(m["point"], m["kind"]) for m in mounts] != [(f"{directory}/rootfs", "overlay")]:
        yield Finding("host", name, f"has not its one mount: {mounts}")
    elif f"upperdir={directory}/upper" not in mounts[0]["options"]:
        yield Finding("host", name, f"has another upper layer: {mounts[0]['options']}")
    if view["containers"][name]["files"]["hostname"] != f"{spec['hostname'] or name}\n":
        yield Finding("host", name, "has another /etc/hostname")


def _groups(view: dict, name: str, spec: dict, pid: int):
    groups = view["cgroups"].get(name, [])
    if not groups:
        yield Finding("host", name, "has no cgroup")
    for group in groups:
        if pid not in group["pids"]:
            yield Finding("host", name, f"is not in {group['path']}")
        limits = group["limits"]
        pids = limits.get("pids.max")
        if pids is not None and pids != str(spec["pids"] or "max"):
            yield Finding("container", name, f"pids is {pids}")
        memory = limits.get("memory.max", limits.get("memory.limit_in_bytes"))
        if memory is not None and (memory != "max" and int(memory) < 1 << 62 and int(memory)) != spec["memory"]:
            yield Finding("container", name, f"memory is {memory}")


def _strays(view: dict):
    """Things of containers that do not run, or are not there at all."""
    known = stored(view)
    up = {name for name in known if alive(view, view["run_states"].get(name))}
    for name in view["containers"]:
        if name not in known:
            yield Finding("container", name, "has a directory without a spec")
    for name in view["run_states"]:
        if name not in known:
            yield Finding("container", name, "has a run state")
    for what, names in (("network namespace", view["namespaces"]), ("cgroup", view["cgroups"])):
        for name in names:
            if name not in up:
                yield Finding("container", name, f"has a {what}")
    for mount in view["mounts"]:
        name = mount["point"].removeprefix("/var/lib/conductor/containers/").removeprefix("/run/netns/conductor-")
        if name.partition("/")[0] not in up:
            yield Finding("container", name.partition("/")[0], f"has a mount on {mount['point']}")
    for staged in view["staged"]:
        yield Finding("container", staged.partition("-")[2], f"has the half-made or half-deleted {staged}")
    yield from _stray_processes(view, up)


def _stray_processes(view: dict, up: set[str]):
    namespaces = {inode: name for name, inode in view["namespaces"].items()}
    if len(supervisors(view)) > bool(up):
        yield Finding("host", "", f"has supervisors for {sorted(up)}: {supervisors(view)}")
    for pid, process in view["processes"].items():
        if process["state"] in "ZX":
            continue
        if process["netns"] in namespaces and namespaces[process["netns"]] not in up:
            yield Finding("container", namespaces[process["netns"]], f"has the process {pid}")


def _store(view: dict):
    """What must not be in the specs, whatever the kernel shows."""
    holders: dict[tuple, str] = {}
    for name, (spec, network) in stored(view).items():
        if spec["name"] != name:
            yield Finding("host", name, f"its spec is that of {spec['name']}")
        claims = [("address", network[key]) for key in ("ipv4", "ipv6", "mac")] if network else []
        for expose in network["expose"] if network else ():
            claims += [("port", expose["host_ip"], expose["protocol"], p) for p in ports_of(expose["host_port"])]
        for claim in claims:
            if holders.setdefault(claim, name) != name:
                yield Finding("host", name, f"has {claim}, which {holders[claim]} has too")


def checks(view: dict, found: list[Finding]) -> list[tuple[str, dict, bool]]:
    """Every module with the options that the specs stand for, and whether its check mode must say changed."""
    known = stored(view)
    network = {f.name for f in found if f.noun == "network"}
    asked = []
    for name in sorted({*view["containers"], *(f.name for f in found if f.noun == "container")}):
        state = "absent" if name not in known else {"running": "started"}.get(known[name].spec["wanted"], "stopped")
        off = any(f.noun == "container" and f.name == name for f in found)
        asked.append(("conductor_container", {"name": name, "state": state, "force": name not in known}, off))
    for name, (_spec, spec) in known.items():
        if spec is None:
            continue
        callers = {n for n, s in known.items() if s.network and any(e["peer"] == name for e in s.network["peers"])}
        keys = ("ipv4", "ipv6", "mac", "mtu", "internet", "uplink", "host_access", "dns", "expose")
        options = {"container": name, **{key: spec[key] for key in keys}}
        asked.append(("conductor_network", options, bool(network & {"", name, *callers})))
        for entry in spec["peers"]:
            called = known.get(entry["peer"])
            if called and called.network and called.spec["id"] == entry["peer_id"]:
                options = {"container": name, "peer": entry["peer"], "direction": "to", "ports": entry["ports"] or None}
                asked.append(("conductor_peer", options, bool(network & {"", name, entry["peer"]})))
    asked.append(("conductor_network", {"state": "reconciled"}, bool(network)))
    return asked


def disagreements(module, view: dict, found: list[Finding]) -> list[str]:
    """Where check mode says something else than the model. `module` runs one, as Host.module does."""
    said = []
    for name, options, off in checks(view, found):
        result = module(name, check=True, **options)
        if result.get("failed") or result["changed"] is not off:
            told = result.get("msg") or result["actions"]
            said.append(f"{name} {json.dumps(options)}: {told}, the model: {[str(f) for f in found]}")
    return said
