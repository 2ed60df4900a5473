# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parser of seccomp profiles in docker's JSON format (https://docs.docker.com/engine/security/seccomp/)."""

from __future__ import annotations

import errno
import json
import re

from ..._errors import InvalidInput
from ..spec.seccomp import ALLOW, ERRNO, LOG, Condition, Profile, Rule

_TRACE = 0x7FF00000
# Numbers of seccomp(2) and libseccomp's seccomp.h. The low half of SCMP_ACT_ERRNO and SCMP_ACT_TRACE is their value.
_ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": _TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_ALLOW": ALLOW,
}
_COMPARISONS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
# The first concerns other threads, which a start does not have; the second is the default of kernels since 5.16.
_FLAGS_WITHOUT_EFFECT = ("SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW")


def parse_profile(text: bytes | str, path: str) -> Profile:
    """The profile in `text`; `path` is for messages.

    Raises InvalidInput for everything that cannot be applied exactly, including unknown keys: a mistyped condition
    would otherwise allow more system calls.
    """
    return _Parser(path).profile(text)


class _Parser:
    def __init__(self, path: str) -> None:
        self._path = path

    def profile(self, text: bytes | str) -> Profile:
        try:
            raw = json.loads(text, object_pairs_hook=self._object)
        except (ValueError, RecursionError) as error:
            raise self._wrong("", f"is not JSON ({error})") from None
        top = self._mapping(
            raw, "", "defaultAction defaultErrnoRet defaultErrno architectures archMap flags syscalls".split()
        )
        if "defaultAction" not in top:
            raise self._wrong("defaultAction", "is missing")
        for flag in self._strings(top, "flags", ""):
            if flag not in _FLAGS_WITHOUT_EFFECT:
                raise self._wrong("flags", f"{flag!r} is not supported")
        default = self._action(top["defaultAction"], top, "defaultAction", ("defaultErrnoRet", "defaultErrno"))
        rules = [self._rules(rule, f"syscalls[{i}]") for i, rule in enumerate(self._list(top, "syscalls", ""))]
        return Profile(default, self._architectures(top), tuple(rule for some in rules for rule in some))

    def _architectures(self, top: dict) -> tuple[tuple[str, tuple[str, ...]], ...]:
        explicit, by_host = self._strings(top, "architectures", ""), self._list(top, "archMap", "")
        if explicit and by_host:
            raise self._wrong("architectures", "is mutually exclusive with archMap")
        found: dict[str, tuple[str, ...]] = {}
        for i, raw in enumerate(by_host):
            at = f"archMap[{i}]"
            entry = self._mapping(raw, at, ["architecture", "subArchitectures"])
            host = self._architecture(entry.get("architecture"), f"{at}.architecture")
            subs = self._strings(entry, "subArchitectures", at)
            # docker uses the first of two entries for one host.
            found.setdefault(host, (host, *(self._architecture(sub, f"{at}.subArchitectures") for sub in subs)))
        if explicit:
            found[""] = tuple(self._architecture(name, "architectures") for name in explicit)
        return tuple(found.items())

    def _rules(self, raw: object, at: str) -> list[Rule]:
        known = "names name action errnoRet errno args comment includes excludes".split()
        rule = self._mapping(raw, at, known)
        names = self._strings(rule, "names", at)
        if rule.get("name"):
            if names:
                raise self._wrong(at, "has both name and names")
            names = self._strings({"name": [rule["name"]]}, "name", at)
        if not names:
            raise self._wrong(at, "has no names")
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", name):
                raise self._wrong(at, f"{name!r} is not a valid name of a system call")
        action = self._action(rule.get("action"), rule, at, ("errnoRet", "errno"))
        args = [self._comparison(arg, f"{at}.args[{i}]") for i, arg in enumerate(self._list(rule, "args", at))]
        includes, excludes = (self._condition(rule, key, f"{at}.{key}") for key in ("includes", "excludes"))
        # libseccomp allows one comparison of an argument in a rule. As in runc, a second one makes it several rules.
        together = len({index for index, *_ in args}) == len(args)
        groups = [tuple(args)] if together else [(arg,) for arg in args]
        return [Rule(names, action, group, includes, excludes) for group in groups]

    def _action(self, name: object, where: dict, at: str, errno_keys: tuple[str, str]) -> int:
        if name == "SCMP_ACT_NOTIFY":
            raise self._wrong(at, "SCMP_ACT_NOTIFY is not supported, since it needs a listening program")
        if not isinstance(name, str) or name not in _ACTIONS:
            raise self._wrong(at, f"{name!r} is not an action")
        value, by_name = (where.get(key) for key in errno_keys)
        if by_name:
            # podman's profiles have both name and number, of which the name takes precedence.
            value = getattr(errno, by_name, "") if isinstance(by_name, str) and by_name.startswith("E") else ""
        if value is None:
            value = errno.EPERM
        if not self._is_number(value, 4095):
            raise self._wrong(at, f"{by_name or value!r} is not an error number")
        return _ACTIONS[name] | (value if _ACTIONS[name] in (ERRNO, _TRACE) else 0)

    def _comparison(self, raw: object, at: str) -> tuple[int, int, int, int]:
        arg = self._mapping(raw, at, ["index", "value", "valueTwo", "op"])
        index, one, two = (arg.get(key) or 0 for key in ("index", "value", "valueTwo"))
        if not self._is_number(index, 5):
            raise self._wrong(at, f"index {index!r} is not a number from 0 to 5")
        for value in (one, two):
            if not self._is_number(value, 2**64 - 1):
                raise self._wrong(at, f"{value!r} is not a whole number of 64 bits")
        if not isinstance(arg.get("op"), str) or arg["op"] not in _COMPARISONS:
            raise self._wrong(at, f"{arg.get('op')!r} is not a comparison")
        return index, _COMPARISONS[arg["op"]], one, two

    def _condition(self, rule: dict, key: str, at: str) -> Condition:
        raw = self._mapping(rule.get(key) or {}, at, ["caps", "arches", "minKernel"])
        caps = self._strings(raw, "caps", at)
        for cap in caps:
            if not re.fullmatch(r"CAP_[A-Z_]+", cap):
                raise self._wrong(f"{at}.caps", f"{cap!r} is not a capability, like CAP_SYS_ADMIN")
        kernel = raw.get("minKernel") or "0.0"
        if not isinstance(kernel, str) or not re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", kernel):
            raise self._wrong(f"{at}.minKernel", f"{kernel!r} is not a version of the kernel, like 4.8")
        major, minor = kernel.split(".")
        return Condition(
            tuple(cap[len("CAP_") :] for cap in caps), self._strings(raw, "arches", at), (int(major), int(minor))
        )

    def _architecture(self, name: object, at: str) -> str:
        if not isinstance(name, str) or not re.fullmatch(r"SCMP_ARCH_[A-Z0-9_]+", name):
            raise self._wrong(at, f"{name!r} is not an architecture, like SCMP_ARCH_X86_64")
        return name

    def _object(self, pairs: list[tuple[str, object]]) -> dict:
        made = dict(pairs)
        if len(made) != len(pairs):
            twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
            raise self._wrong("", f"has the key {twice!r} twice in one object")
        return made

    def _mapping(self, value: object, at: str, known: list[str]) -> dict:
        if not isinstance(value, dict):
            raise self._wrong(at, "is not a JSON object")
        for key in value:
            if key not in known:
                raise self._wrong(at, f"{key!r} is unknown; known are {', '.join(known)}")
        return value

    def _list(self, where: dict, key: str, at: str) -> list:
        value = where.get(key)
        if value is not None and not isinstance(value, list):
            raise self._wrong(f"{at}.{key}".lstrip("."), "is not a list")
        return value or []

    def _strings(self, where: dict, key: str, at: str) -> tuple[str, ...]:
        found = self._list(where, key, at)
        if not all(isinstance(item, str) for item in found):
            raise self._wrong(f"{at}.{key}".lstrip("."), "is not a list of strings")
        return tuple(found)

    @staticmethod
    def _is_number(value: object, most: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most

    def _wrong(self, at: str, problem: str) -> InvalidInput:
        return InvalidInput(
            f"seccomp: {self._path}: {f'{at}: ' if at else ''}{problem}", "use the format of docker's seccomp profiles"
        )
