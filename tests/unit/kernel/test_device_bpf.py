"""The BPF program for devices, run by an interpreter of its instructions, follows its rules."""

import struct
import sys

from ansible_collections.conductor.containers.plugins.module_utils._kernel import device_bpf as bpf
from ansible_collections.conductor.containers.plugins.module_utils._kernel.device_bpf import DeviceRule, device_program
from hypothesis import given
from hypothesis import strategies as st

numbers = st.integers(0, 4) | st.integers(0, 2**20 - 1)
accesses = st.sets(st.sampled_from("rwm"), min_size=1).map(lambda letters: "".join(sorted(letters)))
rules = st.builds(DeviceRule, st.sampled_from("bc"), st.none() | numbers, st.none() | numbers, accesses)


def run(code: bytes, asked: bytes) -> int:
    """Return the result of the program for a struct bpf_cgroup_dev_ctx. Registers have 64 bits, as in the kernel."""
    registers, place = {1: 0}, 0
    while True:
        operation, both, offset, number = struct.unpack_from("=BBhi", code, place * 8)
        to, source = (both & 15, both >> 4) if sys.byteorder == "little" else (both >> 4, both & 15)
        place += 1
        if operation == bpf.LOAD_WORD:
            assert source == 1
            (registers[to],) = struct.unpack_from("=I", asked, offset)
        elif operation == bpf.SET:
            registers[to] = number
        elif operation == bpf.COPY:
            registers[to] = registers[source] & 0xFFFFFFFF
        elif operation == bpf.AND:
            registers[to] &= number & 0xFFFFFFFF
        elif operation == bpf.SHIFT_RIGHT:
            registers[to] = (registers[to] & 0xFFFFFFFF) >> number
        elif operation == bpf.SKIP_UNLESS_EQUAL:
            place += offset if registers[to] != number else 0
        else:
            assert operation == bpf.EXIT
            return registers[0]


def allows(rule: DeviceRule, kind: str, major: int, minor: int, access: str) -> bool:
    return (
        rule.type == kind
        and rule.major in (None, major)
        and rule.minor in (None, minor)
        and set(access) <= set(rule.access)
    )


@given(st.lists(rules, max_size=6), st.sampled_from("bc"), numbers, numbers, accesses)
def test_program_allows_only_devices_of_a_rule(chosen, kind, major, minor, access):
    asked = struct.pack("=III", sum(bpf.ACCESS[a] for a in access) << 16 | bpf.TYPE[kind], major, minor)
    wanted = any(allows(rule, kind, major, minor, access) for rule in chosen)
    assert run(device_program(chosen), asked) == wanted


def test_rules_in_the_format_of_version_1():
    assert str(DeviceRule("c", 136, None, "rwm")) == "c 136:* rwm"
    assert str(DeviceRule("b", None, None, "m")) == "b *:* m"
