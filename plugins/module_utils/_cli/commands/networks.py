# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs for networks."""

from __future__ import annotations

from argparse import Namespace

from ..output import print_json
from .common import change, for_each, load_settings, networks_of, show_change


def do_addnetwork(args: Namespace) -> int:
    from ..._network.use_case import NetworkCase

    settings = load_settings()
    params = {"container": args.name, "state": "present", "internet": args.internet, "expose": args.expose}
    return show_change(args, change(args, NetworkCase(params, settings)))


def do_network_add(args: Namespace) -> int:
    return do_addnetwork(args)


def do_network_rm(args: Namespace) -> int:
    from ..._network.use_case import NetworkCase

    settings = load_settings()

    def remove(name: str) -> dict:
        return change(args, NetworkCase({"container": name, "state": "absent"}, settings))

    return for_each(args, remove, "container {} has no network")


def do_peer(args: Namespace) -> int:
    return _set_peer(args, "present")


def do_peer_add(args: Namespace) -> int:
    return _set_peer(args, "present")


def do_peer_rm(args: Namespace) -> int:
    return _set_peer(args, "absent")


def _set_peer(args: Namespace, state: str) -> int:
    from ..._network.peer_use_case import PeerCase

    params = {"container": args.name, "peer": args.peer, "state": state, "ports": None, "direction": "both"}
    return show_change(args, change(args, PeerCase(params, load_settings())))


def do_reconcile(args: Namespace) -> int:
    from ..._network.use_case import ReconcileCase

    return show_change(args, change(args, ReconcileCase({}, load_settings())))


def do_graph(args: Namespace) -> int:
    from ..graph import draw
    from ..svg import render_svg

    networks = networks_of(load_settings())
    text = render_svg(draw(networks, "dot")) if args.format == "svg" else draw(networks, args.format)
    if args.json:
        print_json({"graph": text})
    else:
        print(text)
    return 0
