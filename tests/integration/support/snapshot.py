"""All that a test could leave behind on a host, as lines to compare."""

from __future__ import annotations

import re

from testhost import Host

COMMANDS = {
    "mount": "cut -d' ' -f4- /proc/self/mountinfo",
    "netns": "ls /run/netns",
    "link": "ip -o link show | sed -e 's/^[0-9]*: //' -e 's/ qlen [0-9]*//'",
    "address": "ip -o address show scope global | sed -e 's/^[0-9]*: //'",
    "route": "ip route show table all type unicast; ip -6 route show table all type unicast | grep -v fe80",
    "rule": "ip rule show; ip -6 rule show",
    "table of routes": "ip route show table all type blackhole; ip -6 route show table all type blackhole",
    "qdisc": "tc qdisc show | sed -e 's/refcnt [0-9]*//'",
    "nft": "nft -s list ruleset",
    "process": "for p in /proc/[0-9]*; do [ -r $p/cmdline ] && [ $p != /proc/$$ ] "
    "&& ! grep -q '^State:.Z' $p/status && tr '\\0' ' ' < $p/cmdline && echo; done",
    "cgroup": "find /sys/fs/cgroup -type d",
    "file": "find /var/lib/conductor /run -xdev -path '/run/changed/*/work' -prune -o -path '*/rootfs/*' -prune "
    "-o -print",
    "sysctl": "grep -s '' /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv[46]/conf/all/* "
    "/proc/sys/net/ipv[46]/conf/default/* /proc/sys/net/ipv[46]/conf/wan0/* /proc/sys/net/ipv[46]/conf/lan0/* "
    "| grep -vE 'stable_secret|mtu'",
    "etc": "sha256sum /etc/resolv.conf /etc/hosts /etc/hostname",
    "subids": "cat /etc/subuid /etc/subgid",
}
HEADER = "=== "
# Ours, and right to stay on a host that has no containers: directories, the bundle by its hash, the bare table.
EXPECTED = re.compile(
    r"^file: /run/conductor(/locks|/containers|/stacks|/entry(/[0-9a-f]+(\.lock|-\d+)?)?|/admitted(/[0-9a-f]+-\d+)?)?$"
    # The log goes with its stack, and stays where the containers are removed one by one.
    r"|^file: /run/conductor/stacks/[^/]+\.log$"
    r"|^file: /var/lib/conductor/(images|containers|lib(/([0-9a-f]{16}(/.*)?|seccomp-[0-9a-f]+\.bpf))?)$"
    # Who enters containers for a controller ends when nobody has asked for a while.
    r"|^process: \S+ -I -S /var/lib/conductor/lib/[0-9a-f]+ serve "
    r"|^mount: .* /run/netns "
    r"|^cgroup: /sys/fs/cgroup(/[^/]+)?/conductor(/\.(supervisor|entry))?$"
    # The ids of containers are registered for good, so that no user of the host gets them.
    r"|^file: /run/changed/root/upper/etc/(subuid|subgid|\.pwd\.lock)$"
    # Where Ansible's own tasks on a managed host have their temporary files (remote_tmp). It must be empty.
    r"|^file: /run/changed/root/upper/root/\.ansible(/tmp)?$"
    # The first program that needs fonts, as Graphviz does, writes it where the host has none.
    r"|^file: /run/changed/root/upper/var/cache(/fontconfig(/[^/]+)?)?$"
    # sshd of Debian 13 records logins there (wtmpdb).
    r"|^file: /run/changed/root/upper/var/log/wtmp\.db$"
    r"|^subids: conductor:524288:268435456$"
    r"|^process: (sh|find|ip|nft|sed|grep|tr) "
)


def take(host: Host) -> list[str]:
    """The host's mounts, namespaces, links, rules, processes, cgroups, files and sysctls."""
    # One shell for all: each test looks at its host twice.
    script = "; ".join(f"echo '{HEADER}{kind}'; {command}" for kind, command in COMMANDS.items())
    lines, kind = [], ""
    for line in host.run("sh", "-c", script, check=False).stdout.splitlines():
        if line.startswith(HEADER):
            kind = line.removeprefix(HEADER)
        elif line.strip():
            lines.append(f"{kind}: {line}")
    return lines


def difference(before: list[str], after: list[str]) -> list[str]:
    """What came and what went, but for what may stay."""
    came = [f"+ {line}" for line in after if line not in before and not EXPECTED.search(line)]
    went = [f"- {line}" for line in before if line not in after and not EXPECTED.search(line)]
    return came + went
