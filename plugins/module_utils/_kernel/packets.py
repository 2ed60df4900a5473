# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that the kernel is processing."""

from __future__ import annotations

import socket


def wait_for_packets() -> None:
    """Return when each packet that was between two hooks of netfilter has left them.

    The kernel processes a packet within an RCU section, and waits for all of them when a packet socket is closed
    (packet_release calls synchronize_net, net/packet/af_packet.c). Packets that nfqueue has passed to a program are
    not waited for.
    """
    # Protocol 0: the socket receives nothing.
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
