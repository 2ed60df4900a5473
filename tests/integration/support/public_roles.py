"""Public roles that install from Debian's archive: variables, a proof of their work, and expected outcomes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from task_comparison import read_results

_HTTP = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; head -c 8 <&3"


@dataclass(frozen=True)
class Role:
    """`proof`: a command, in whose output each pattern of `answers` is found if the role has done its work.

    `after`: stops what the role has set up, so that the next one finds its port free on the same machine.

    `before`: tasks that come first, as in the role's own test. `options`: of the container.
    """

    proof: str
    answers: tuple[str, ...]
    variables: dict[str, Any] = field(default_factory=dict)
    after: str = "true"
    before: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtpAs3Px1sz7sRUWPzmxi5aWjDz3j6Q1yhsWd9oJmRu app"
_SSH = {"name": "ssh server", "ansible.builtin.apt": {"name": ["openssh-server", "openssh-client"]}}
_SUDO = {"name": "sudo", "ansible.builtin.apt": {"name": "sudo"}}
ROLES: dict[str, Role] = {
    "geerlingguy.nginx": Role(_HTTP, (r"^HTTP/1\.",), after="systemctl disable --now nginx"),
    "geerlingguy.apache": Role(_HTTP, (r"^HTTP/1\.",), after="systemctl disable --now apache2"),
    "geerlingguy.php": Role(
        "systemctl is-active 'php*-fpm.service'; php -r 'echo 40 + 2;'",
        (r"^active\n42$",),
        {"php_enable_webserver": False, "php_enable_php_fpm": True, "php_install_recommends": False},
    ),
    "geerlingguy.postgresql": Role(
        "su postgres -c 'psql -Atc \"select rolname from pg_roles\"' | grep jdoe",
        ("^jdoe$",),
        {"postgresql_databases": [{"name": "example"}], "postgresql_users": [{"name": "jdoe"}]},
        "systemctl disable --now postgresql",
        before=(_SUDO,),
    ),
    "geerlingguy.mysql": Role(
        "mysql -u root -Ne 'select user from mysql.user where user = \"jdoe\"'",
        ("^jdoe$",),
        {
            "mysql_databases": [{"name": "example"}],
            "mysql_users": [{"name": "jdoe", "host": "%", "password": "secret", "priv": "example.*:ALL"}],
        },
        "systemctl disable --now mariadb",
    ),
    "geerlingguy.redis": Role("redis-cli ping", ("^PONG$",), after="systemctl disable --now redis-server"),
    "geerlingguy.haproxy": Role(
        "exec 3<>/dev/tcp/127.0.0.1/80 && echo connected",
        ("^connected$",),
        {"haproxy_backend_servers": [{"name": "app1", "address": "127.0.0.1:8080"}]},
        "systemctl disable --now haproxy",
    ),
    "geerlingguy.ntp": Role(
        "cat /etc/timezone; systemctl is-enabled ntpsec || systemctl is-enabled ntp",
        ("^enabled$",),
    ),
    "robertdebock.users": Role(
        "id app; sudo -ln -U app | tail -n 1; getent group team",
        (r"^uid=1100\(app\)", "NOPASSWD: ALL$", "^team:x:1100:"),
        {
            "users_groups": [{"name": "team", "gid": 1100}],
            "users": [{"name": "app", "uid": 1100, "group": "team", "sudo_options": "ALL=(ALL) NOPASSWD: ALL",
                       "authorized_keys": [_KEY]}],
        },
        before=(_SUDO,),
    ),
    "geerlingguy.security": Role(
        "sshd -T | grep -E '^(permitrootlogin|passwordauthentication)'; systemctl is-active ssh fail2ban",
        ("^passwordauthentication no$", r"^active\nactive$"),
        {"security_ssh_permit_root_login": "prohibit-password"},
        "systemctl disable --now fail2ban",
        before=(_SSH,),
    ),
    "devsec.hardening.ssh_hardening": Role(
        "sshd -T | grep -E '^(ciphers|maxauthtries)'; systemctl is-active ssh",
        ("^maxauthtries 2$", "^active$"),
        {"ssh_permit_root_login": "prohibit-password", "sftp_enabled": True, "ssh_server_ports": ["22"]},
        before=(_SSH,),
    ),
    "devsec.hardening.os_hardening": Role(
        "awk '/^(UMASK|PASS_MAX_DAYS)/ { print $1, $2 }' /etc/login.defs; stat -c %a /etc/shadow",
        ("^UMASK 027$", "^PASS_MAX_DAYS 60$"),
        {"os_auditd_enabled": False},
        # It leaves settings of the kernel alone in containers that it knows.
        options={"env": {"container": "lxc"}},
    ),
    "geerlingguy.firewall": Role(
        "iptables -S INPUT | grep -E '^-A INPUT -p tcp' | sort; systemctl is-active firewall",
        ("--dport 9123 -j ACCEPT$", "^active$"),
        {"firewall_enable_ipv6": False, "firewall_allowed_tcp_ports": ["22", "9123"]},
        "systemctl disable --now firewall; iptables -P INPUT ACCEPT; iptables -F",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Failed tasks with their messages, tasks that the second time changed, and the output of the proof."""

    failed: tuple[str, ...] = ()
    changed_again: tuple[str, ...] = ()
    proof: str | None = None


# Outcomes other than "passed", by role, suite and target. The table in docs/machine.md has them and their reasons.
# A failed task is expected by the beginning of its message; it ends the play before the proof.
_STARTED_AGAIN = Outcome(changed_again=("geerlingguy.ntp : Ensure NTP is running and enabled as configured.",))
_REFUSED = Outcome(failed=("geerlingguy.haproxy : Copy HAProxy configuration in place.: failed to validate",))
EXPECTED: dict[tuple[str, str, str], Outcome] = {
    ("geerlingguy.haproxy", "trixie", "container"): _REFUSED,
    ("geerlingguy.haproxy", "trixie", "machine"): _REFUSED,
    ("geerlingguy.ntp", "bookworm", "container"): _STARTED_AGAIN,
    ("geerlingguy.ntp", "trixie", "container"): _STARTED_AGAIN,
}


def tasks_of(name: str) -> list[dict[str, Any]]:
    """Tasks that apply the role, prove what it has set up, and apply it again."""
    role = ROLES[name]
    include = {"ansible.builtin.include_role": {"name": name}, "vars": role.variables}
    handlers = {"name": "handlers", "ansible.builtin.meta": "flush_handlers"}
    return [
        {"name": "lists of packages", "ansible.builtin.apt": {"update_cache": True, "cache_valid_time": 3600}},
        *role.before,
        {"name": "first time", **include},
        handlers,
        {"name": "second time begins", "ansible.builtin.debug": {"msg": ""}},
        {"name": "second time", **include},
        handlers,
        {"name": "proof", "ansible.builtin.shell": role.proof, "args": {"executable": "/bin/bash"}},
        {"name": "end", "ansible.builtin.shell": role.after, "changed_when": False, "failed_when": False},
    ]


def outcome(results: Path) -> Outcome:
    """Return the outcome of tasks_of() a role. `results`: file with the results of the tasks."""
    failed, again, proof, is_second = [], [], None, False
    for task, result in read_results(results):
        is_second = is_second or task == "second time begins"
        if result["status"] in ("failed", "unreachable"):
            failed.append(f"{task}: {str(result.get('msg', ''))[:200]}")
        elif task == "proof":
            proof = result.get("stdout")
        elif is_second and result["status"] == "changed":
            again.append(task)
    return Outcome(tuple(failed), tuple(again), proof)


def problems(role: str, suite: str, found: dict[str, Outcome]) -> list[str]:
    """Return the differences from the expected outcomes. `found`: outcomes of the targets "container" and "machine"."""
    lines = [
        f"{target}: {problem}"
        for target, one in found.items()
        for problem in _differences(one, EXPECTED.get((role, suite, target), Outcome()), ROLES[role].answers)
    ]
    if found["container"].proof != found["machine"].proof:
        lines.append(f"the proofs differ: {found['container'].proof!r}, on the machine {found['machine'].proof!r}")
    return lines


def _differences(found: Outcome, expected: Outcome, answers: tuple[str, ...]) -> Iterator[str]:
    if len(found.failed) != len(expected.failed) or not all(map(str.startswith, found.failed, expected.failed)):
        yield f"failed: {', '.join(found.failed) or 'nothing'}; expected: {', '.join(expected.failed) or 'nothing'}"
    if found.changed_again != expected.changed_again:
        names = [", ".join(tasks) or "nothing" for tasks in (found.changed_again, expected.changed_again)]
        yield f"changed by the second time: {names[0]}; expected: {names[1]}"
    for pattern in () if expected.failed else answers:
        if not re.search(pattern, found.proof or "", re.MULTILINE):
            yield f"no {pattern!r} in the output of the proof: {found.proof}"
