"""Public roles that install from Debian's archive: variables, and a command that proves what they have set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from task_comparison import read_results


def _answers(port: int) -> str:
    return f"exec 3<>/dev/tcp/127.0.0.1/{port}"


_HTTP = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; head -c 8 <&3"


@dataclass(frozen=True)
class Role:
    """`after`: stops what the role has set up, so that the next one finds its port free on the same machine.

    `before`: tasks that come first, as in the role's own test. `options`: of the container.
    """

    proof: str
    variables: dict[str, Any] = field(default_factory=dict)
    after: str = "true"
    before: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtpAs3Px1sz7sRUWPzmxi5aWjDz3j6Q1yhsWd9oJmRu app"
_SSH = {"name": "ssh server", "ansible.builtin.apt": {"name": ["openssh-server", "openssh-client"]}}
_SUDO = {"name": "sudo", "ansible.builtin.apt": {"name": "sudo"}}
ROLES: dict[str, Role] = {
    "geerlingguy.nginx": Role(_HTTP, after="systemctl disable --now nginx"),
    "geerlingguy.apache": Role(_HTTP, after="systemctl disable --now apache2"),
    "geerlingguy.php": Role(
        "systemctl is-active 'php*-fpm.service'; php -r 'echo 40 + 2;'",
        {"php_enable_webserver": False, "php_enable_php_fpm": True, "php_install_recommends": False},
    ),
    "geerlingguy.postgresql": Role(
        "su postgres -c 'psql -Atc \"select rolname from pg_roles\"' | grep jdoe",
        {"postgresql_databases": [{"name": "example"}], "postgresql_users": [{"name": "jdoe"}]},
        "systemctl disable --now postgresql",
        before=(_SUDO,),
    ),
    "geerlingguy.mysql": Role(
        "mysql -u root -Ne 'select user from mysql.user where user = \"jdoe\"'",
        {
            "mysql_databases": [{"name": "example"}],
            "mysql_users": [{"name": "jdoe", "host": "%", "password": "secret", "priv": "example.*:ALL"}],
        },
        "systemctl disable --now mariadb",
    ),
    "geerlingguy.redis": Role("redis-cli ping", after="systemctl disable --now redis-server"),
    "geerlingguy.haproxy": Role(
        _answers(80),
        {"haproxy_backend_servers": [{"name": "app1", "address": "127.0.0.1:8080"}]},
        "systemctl disable --now haproxy",
    ),
    "geerlingguy.ntp": Role("cat /etc/timezone; systemctl is-enabled ntpsec || systemctl is-enabled ntp"),
    "robertdebock.users": Role(
        "id app; sudo -ln -U app | tail -n 1; getent group team",
        {
            "users_groups": [{"name": "team", "gid": 1100}],
            "users": [{"name": "app", "uid": 1100, "group": "team", "sudo_options": "ALL=(ALL) NOPASSWD: ALL",
                       "authorized_keys": [_KEY]}],
        },
        before=(_SUDO,),
    ),
    "geerlingguy.security": Role(
        "sshd -T | grep -E '^(permitrootlogin|passwordauthentication)'; systemctl is-active ssh fail2ban",
        {"security_ssh_permit_root_login": "prohibit-password"},
        "systemctl disable --now fail2ban",
        before=(_SSH,),
    ),
    "devsec.hardening.ssh_hardening": Role(
        "sshd -T | grep -E '^(ciphers|maxauthtries)'; systemctl is-active ssh",
        {"ssh_permit_root_login": "prohibit-password", "sftp_enabled": True, "ssh_server_ports": ["22"]},
        before=(_SSH,),
    ),
    "devsec.hardening.os_hardening": Role(
        "grep -E '^(UMASK|PASS_MAX_DAYS)' /etc/login.defs; stat -c %a /etc/shadow",
        {"os_auditd_enabled": False},
        # It leaves settings of the kernel alone in containers that it knows.
        options={"env": {"container": "lxc"}},
    ),
    "geerlingguy.firewall": Role(
        "iptables -S INPUT | grep -E '^-A INPUT -p tcp' | sort; systemctl is-active firewall",
        {"firewall_enable_ipv6": False, "firewall_allowed_tcp_ports": ["22", "9123"]},
        "systemctl disable --now firewall; iptables -P INPUT ACCEPT; iptables -F",
    ),
}  # fmt: skip


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


def outcome(results: Path) -> dict[str, Any]:
    """Return the failed tasks, the tasks that the second time changed, and the output of the proof."""
    failed, again, proof, is_second = [], [], None, False
    for task, result in read_results(results):
        is_second = is_second or task == "second time begins"
        if result["status"] in ("failed", "unreachable"):
            failed.append(f"{task}: {str(result.get('msg', ''))[:200]}")
        elif task == "proof":
            proof = result.get("stdout")
        elif is_second and result["status"] == "changed":
            again.append(task)
    return {"failed": failed, "changed by the second time": again, "proof": proof}
