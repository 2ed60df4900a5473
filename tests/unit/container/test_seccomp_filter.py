"""Compiled seccomp filters agree with their profile for each call of each architecture, by an interpreter."""

import json
import struct

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.seccomp.build import build
from ansible_collections.conductor.containers.plugins.module_utils._container.seccomp.default_profile import PROFILE
from ansible_collections.conductor.containers.plugins.module_utils._container.spec import capabilities
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._kernel.seccomp import libseccomp
from hypothesis import given, settings
from hypothesis import strategies as st

LIB = libseccomp.load_library()
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
KILL_THREAD = 0
# libseccomp's token, and seccomp_data.arch of the kernel (linux/audit.h): x32 is one of x86_64's two tables.
X86_64, X86, X32 = 0xC000003E, 0x40000003, 0x4000003E
AARCH64, ARM, S390X = 0xC00000B7, 0x40000028, 0x80000016
AUDIT = {X32: X86_64}
DEFAULT_PROFILE = json.loads(PROFILE)


def run(program, nr, arch, args):
    """Return value of a BPF program for a system call (Documentation/networking/filter.rst, linux/seccomp.h)."""
    data = struct.pack("<IIQ6Q", nr, arch, 0, *args)
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, yes, no, k = instructions[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif code == 0x54:
            accumulator &= k
        elif code == 0x05:
            at += k
        elif code == 0x06:
            return k
        else:
            holds = {
                0x15: accumulator == k,
                0x25: accumulator > k,
                0x35: accumulator >= k,
                0x45: bool(accumulator & k),
            }[code]
            at += yes if holds else no


def strictness(action):
    """seccomp(2): the action with the highest precedence counts; its number, read as signed, is the lowest."""
    number = action & 0xFFFF0000
    return number - (1 << 32) if number & 0x80000000 else number


def verdict(programs, nr, token, args=()):
    """Like the kernel: runs all programs, the last one first; the strictest action counts, the first of equal ones."""
    args = [*args, *[0] * (6 - len(args))]
    answers = [run(program, nr, AUDIT.get(token, token), args) for program in reversed(programs)]
    return min(answers, key=strictness)


def number_of(token, name):
    return LIB.seccomp_syscall_resolve_name_arch(token, name.encode())


def table(token):
    """{number: name} of all calls that libseccomp knows on an architecture, between gaps of numbers without one."""
    base = 0x40000000 if token == X32 else 0
    return {number: libseccomp.call_name(LIB, token, number) for number in range(base, base + 1000)}


def holds(arg, args):
    have, one, two = args[arg["index"]], arg["value"], arg.get("valueTwo", 0)
    return {
        "SCMP_CMP_EQ": have == one,
        "SCMP_CMP_LT": have < one,
        "SCMP_CMP_GT": have > one,
        "SCMP_CMP_MASKED_EQ": have & one == two,
    }[arg["op"]]


def expected(name, args, caps, arch):
    """Docker's profile, read by hand: its rules are few enough not to contradict each other."""
    caps = {f"CAP_{cap}" for cap in caps}
    for rule in DEFAULT_PROFILE["syscalls"]:
        includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
        if (
            name in rule["names"]
            and set(includes.get("caps", ())) <= caps
            and not set(excludes.get("caps", ())) & caps
            and arch in includes.get("arches", (arch,))
            and arch not in excludes.get("arches", ())
            and all(holds(arg, args) for arg in rule.get("args", ()))
        ):
            return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else 0x00050000 | rule["errnoRet"]
    return EPERM


def differences(programs, token, caps, arch, args):
    """Calls for which the filter disagrees with the profile."""
    if token not in (X86_64, AARCH64):
        # Registers of 32 bits. Those of x32 have 64, of which libseccomp and the calls use the lower 32.
        args = tuple(arg & 0xFFFFFFFF for arg in args)
    calls = table(token)
    profiled = {name for rule in DEFAULT_PROFILE["syscalls"] for name in rule["names"]}
    newest = max(number for number, name in calls.items() if name in profiled)
    wrong = []
    for number, name in calls.items():
        should = expected(name, args, caps, arch) if name and number <= newest else ENOSYS
        found = verdict(programs, number, token, args)
        if found != should:
            wrong.append(f"{name or number}{args}: {found:#x} and not {should:#x}")
    return wrong


ARGUMENTS = [
    (0, 0, 0, 0, 0, 0),
    (8, 0, 0, 0, 0, 0),
    (38, 0, 0, 0, 0, 0),
    (39, 0, 0, 0, 0, 0),
    (40, 0, 0, 0, 0, 0),
    (41, 0, 0, 0, 0, 0),
    (131072, 0, 0, 0, 0, 0),
    (131080, 0, 0, 0, 0, 0),
    (0xFFFFFFFF, 0, 0, 0, 0, 0),
    (0x1_0000_0000, 0, 0, 0, 0, 0),
    (0x10000000, 0, 0, 0, 0, 0),
    (0x00020000 | 17, 0, 0, 0, 0, 0),
    (0x01200011, 0x02000000, 0, 0, 0, 0),
    (2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1),
]


@pytest.mark.parametrize("token", [X86_64, X86, X32], ids=["x86_64", "x86", "x32"])
@pytest.mark.parametrize(
    "caps",
    [capabilities.DEFAULT, frozenset(), capabilities.ALL, capabilities.DEFAULT | {"SYS_ADMIN"}],
    ids=["default", "none", "all", "sys_admin"],
)
def test_each_call_is_answered_as_the_profile_says(token, caps):
    programs = build(PROFILE.encode(), "default", caps, "x86_64", (6, 1))
    wrong = [found for args in ARGUMENTS for found in differences(programs, token, caps, "amd64", args)]
    assert not wrong


@pytest.mark.parametrize("token", [AARCH64, ARM], ids=["aarch64", "arm"])
def test_each_arm_call_is_answered_as_the_profile_says(token):
    programs = build(PROFILE.encode(), "default", capabilities.DEFAULT, "aarch64", (6, 1))
    wrong = [found for args in ARGUMENTS for found in differences(programs, token, capabilities.DEFAULT, "arm64", args)]
    assert not wrong
    assert verdict(programs, number_of(ARM, "set_tls"), ARM) == ALLOW, "whose number is far behind all others"


@settings(max_examples=5)
@given(
    st.sets(st.sampled_from(capabilities.NAMES)),
    st.tuples(*[st.integers(0, 2**64 - 1) | st.sampled_from([0, 8, 40, 131080, 2114060288])] * 6),
)
def test_with_any_capabilities_and_arguments(caps, args):
    programs = build(PROFILE.encode(), "default", frozenset(caps), "x86_64", (6, 1))
    assert not [found for token in (X86_64, X86) for found in differences(programs, token, caps, "amd64", args)]


def test_numbers_are_those_of_the_kernel():
    """The tables above and the filter ask the same library: a few numbers from asm/unistd_64.h and unistd_32.h."""
    programs = build(PROFILE.encode(), "default", capabilities.DEFAULT, "x86_64", (6, 1))
    for number in (248, 249, 250, 321, 323, 298, 304, 246, 320, 175, 313, 176, 425):
        assert verdict(programs, number, X86_64) == EPERM, number
    for number in (286, 287, 288, 357, 374, 336, 342, 283, 128, 350, 129, 425):
        assert verdict(programs, number, X86) == EPERM, number
    assert [verdict(programs, number, token) for token in (X86_64, X86) for number in (435, 1000)] == [ENOSYS] * 4
    assert verdict(programs, 0, X86_64) == verdict(programs, 3, X86) == ALLOW, "read"
    assert verdict(programs, 0, S390X) == KILL_THREAD, "a foreign architecture"


def small(default, action="SCMP_ACT_ALLOW", names=("read", "write"), **more):
    rules = [{"names": list(names), "action": action}]
    profile = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules, **more}
    return build(json.dumps(profile).encode(), "/p.json", frozenset(), "x86_64", (6, 1))


@pytest.mark.parametrize(
    ("default", "more", "older", "newer"),
    [
        ("SCMP_ACT_ERRNO", {}, EPERM, ENOSYS),
        ("SCMP_ACT_ERRNO", {"defaultErrnoRet": 13}, 0x0005000D, ENOSYS),
        ("SCMP_ACT_ERRNO", {"defaultErrnoRet": 38}, ENOSYS, ENOSYS),
        ("SCMP_ACT_KILL_PROCESS", {}, 0x80000000, 0x80000000),
        ("SCMP_ACT_LOG", {}, 0x7FFC0000, 0x7FFC0000),
        ("SCMP_ACT_TRAP", {}, 0x00030000, 0x00030000),
    ],
)
def test_calls_without_a_rule_and_calls_newer_than_the_profile(default, more, older, newer):
    # openat has number 257.
    programs = small(default, names=("read", "openat"), **more)
    assert [verdict(programs, number, X86_64) for number in (0, 257, 2, 258)] == [ALLOW, ALLOW, older, newer]


def test_denylist_refuses_only_its_calls():
    programs = small("SCMP_ACT_ALLOW", action="SCMP_ACT_ERRNO", names=("mkdir", "arm_fadvise64_64"))
    assert [verdict(programs, number, X86_64) for number in (0, 83, 999)] == [ALLOW, EPERM, ALLOW]


@pytest.mark.parametrize("default", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"])
@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_TRAP", "SCMP_ACT_TRACE"])
def test_denied_call_that_the_library_does_not_know_is_an_error_that_names_it(default, action):
    with pytest.raises(InvalidInput, match="denies 'no_such_call'"):
        small(default, action=action, names=("mkdir", "no_such_call"))


@pytest.mark.parametrize("default", ["SCMP_ACT_ERRNO", "SCMP_ACT_LOG"])
def test_allowed_call_that_the_library_does_not_know_is_ignored(default):
    assert verdict(small(default, names=("mkdir", "no_such_call")), 83, X86_64) == ALLOW


def test_rules_that_say_what_the_default_says_are_left_out():
    assert verdict(small("SCMP_ACT_ALLOW"), 0, X86_64) == ALLOW


def test_a_rule_that_is_there_twice_counts_once():
    twice = small("SCMP_ACT_ERRNO", names=("read", "read", "write"))
    assert verdict(twice, 0, X86_64) == ALLOW


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
@settings(max_examples=10)
def test_each_comparison_compares(limit, value):
    said = {}
    for op in ("NE", "LT", "LE", "EQ", "GE", "GT"):
        args = [{"index": 2, "value": limit, "op": f"SCMP_CMP_{op}"}]
        rules = [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": args}]
        profile = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}
        programs = build(json.dumps(profile).encode(), "/p.json", frozenset(), "x86_64", (6, 1))
        for have in (value, limit):
            said[op, have] = verdict(programs, 0, X86_64, (0, 0, have)) == ALLOW
    for have in (value, limit):
        assert said["NE", have] is (have != limit)
        assert said["LT", have] is (have < limit)
        assert said["LE", have] is (have <= limit)
        assert said["EQ", have] is (have == limit)
        assert said["GE", have] is (have >= limit)
        assert said["GT", have] is (have > limit)
