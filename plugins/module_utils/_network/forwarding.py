# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, enable and disable IP forwarding and its fence.

The sysctl itself records that forwarding was enabled by this collection: the kernel treats any number but 0 as on,
other programs write 1, and this module writes 2, or 3 if `accept_redirects` of "all" was off before, which the kernel
resets when forwarding goes off. A reboot clears the record together with the setting, and a program that writes 1 later
takes forwarding over.
"""

from __future__ import annotations

import socket

from .._kernel import routing_rules
from .._kernel.interfaces import open_rtnetlink
from .._kernel.sysctl import read_sysctl, write_sysctl
from .plan.view import Fence, Forwarding
from .spec.network import LINK_PREFIX

_ALL = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_REDIRECTS = {4: "net/ipv4/conf/all/accept_redirects", 6: "net/ipv6/conf/all/accept_redirects"}
_OURS, _OURS_WITHOUT_REDIRECTS = "2", "3"


def read_forwarding(has_ipv6: bool) -> Forwarding:
    """Return the kernel's forwarding settings, the fence found, and the fence required if forwarding is ours."""
    values = {4: read_sysctl(_ALL[4]), 6: read_sysctl(_ALL[6]) if has_ipv6 else "1"}
    ours = frozenset(v for v, value in values.items() if value in (_OURS, _OURS_WITHOUT_REDIRECTS))
    off = {v for v, value in values.items() if value == "0"}
    learned: tuple[str, ...] = ()
    if 6 in off:
        with open_rtnetlink() as host:
            learned = tuple(
                i for i in host.router_advertisement_interfaces() if read_sysctl(f"net/ipv6/conf/{i}/accept_ra") == "1"
            )
    return Forwarding(
        4 not in off, 6 not in off, learned, ours, _found_fence(), _required_fence() if ours or off else Fence()
    )


def _found_fence() -> Fence:
    """Return the fence as found, without interfaces that lack a part of their rules, so that they get the rest."""
    whole = frozenset(fence for fence, is_whole in routing_rules.fenced_interfaces().items() if is_whole)
    return Fence(whole, frozenset(routing_rules.fenced_networks()))


def _required_fence() -> Fence:
    """Return the required fence: all interfaces of other programs that are up.

    Interfaces that already forwarded IPv4 by a setting of their own are left out, since an administrator set that.
    """
    names = [name for name in routing_rules.interfaces_up() if name != "lo" and not name.startswith(LINK_PREFIX)]
    interfaces = {(v, name) for v in _ALL for name in names if not (v == 4 and name in _forwarding_interfaces(4))}
    return Fence(frozenset(interfaces), frozenset(routing_rules.networks_routed_by(names)))


def _forwarding_interfaces(version: int) -> list[str]:
    """Return the interfaces whose own forwarding setting is on, whatever the setting of "all" is."""
    names = (name for _index, name in socket.if_nameindex())
    return [name for name in names if read_sysctl(_interface_sysctl(version, name)) == "1"]


def _interface_sysctl(version: int, name: str) -> str:
    return f"net/ipv{version}/conf/{name}/forwarding"


def enable_forwarding(version: int) -> None:
    """Enable forwarding for IP `version` and mark it as ours."""
    mark = _OURS_WITHOUT_REDIRECTS if read_sysctl(_REDIRECTS[version]) == "0" else _OURS
    _write_all(version, mark)


def disable_forwarding(version: int) -> None:
    """Disable forwarding for IP `version` and restore `accept_redirects`."""
    redirects = read_sysctl(_ALL[version]) != _OURS_WITHOUT_REDIRECTS
    _write_all(version, "0")
    write_sysctl(_REDIRECTS[version], "1" if redirects else "0")


def _write_all(version: int, value: str) -> None:
    """Write the setting of "all", which the kernel copies to each interface, and restore settings of their own."""
    own = _forwarding_interfaces(version)
    write_sysctl(_ALL[version], value)
    for name in own:
        write_sysctl(_interface_sysctl(version, name), "1")


def set_fence(wanted: Fence) -> None:
    """Add the missing parts of `wanted`, then remove the parts that are not in it."""
    interfaces, networks = set(routing_rules.fenced_interfaces()), routing_rules.fenced_networks()
    for network in sorted(wanted.networks - networks):
        routing_rules.set_fenced_network(network, True)
    for version, name in sorted(wanted.interfaces):
        routing_rules.set_fence(version, name, True)
    for version, name in sorted(interfaces - wanted.interfaces):
        routing_rules.set_fence(version, name, False)
    for network in sorted(networks - wanted.networks):
        routing_rules.set_fenced_network(network, False)
