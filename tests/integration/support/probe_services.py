"""Daemons of the archive: the package of each, its unit, and a command that proves that it serves."""

from __future__ import annotations

import image_cache

_HTTP = "curl --silent --fail --output /dev/null http://127.0.0.1:{port}/"
_LISTENS = "exec 3<>/dev/tcp/127.0.0.1/{port}"


def _http(port: int) -> str:
    return _HTTP.format(port=port)


def _listens(port: int) -> str:
    return _LISTENS.format(port=port)


# By unit. {version} is that of the suite.
SERVICES: dict[str, tuple[str, str]] = {
    "redis-server": ("redis-server", "redis-cli ping | grep PONG"),
    "haproxy": ("haproxy", "systemctl show -P MainPID haproxy | grep -v ^0"),
    "systemd-resolved": ("systemd-resolved", "resolvectl status"),
    "postgresql@{postgresql}-main": ("postgresql", "su postgres -c 'psql -Atc \"select 1\"'"),
    "mariadb": ("mariadb-server", "mariadb -e 'select 1'"),
    "apache2": ("apache2", _http(80)),
    "nginx": ("nginx", _http(80)),
    "lighttpd": ("lighttpd", _listens(80)),
    "ssh": ("openssh-server", _listens(22)),
    "rsyslog": ("rsyslog", "logger found-$$; until grep -q found-$$ /var/log/syslog; do sleep 0.1; done"),
    "named": ("bind9", _listens(53)),
    "unbound": ("unbound", _listens(53)),
    "dnsmasq": ("dnsmasq", _listens(53)),
    "dovecot": ("dovecot-imapd", _listens(143)),
    "postfix": ("postfix", _listens(25)),
    "cups": ("cups-daemon", _listens(631)),
    "cron": ("cron", "systemctl show -P MainPID cron | grep -v ^0"),
    "atd": ("at", "echo 'touch /run/at' | at now; until [ -e /run/at ]; do sleep 0.1; done"),
    "memcached": ("memcached", _listens(11211)),
    "vsftpd": ("vsftpd", _listens(21)),
    "squid": ("squid", _listens(3128)),
    "varnish": ("varnish", _listens(6081)),
    "mosquitto": ("mosquitto", _listens(1883)),
    "php{php}-fpm": ("php-fpm", "[ -S /run/php/php-fpm.sock ]"),
    "prometheus-node-exporter": ("prometheus-node-exporter", _http(9100)),
    "smbd": ("samba", _listens(445)),
    "slapd": ("slapd", _listens(389)),
    "snmpd": ("snmpd", "systemctl show -P MainPID snmpd | grep -v ^0"),
    "avahi-daemon": ("avahi-daemon", "systemctl show -P MainPID avahi-daemon | grep -v ^0"),
    "unattended-upgrades": ("unattended-upgrades", "systemctl show -P MainPID unattended-upgrades | grep -v ^0"),
    "fail2ban": ("fail2ban", "fail2ban-client ping"),
    "systemd-networkd": ("systemd", "networkctl list"),
    "polkit": ("polkitd", "pkaction | grep -q org.freedesktop"),
    # Its unit has ConditionCapability=CAP_SYS_TIME, so that it does nothing in a container.
    "chrony": ("chrony", "true"),
}
VERSIONS = {"bookworm": {"postgresql": "15", "php": "8.2"}, "trixie": {"postgresql": "17", "php": "8.4"}}


def recipe(suite: str) -> dict:
    """An image with all of them, which do not start by themselves: some use the same ports."""
    packages = sorted({package for package, _ in SERVICES.values()} - {"systemd"})
    # rsyslog is syslog.service, which its socket needs, only as long as it is enabled.
    units = " ".join(f"{unit}.service" for unit in units_of(suite) if unit != "rsyslog")
    return {
        **image_cache.RECIPE,
        "suite": suite,
        "packages": [*image_cache.RECIPE["packages"], *packages],
        # varnishncsa fails while varnish does not run.
        "commands": [
            f"systemctl disable {units} postgresql.service varnishncsa.service 2>&1; systemctl mask nmbd.service; true"
        ],
    }


def units_of(suite: str) -> dict[str, str]:
    """Each unit of the suite, and its command."""
    return {unit.format(**VERSIONS[suite]): command for unit, (_, command) in SERVICES.items()}


# Runs inside, with a unit and its command: starts it and stops it, and prints what went wrong.
RUN = r"""
unit=$1 command=$2
say() { echo "$unit: $*"; journalctl --no-pager -o cat -n 15 -u "$unit"; }
systemctl start "$unit" || say "does not start"
probe="until $command; do sleep 0.2; done"
timeout 30 bash -c "$probe" > /dev/null 2> /run/said || { say "does not serve"; tail -3 /run/said; }
[ "$(systemctl is-system-running)" = running ] || { say failed; systemctl --failed --plain --no-legend; }
systemctl stop "$unit" 2> /dev/null
systemctl reset-failed
"""
