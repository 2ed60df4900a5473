"""First process of a test host: lays out a machine in fresh namespaces, then reaps until it is told to end.

Runs as pid 1 of new mount, network, pid, UTS, IPC namespaces (see testhost.py). Whatever a test leaves running dies
with it. Prints one line of JSON when the machine is ready and ends when its standard input does.

    internet 192.0.2.1 -- wan0 [ the host ] lan0 -- 198.51.100.2 outside
"""

import array
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
CLONE_NEWCGROUP, CLONE_NEWNET = 0x02000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def sh(command: str) -> None:
    subprocess.run(["sh", "-euc", command], check=True)


def cgroups(group: str) -> None:
    """A cgroup of our own as the root of all that the host sees, in v2 and in each v1 hierarchy."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    v1 = {m[1]: m[3] for m in mounts if m[2] == "cgroup"}
    v2 = [m[1] for m in mounts if m[2] == "cgroup2"]
    for hierarchy in [*v1, *v2]:
        directory = Path(hierarchy, group)
        directory.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if "cpuset" in v1.get(hierarchy, "").split(","):
                (directory / name).write_text(Path(hierarchy, name).read_text())
        (directory / "cgroup.procs").write_text("0")
    if libc.unshare(CLONE_NEWCGROUP):
        raise OSError(ctypes.get_errno(), "unshare cgroup")
    mounting = ["umount --recursive /sys", "mount -t sysfs sysfs /sys"]
    known = {"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio",
             "perf_event", "hugetlb", "rdma", "misc"}  # fmt: skip
    if v1:
        mounting.append("mount -t tmpfs tmpfs /sys/fs/cgroup")
    for hierarchy, options in v1.items():
        wanted = [o for o in options.split(",") if o in known or o.startswith("name=")]
        none = ",none" if "name=" in options else ""
        mounting += [f"mkdir -p {hierarchy}", f"mount -t cgroup -o {','.join(wanted)}{none} cgroup {hierarchy}"]
    for hierarchy in v2:
        mounting += [f"mkdir -p {hierarchy}", f"mount -t cgroup2 cgroup2 {hierarchy}"]
    sh("\n".join(mounting))
    for hierarchy in v2:
        os.makedirs(f"{hierarchy}/anchor", exist_ok=True)
        Path(hierarchy, "anchor", "cgroup.procs").write_text("0")
        for controller in Path(hierarchy, "cgroup.controllers").read_text().split():
            Path(hierarchy, "cgroup.subtree_control").write_text(f"+{controller}")


def root() -> None:
    """A root file system of our own: overlayfs over the machine's, so that nothing written here is ever the machine's.

    What was written lies in /run/changed/root/upper, where the leak check sees it. The checkout, with the images that
    tests share, and the directory of pytest's temporary files are those of the machine: both sides use them.
    """
    shared = {str(ROOT), os.path.realpath(ROOT / ".cache" / "images"), tempfile.gettempdir()}
    sh(
        "mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/root /run/changed/root/upper /run/changed/root/work; "
        "cd /run/changed/root; mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay /run/root; "
        "mount --rbind /dev /run/root/dev; mount --rbind /sys /run/root/sys; mount --bind /run /run/root/run; "
        "mount -t proc proc /run/root/proc; "
        + "".join(f"mount --bind '{path}' '/run/root{path}'; " for path in sorted(shared) if os.path.isdir(path))
        # pivot_root(2), section "pivot_root(".", ".")".
        + "cd /run/root; pivot_root . .; umount --lazy ."
    )
    os.chdir("/")
    os.rmdir("/run/root")


def files(size: str) -> None:
    # As on a host where this collection was never used, whatever this machine has been used for.
    sh("find /etc /usr/local/bin /usr/share/bash-completion -xdev -type f -name '*conductor*' -delete")
    sh(
        # What is installed there shall be all that comes, and not copies of these directories, too.
        "mkdir -p /usr/share/bash-completion/completions; "
        "touch /usr/local/bin /usr/local/sbin /usr/share/bash-completion/completions; "
        # An sshd writes down there who logs in with a terminal.
        "touch /var/log/lastlog /var/log/wtmp; "
        f"mkdir -p /var/lib/conductor; mount -t tmpfs -o mode=755,size={size} tmpfs /var/lib/conductor; "
        "mkdir -p /run/netns /run/lock /etc/conductor"
    )
    for path in (path for path in map(Path, ("/etc/subuid", "/etc/subgid")) if path.exists()):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("conductor:")))
    # A resolv.conf that names no real server: nothing here may look up names outside.
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    # Names that would be asked for all the same, in vain and for seconds: sudo looks up the host's, and sshd that of
    # whoever has a terminal, who has no address here.
    with open("/etc/hosts", "a", encoding="ascii") as file:
        file.write("127.0.1.1 testhost UNKNOWN\n")
    # What root's shell does on this machine when it starts, and how long that takes, is nothing of a managed host's.
    Path("/root/.bashrc").unlink(missing_ok=True)


@contextlib.contextmanager
def network_namespace(pid: int):
    """This process, and what it starts, in the network namespace of process `pid`."""
    with open("/proc/self/ns/net", "rb") as own, open(f"/proc/{pid}/ns/net", "rb") as other:
        enter(other)
        try:
            yield
        finally:
            enter(own)


def enter(namespace) -> None:
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def peer() -> int:
    """A further network namespace, held by a sleeping child; its pid."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.unshare(CLONE_NEWNET)
        os.write(tell, b"x")
        os.execvp("sleep", ["sleep", "infinity"])
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    return pid


HOST = """
link set lo up
link set wan0 up
link set lan0 up
addr add 192.0.2.10/24 dev wan0
addr add 2001:db8:1::10/64 dev wan0 nodad
addr add 198.51.100.1/24 dev lan0
addr add 2001:db8:2::1/64 dev lan0 nodad
route add default via 192.0.2.1
route add default via 2001:db8:1::1
"""
INTERNET = """
link set lo up
link set eth0 up
addr add 203.0.113.1/32 dev lo
addr add 2001:db8:ffff::1/128 dev lo nodad
addr add 192.0.2.1/24 dev eth0
addr add 2001:db8:1::1/64 dev eth0 nodad
route add default via 192.0.2.10
route add default via 2001:db8:1::10
"""
OUTSIDE = """
link set lo up
link set eth0 up
addr add 198.51.100.2/24 dev eth0
addr add 2001:db8:2::2/64 dev eth0 nodad
route add default via 198.51.100.1
route add default via 2001:db8:2::1
"""
# Bystanders: other programs' things that must stay as they are.
BYSTANDER = """
add table inet bystander
add chain inet bystander forward { type filter hook forward priority 10; policy accept; }
add rule inet bystander forward ip saddr 203.0.113.99 counter drop
"""


def network() -> dict:
    internet, outside = peer(), peer()
    links = f"""
link add wan0 type veth peer name eth0 netns {internet}
link add lan0 type veth peer name eth0 netns {outside}
"""
    for pid, lines in ((os.getpid(), links + HOST), (internet, INTERNET), (outside, OUTSIDE)):
        with network_namespace(pid):
            # It begins with the machine's own settings, which a build beside this may just have changed.
            for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                Path("/proc/sys/net", name).write_text("0")
            subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
            make_checksums()
    for name in ("wan0", "lan0"):
        wait_for_carrier(name)
    sh("ip netns add bystander; ip link add bystander0 type veth peer name bystander1")
    subprocess.run(["nft", "-f", "-"], input=BYSTANDER, text=True, check=True)
    return {"internet": internet, "outside": outside}


def make_checksums() -> None:
    """As real networks do, and links of the kernel's own do not: checksums are made, and looked at by who receives.

    ETHTOOL_STXCSUM off, for the interfaces that are there (linux/ethtool.h, linux/sockios.h).
    """
    value = array.array("I", [0x17, 0])
    with socket.socket() as any_socket:
        for _index, name in socket.if_nameindex():
            if name in ("eth0", "wan0", "lan0"):
                fcntl.ioctl(any_socket, 0x8946, struct.pack("16sP", name.encode(), value.buffer_info()[0]) + bytes(16))


def wait_for_carrier(link: str) -> None:
    """The kernel takes its time to say that there is a carrier, and that is part of how a host looks."""
    for _ in range(1000):
        if Path(f"/sys/class/net/{link}/operstate").read_text() == "up\n":
            return
        time.sleep(0.01)


def main() -> None:
    group, size = sys.argv[1:]
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    sh("mount --make-rprivate /")
    cgroups(group)
    root()
    files(size)
    socket.sethostname("testhost")
    peers = network()
    print(json.dumps(peers), flush=True)
    # Orphans come to us, as they do to any pid 1: let the kernel reap them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdin.read()


if __name__ == "__main__":
    main()
