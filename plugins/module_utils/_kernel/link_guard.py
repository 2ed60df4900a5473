# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guard on an interface that drops every packet that no firewall rule accepts.

Two BPF programs at the interface's own queueing discipline clsact (tc(8), tc-bpf(8)):

- An incoming packet becomes one for another host (PACKET_OTHERHOST), which the kernel drops before a protocol gets it
  (ip_rcv_core, ip6_rcv_core, arp_rcv). Only a rule at the hook `ingress` can revert that (`meta pkttype set host`).
- An outgoing packet is dropped unless it has the mark that a rule at the hook `postrouting` sets.

So the kernel alone closes an interface whose firewall was flushed. The programs disappear with the interface.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import struct

from .._errors import HostNotCapable
from . import rtnetlink
from .bpf import instruction, load_program

# linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h
_NEWQDISC, _NEWTFILTER, _GETTFILTER = 36, 44, 46
_CLSACT, _CLSACT_HANDLE, _INGRESS, _EGRESS = 0xFFFFFFF1, 0xFFFF0000, 0xFFFFFFF2, 0xFFFFFFF3
_KIND, _OPTIONS, _FD, _NAME, _FLAGS = 1, 2, 6, 7, 8
_DIRECT_ACTION, _ALL_PROTOCOLS, _PRIORITY = 1, 0x0003, 1
_TCMSG = struct.Struct("=BxxxiIII")

# linux/bpf.h: BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_change_type; offset of __sk_buff.mark
_SCHED_CLS, _CHANGE_TYPE, _MARK_OFFSET = 3, 32, 8
_OTHERHOST, _PASS, _DROP = 3, 0, 2
# BPF_ALU64|MOV|K, BPF_JMP|CALL, BPF_JMP32|JEQ|K, BPF_LDX|MEM|W, BPF_JMP|EXIT
_SET, _CALL, _SKIP_IF_EQUAL, _LOAD_WORD, _EXIT = 0xB7, 0x85, 0x16, 0x61, 0x95


def _judge(register: int, wanted: int) -> list[bytes]:
    """Return instructions that pass the packet if `register` has the value `wanted`, and otherwise drop it."""
    return [
        instruction(_SKIP_IF_EQUAL, register, offset=2, number=wanted),
        instruction(_SET, 0, number=_DROP),
        instruction(_EXIT),
        instruction(_SET, 0, number=_PASS),
        instruction(_EXIT),
    ]


def incoming_program() -> bytes:
    """Return a program that makes the packet one for another host."""
    change = [instruction(_SET, 2, number=_OTHERHOST), instruction(_CALL, number=_CHANGE_TYPE)]
    return b"".join(change + _judge(0, 0))


def outgoing_program(mark: int) -> bytes:
    """Return a program that drops the packet unless it has exactly `mark`, 31 bits."""
    return b"".join([instruction(_LOAD_WORD, 2, 1, offset=_MARK_OFFSET), *_judge(2, mark)])


def _programs(mark: int) -> dict[int, bytes]:
    return {_INGRESS: incoming_program(), _EGRESS: outgoing_program(mark)}


def _name(code: bytes) -> str:
    """Return a filter name that identifies this program; the kernel stores it with the filter."""
    return f"conductor-{hashlib.sha256(code).hexdigest()[:12]}"


def attach_guard(index: int, mark: int) -> None:
    """Attach the guard to the interface `index`, which must be down and have no guard.

    Raises HostNotCapable if the kernel does not support such programs, and OSError.
    """
    try:
        qdisc = _TCMSG.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0) + rtnetlink.text_attribute(_KIND, "clsact")
        rtnetlink.change(_NEWQDISC, qdisc, rtnetlink.CREATE | rtnetlink.EXCLUSIVE)
        for parent, code in _programs(mark).items():
            _attach(index, parent, code)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise
        raise HostNotCapable(
            f"this host cannot guard a container's link ({error.strerror})",
            "use a kernel with the modules sch_ingress and cls_bpf, and give root the capability BPF",
        ) from error


def _attach(index: int, parent: int, code: bytes) -> None:
    loaded = load_program(_SCHED_CLS, code)
    try:
        options = [
            rtnetlink.attribute(_FD, struct.pack("=I", loaded)),
            rtnetlink.text_attribute(_NAME, _name(code)),
            rtnetlink.attribute(_FLAGS, struct.pack("=I", _DIRECT_ACTION)),
        ]
        info = _PRIORITY << 16 | socket.htons(_ALL_PROTOCOLS)
        message = _TCMSG.pack(0, index, 0, parent, info)
        message += rtnetlink.text_attribute(_KIND, "bpf") + rtnetlink.attribute(_OPTIONS, b"".join(options))
        rtnetlink.change(_NEWTFILTER, message, rtnetlink.CREATE | rtnetlink.EXCLUSIVE)
    finally:
        os.close(loaded)


def is_guarded(index: int, mark: int) -> bool:
    """Return whether both programs of the guard are attached to the interface `index`."""
    return all(_name(code) in _filters(index, parent) for parent, code in _programs(mark).items())


def _filters(index: int, parent: int) -> set[str]:
    """Return the names of the BPF filters at a hook of the interface."""
    try:
        found = rtnetlink.dump(_GETTFILTER, _TCMSG.pack(0, index, 0, parent, 0))
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EINVAL, errno.ENOENT):
            return set()
        raise
    options = (_parsed(_parsed(m[_TCMSG.size :]).get(_OPTIONS, b"")) for m in found)
    return {o[_NAME].rstrip(b"\0").decode(errors="replace") for o in options if _NAME in o}


def _parsed(data: bytes) -> dict[int, bytes]:
    return dict(rtnetlink.parse_attributes(data))
