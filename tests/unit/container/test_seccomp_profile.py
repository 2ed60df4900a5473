"""Profiles in docker's format: valid and invalid ones, and the rules that apply to a container."""

import copy
import json

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.seccomp.default_profile import PROFILE
from ansible_collections.conductor.containers.plugins.module_utils._container.seccomp.parse_profile import parse_profile
from ansible_collections.conductor.containers.plugins.module_utils._container.spec import capabilities
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.seccomp import (
    ALLOW,
    ERRNO,
    changes_for_machine,
    parse_seccomp,
    resolve,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

NONE = frozenset()
DENY = {"defaultAction": "SCMP_ACT_ERRNO"}


def rule(**more):
    return {"names": ["read"], "action": "SCMP_ACT_ALLOW", **more}


def parse(profile):
    return parse_profile(json.dumps(profile), "/p.json")


def parse_rule(**more):
    return parse({**DENY, "syscalls": [rule(**more)]})


def names(profile, bounding=NONE, machine="x86_64", kernel=(6, 1)):
    return {name for found in resolve(profile, bounding, machine, kernel).rules for name in found.names}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["SCMP_ACT_ALLOW"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


SMALL = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "defaultErrno": "ENOSYS",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "flags": [],
    "syscalls": [
        rule(
            args=[{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}],
            errnoRet=1,
            errno="EPERM",
            comment="",
            includes={"caps": ["CAP_SYS_ADMIN"], "minKernel": "4.8"},
            excludes={"arches": ["s390x"]},
        )
    ],
}


@given(st.data(), st.sampled_from([path for path in places(SMALL) if path]), JSON)
def test_any_value_is_parsed_or_refused_with_its_path(data, path, value):
    broken = copy.deepcopy(SMALL)
    parent = broken
    for key in path[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[path[-1]] = value
    elif isinstance(parent, dict):
        parent[data.draw(st.text(max_size=8))] = value
    try:
        parse(broken)
    except InvalidInput as error:
        assert "/p.json" in error.message


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_text_is_a_profile_or_refused(text):
    with pytest.raises(InvalidInput, match=r"seccomp: /p\.json"):
        parse_profile(text, "/p.json")


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ([], "not a JSON object"),
        ({}, "defaultAction: is missing"),
        ({"defaultAction": "ALLOW"}, "'ALLOW' is not an action"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "needs a listening program"),
        ({**DENY, "defaultErrnoRet": 5000}, "5000 is not an error number"),
        ({**DENY, "defaultErrno": "EWRONG"}, "'EWRONG' is not an error number"),
        ({**DENY, "syscall": []}, "'syscall' is unknown"),
        ({**DENY, "syscalls": {}}, "syscalls: is not a list"),
        ({**DENY, "flags": ["SECCOMP_FILTER_FLAG_LOG"]}, "SECCOMP_FILTER_FLAG_LOG' is not supported"),
        ({**DENY, "architectures": ["x86"]}, "'x86' is not an architecture"),
        (
            {**DENY, "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]},
            "is mutually exclusive with archMap",
        ),
        ({**DENY, "syscalls": ["read"]}, r"syscalls\[0\]: is not a JSON object"),
        ({**DENY, "syscalls": [rule(), rule(exclude={})]}, r"syscalls\[1\]: 'exclude' is unknown"),
        ({**DENY, "syscalls": [rule(names=[])]}, "has no names"),
        ({**DENY, "syscalls": [rule(name="read")]}, "has both name and names"),
        ({**DENY, "syscalls": [rule(names=["read "])]}, "'read ' is not a valid name"),
        ({**DENY, "syscalls": [rule(action=None)]}, "None is not an action"),
        ({**DENY, "syscalls": [rule(args=[{"index": 6, "op": "SCMP_CMP_EQ"}])]}, "index 6"),
        ({**DENY, "syscalls": [rule(args=[{"value": -1, "op": "SCMP_CMP_EQ"}])]}, "-1 is not a whole number"),
        ({**DENY, "syscalls": [rule(args=[{"value": 1 << 64, "op": "SCMP_CMP_EQ"}])]}, "is not a whole number"),
        ({**DENY, "syscalls": [rule(args=[{"value": 1, "op": "=="}])]}, "'==' is not a comparison"),
        ({**DENY, "syscalls": [rule(includes={"caps": ["SYS_ADMIN"]})]}, "'SYS_ADMIN' is not a capability"),
        ({**DENY, "syscalls": [rule(excludes={"minKernel": "4.8.1"})]}, "'4.8.1' is not a version"),
    ],
)
def test_error_names_the_path_of_the_invalid_value(profile, says):
    with pytest.raises(InvalidInput, match=says):
        parse(profile)


def test_a_key_that_is_there_twice_is_refused():
    with pytest.raises(InvalidInput, match="'defaultAction' twice"):
        parse_profile('{"defaultAction": "SCMP_ACT_ERRNO", "defaultAction": "SCMP_ACT_ALLOW"}', "/p.json")


def test_a_file_nested_without_end_is_refused():
    with pytest.raises(InvalidInput, match="is not JSON"):
        parse_profile("[" * 100_000, "/p.json")


@pytest.mark.parametrize("value", ["default", "unconfined", "/etc/profile.json"])
def test_the_option_is_a_word_or_an_absolute_path(value):
    assert parse_seccomp(value, "seccomp") == value


@pytest.mark.parametrize("value", ["", "Default", "profile.json", "/etc/../profile.json", "/a\0b"])
def test_invalid_option_value_is_refused(value):
    with pytest.raises(InvalidInput, match="neither default nor unconfined nor a path"):
        parse_seccomp(value, "seccomp")


def test_error_numbers_are_given_by_number_by_name_or_are_eperm():
    assert parse(DENY).default == ERRNO | 1
    assert parse({**DENY, "defaultErrnoRet": 38}).default == ERRNO | 38
    assert parse({**DENY, "defaultErrnoRet": 1, "defaultErrno": "ENOSYS"}).default == ERRNO | 38
    assert parse({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 38}).default == ALLOW


def test_an_argument_that_is_compared_twice_makes_several_rules():
    twice = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 2)]
    assert [found.comparisons for found in parse_rule(args=twice).rules] == [((0, 4, 1, 0),), ((0, 4, 2, 0),)]
    both = [{"index": index, "value": 1, "op": "SCMP_CMP_EQ"} for index in (0, 1)]
    assert [found.comparisons for found in parse_rule(args=both).rules] == [((0, 4, 1, 0), (1, 4, 1, 0))]


@pytest.mark.parametrize(
    ("condition", "host", "meant"),
    [
        ({"includes": {"caps": ["CAP_BPF", "CAP_PERFMON"]}}, {"bounding": frozenset({"BPF", "PERFMON"})}, True),
        ({"includes": {"caps": ["CAP_BPF", "CAP_PERFMON"]}}, {"bounding": frozenset({"BPF"})}, False),
        ({"excludes": {"caps": ["CAP_BPF", "CAP_PERFMON"]}}, {"bounding": frozenset({"BPF"})}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, {}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, {}, True),
        ({"includes": {"arches": ["arm64"]}}, {}, False),
        ({"includes": {"arches": ["arm64"]}}, {"machine": "aarch64"}, True),
        ({"excludes": {"arches": ["arm64"]}}, {"machine": "aarch64"}, False),
        ({"includes": {"minKernel": "4.8"}}, {"kernel": (4, 7)}, False),
        ({"includes": {"minKernel": "4.8"}}, {"kernel": (4, 10)}, True),
        ({"excludes": {"minKernel": "4.8"}}, {"kernel": (4, 8)}, False),
        ({"excludes": {"minKernel": "4.8"}}, {"kernel": (3, 9)}, True),
    ],
)
def test_a_rule_is_for_hosts_and_containers_that_meet_its_conditions(condition, host, meant):
    assert (names(parse_rule(**condition), **host) == {"read"}) is meant


@pytest.mark.parametrize(
    ("cap", "gains"),
    [
        ("DAC_READ_SEARCH", {"open_by_handle_at"}),
        ("SYS_MODULE", {"init_module", "finit_module", "delete_module"}),
        ("SYS_BOOT", {"reboot"}),
        ("BPF", {"bpf"}),
        ("PERFMON", {"perf_event_open"}),
        ("SYS_TIME", {"settimeofday", "stime", "clock_settime", "clock_settime64"}),
    ],
)
def test_the_default_profile_follows_the_capabilities(cap, gains):
    profile = parse_profile(PROFILE, "default")
    assert names(profile, capabilities.DEFAULT | {cap}) - names(profile, capabilities.DEFAULT) == gains


def test_a_machine_may_make_calls_that_act_on_the_caller_only_and_none_that_need_the_host():
    unconditional = {name for found in of_a_machine().rules for name in found.names if not found.comparisons}
    assert unconditional >= {"mount", "personality", "pivot_root"}
    assert not unconditional & {"bpf", "quotactl", "syslog"}
    assert of_a_machine().names >= {"bpf", "pivot_root"}
    assert "bpf" in {name for found in of_a_machine("SYS_ADMIN", "BPF").rules for name in found.names}


def of_a_machine(*added):
    """The default profile of a machine with further capabilities."""
    bounding = capabilities.MACHINE | set(added)
    return resolve(parse_profile(PROFILE, "default"), bounding, "x86_64", (6, 1), changes_for_machine(added))


def test_the_default_profile_never_allows_keyrings_and_the_like_whatever_the_capabilities():
    never = {"add_key", "request_key", "keyctl", "userfaultfd", "kexec_load", "kexec_file_load", "io_uring_setup"}
    assert not never & names(parse_profile(PROFILE, "default"), capabilities.ALL)


def test_ptrace_is_allowed_from_kernel_4_8_on():
    profile = parse_profile(PROFILE, "default")
    assert "ptrace" in names(profile, kernel=(4, 8))
    assert "ptrace" not in names(profile, kernel=(4, 7))
    assert "ptrace" in names(profile, frozenset({"SYS_PTRACE"}), kernel=(4, 7))


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        ("x86_64", ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")),
        ("aarch64", ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")),
        ("riscv64", ("SCMP_ARCH_RISCV64",)),
        ("vax", ()),
    ],
)
def test_the_architectures_are_those_of_the_host(machine, found):
    assert resolve(parse_profile(PROFILE, "default"), NONE, machine, (6, 1)).architectures == found


def test_architectures_without_a_map_are_for_every_host():
    profile = parse({**DENY, "architectures": ["SCMP_ARCH_S390X"]})
    assert resolve(profile, NONE, "x86_64", (6, 1)).architectures == ("SCMP_ARCH_S390X",)
