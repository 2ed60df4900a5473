"""The network's half of the model: links, routes, the firewall's table, files that name hosts."""

from __future__ import annotations

import ipaddress

from model_values import Finding, link_of, ports_of, stored

RESOLVERS = "nameserver 192.0.2.53\n"  # of every test host, see anchor.py


def findings(view: dict):
    """What is not as the specs say of networks."""
    yield from _links(view)
    yield from _table(view)
    yield from _files(view)


def _connected(view: dict) -> dict[str, dict]:
    """The networks of containers that have a network namespace, by name."""
    return {n: s.network for n, s in stored(view).items() if s.network and view["namespaces"].get(n)}


def _links(view: dict):
    connected = _connected(view)
    if connected:
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            if view["sysctls"][name] == "0":
                yield Finding("network", "", f"{name} is off")
    for link in view["outside"]["links"]:
        owners = [name for name in view["containers"] if link_of(name) == link]
        if not owners:
            yield Finding("network", "stray", f"the link {link} belongs to nobody")
        elif owners[0] not in connected:
            yield Finding("network", owners[0], f"the link {link} should not be there")
    for name, spec in connected.items():
        outer, inside = link_of(name), {"mac": spec["mac"]}
        gateways, own = [spec["gateway4"], spec["gateway6"]], [spec["ipv4"], spec["ipv6"]]
        yield from _end(name, outer, view["outside"], spec, f"{name}-outside", [*gateways, "fe80::1"], {})
        yield from _end(name, "eth0", view["inside"][name], spec, f"{name}-inside", [*own, "fe80::2"], inside)
        yield from _routes(view, name, spec)
        yield from _settings(view, name, spec)


def _end(name: str, link: str, side: dict, spec: dict, altname: str, addresses: list, more: dict):
    end = side["links"].get(link)
    if end is None:
        yield Finding("network", name, f"the link {link} is missing")
        return
    for key, value in {"kind": "veth", "up": True, "mtu": spec["mtu"], **more}.items():
        if end[key] != value:
            yield Finding("network", name, f"{link}: {key} is {end[key]}")
    lengths = ["/32", "/128", "/128"]
    wanted = {address + length for address, length in zip(addresses, lengths)}
    if set(end["addresses"]) != wanted or altname not in end["names"]:
        yield Finding("network", name, f"{link} has {end['addresses']} {end['names']}, not {sorted(wanted)} {altname}")


def _settings(view: dict, name: str, spec: dict):
    outer = link_of(name)
    exposed = any(not e["host_ip"] or e["host_ip"].startswith(("127.", "0.")) for e in spec["expose"])
    for setting, value in {
        f"ipv4/conf/{outer}/route_localnet": str(int(exposed)), f"ipv6/conf/{outer}/disable_ipv6": "0",
        f"ipv6/conf/{outer}/addr_gen_mode": "1", f"ipv6/conf/{outer}/accept_ra": "0",
    }.items():  # fmt: skip
        if outer in view["outside"]["links"] and view["sysctls"].get(setting) != value:
            yield Finding("network", name, f"{setting} is {view['sysctls'].get(setting)}")


def _routes(view: dict, name: str, spec: dict):
    outer = link_of(name)
    wanted = {
        "outside": [
            [spec["ipv4"], None, outer, None],
            [spec["ipv6"], None, outer, None],
            ["::1", None, outer, "local"],
        ],
        "inside": [["default", spec["gateway4"], "eth0", None], ["default", spec["gateway6"], "eth0", None]],
    }
    for where, routes in wanted.items():
        side = view["outside"] if where == "outside" else view["inside"][name]
        for route in routes:
            if route not in side["routes"]:
                yield Finding("network", name, f"the route {route} is missing {where}")


def _exposed(spec: dict):
    """Protocol and range of ports inside that something leads to, without gaps between them."""
    exposed = {(e["protocol"], port) for e in spec["expose"] for port in ports_of(e["container_port"])}
    for protocol, first in exposed:
        if (protocol, first - 1) not in exposed:
            yield protocol, (first, next(port for port in range(first, 65537) if (protocol, port + 1) not in exposed))


def _add_all(add, elements) -> None:
    for element in elements:
        add(*element)


def wanted_elements(view: dict) -> dict[str, set]:
    """What the sets and maps of the table hold, each element a tuple, the value of a map last."""
    wanted: dict[str, set] = {}
    connected = _connected(view)

    def add(name: str, *element) -> None:
        wanted.setdefault(name, set()).add(element)

    for name, spec in connected.items():
        link = link_of(name)
        four, six = spec["ipv4"], spec["ipv6"]
        _add_all(add, [("own4", link, four), ("source4", link, four), ("address4", four)])
        _add_all(add, [("own6", link, six), ("source6", link, six), ("address6", six)])
        add("self", link, link)
        if spec["host_access"]:
            add("host_access", link)
        if spec["metadata"]:
            add("metadata", link)
        if spec["internet"]:
            elements = (
                [("internet_by", link, spec["uplink"])] if spec["uplink"] else [("internet", link), ("uplink", "wan0")]
            )
            _add_all(add, elements)
        for entry in spec["peers"]:
            called = connected.get(entry["peer"])
            if called is None or called["container_id"] != entry["peer_id"]:
                continue
            if not entry["ports"]:
                add("peer", link, link_of(entry["peer"]))
            for text in entry["ports"]:
                ports, _, protocol = text.partition("/")
                span = ports_of(ports)
                single = span[0] == span[-1]
                ports = span[0] if single else (span[0], span[-1])
                add("peer_port" if single else "peer_range", link, link_of(entry["peer"]), protocol, ports)
        for expose in spec["expose"]:
            protocol, on = expose["protocol"], expose["host_ip"]
            for version in (4, 6) if not on else (ipaddress.ip_address(on).version,):
                some = on and not ipaddress.ip_address(on).is_unspecified
                key = (on,) if some else ()
                suffix = f"{version}_on" if some else str(version)
                outer, inner = ports_of(expose["host_port"]), ports_of(expose["container_port"])
                add(f"expose{suffix}", *key, protocol, (outer[0], outer[-1]), spec[f"ipv{version}"])
                for pair in zip(outer, inner) if outer != inner else ():
                    add(f"expose{suffix}_port", *key, protocol, *pair)
        for protocol, ports in _exposed(spec):
            single = ports[0] == ports[-1]
            add("exposed" if single else "exposed_range", link, protocol, ports[0] if single else ports)
    return wanted


def _flat(name: str, shown) -> tuple:
    """An element as nft shows it, as the tuple that it means."""
    value = []
    if isinstance(shown, list):
        shown, found = shown
        value = [found]
    parts = shown["concat"] if isinstance(shown, dict) else [shown]
    ranges, last = ("peer_range", "exposed_range"), len(parts) - 2
    protocol = last if name.startswith(("expose", "peer_")) else None
    parts = [{6: "tcp", 17: "udp"}.get(part, part) if i == protocol else part for i, part in enumerate(parts)]
    if name in ranges or (name.startswith("expose") and name != "exposed" and not name.endswith("_port")):
        parts[-1] = tuple(parts[-1]["range"]) if isinstance(parts[-1], dict) else (parts[-1], parts[-1])
    return (*parts, *value)


# Rules in each chain of the whole table: a flush takes them away.
RULES = {
    "hide": 9, "from_link": 6, "admit": 10, "limits": 1, "to_metadata": 8, "outside_dnat": 6, "host_dnat": 1,
    "exposed_ports": 8, "masquerade": 5, "forward": 4, "through": 11, "related": 3, "related_from": 5, "related_to": 5,
    "reply": 8, "input": 7, "to_link": 3,
}  # fmt: skip


def _table(view: dict):
    wanted = wanted_elements(view)
    if view["table"] is None or not wanted:
        if wanted or view["table"]:
            yield Finding("network", "", "the table is missing" if wanted else "the table is there for nobody")
        return
    links = {link_of(name) for name in _connected(view)}
    # Each link has a chain of its own that leads to the one for all.
    expected = {**RULES, **dict.fromkeys(links, 1)}
    rules = dict.fromkeys(expected, 0)
    shown: dict[str, set] = {}
    for item in view["table"]:
        for kind, value in item.items():
            if kind == "rule":
                rules[value["chain"]] = rules.get(value["chain"], 0) + 1
            elif kind in ("set", "map"):
                shown[value["name"]] = {_flat(value["name"], element) for element in value.get("elem", [])}
    if rules != expected:
        yield Finding("network", "", f"the table's chains have other rules: {rules}")
    # Depends on who else switched forwarding on; test_network_forwarding.py looks at that.
    shown = {name: found for name, found in shown.items() if not name.startswith("fenced") and name != "connections"}
    for name in sorted({*wanted, *shown}):
        for element in sorted(wanted.get(name, set()) - shown.get(name, set()), key=str):
            yield Finding("network", "", f"{name} lacks {element}")
        for element in sorted(shown.get(name, set()) - wanted.get(name, set()), key=str):
            yield Finding("network", "", f"{name} has {element} too much")


def _files(view: dict):
    known = stored(view)
    for name, (spec, network) in known.items():
        if not view["namespaces"].get(name) or view["containers"][name]["files"]["hosts"] is None:
            continue
        names = dict.fromkeys([spec["hostname"] or name, name])
        lines = ["# BEGIN conductor"]
        if network is None:
            lines.append(f"127.0.1.1 {' '.join(names)}")
        else:
            lines += [f"{network[key]} {' '.join(names)}" for key in ("ipv4", "ipv6")]
        for entry in network["peers"] if network else ():
            peer = known.get(entry["peer"])
            if peer and peer.network and peer.spec["id"] == entry["peer_id"]:
                called = " ".join(dict.fromkeys([entry["peer"], peer.spec["hostname"] or entry["peer"]]))
                lines += [f"{peer.network[key]} {called}" for key in ("ipv4", "ipv6")]
        files = view["containers"][name]["files"]
        lines.append("# END conductor")
        if files["hosts"].count("\n".join(lines) + "\n") != 1 or files["hosts"].count("conductor\n") != 2:
            yield Finding("network", name, f"/etc/hosts is {files['hosts']!r}, not {lines}")
        resolvers = None
        if network and network["dns"] is not None:
            resolvers = "".join(f"nameserver {server}\n" for server in network["dns"])
        elif network and network["internet"]:
            resolvers = RESOLVERS
        if resolvers is not None and files["resolv.conf"] != f"# BEGIN conductor\n{resolvers}# END conductor\n":
            yield Finding("network", name, f"/etc/resolv.conf is {files['resolv.conf']!r}")
