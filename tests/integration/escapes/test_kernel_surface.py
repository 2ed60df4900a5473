"""Ways out by asking the kernel: system calls, kernel files and devices that act on the whole machine.

CVE-2014-9357 and "shocker" (open_by_handle_at), CVE-2022-0185 (file system contexts in a nested user namespace),
CVE-2022-0492 (release_agent), core_pattern, binfmt_misc, sysrq and uevent_helper, device nodes, the kernel's log and
clock, keyrings, abstract sockets, namespaces of others. Each gets through where a container is weak.
"""

import os
import subprocess
import sys
import uuid

import pytest
import surface
from attacks import OTHERS, inside, on_host, program, start

REFUSED = "EPERM EACCES EROFS"


def test_shocker_opens_no_file_of_the_host_by_its_handle(arena):
    """open_by_handle_at(2) takes the mount of any descriptor: standard output of a detached command is the log, a file
    of the host's. The attack there opens the directory that file handles call root.
    """
    arena.holds(surface.by_handle("/proc/1/fd/1", "O_WRONLY"), "opened", REFUSED)


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/panic_on_oom",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/module/overlay/parameters/redirect_dir",
    ],
)
def test_core_pattern_and_other_kernel_files_cannot_be_opened_for_writing(arena, path):
    """Opened, not written: this is the machine that the tests run on. What its kernel lacks is in nobody's reach."""
    there = os.path.exists(path)
    arena.holds(
        surface.open_for_writing(path),
        "writable" if there else "ENOENT",
        REFUSED if there else "ENOENT EACCES",
    )


def test_privileged_with_the_hosts_ids_changes_no_sysctl_of_the_whole_host(host):
    """A hardening role inside would change the host's. What is of its own namespaces it may change."""
    start(host, "box", privileged=True, userns="host")
    start(host, "weak", privileged=True, userns="host", mounts=[{"source": "/proc/sys", "target": "/proc/sys"}])
    for path in (
        "kernel/core_pattern",
        "kernel/kptr_restrict",
        "vm/panic_on_oom",
        "fs/protected_hardlinks",
        "kernel/panic",
    ):
        body = surface.open_for_writing(f"/proc/sys/{path}")
        assert (inside(host, "weak", body), inside(host, "box", body)) == ("writable", "EROFS"), path
    own = (
        "net/ipv4/ip_forward",
        "kernel/shmmax",
        "kernel/sem",
        "kernel/msgmax",
        "kernel/hostname",
        "fs/mqueue/msg_max",
    )
    for path in own:
        assert inside(host, "box", surface.open_for_writing(f"/proc/sys/{path}")) == "writable", path
    before = host.run("sysctl", "-n", "net.ipv4.tcp_syncookies", "kernel.shmmax", "kernel.hostname").stdout
    change = """
    for name, value in (("net/ipv4/tcp_syncookies", "2"), ("kernel/shmmax", "12345"), ("kernel/hostname", "other")):
        open(f"/proc/sys/{name}", "w").write(value)
    return "changed"
    """
    assert inside(host, "box", change) == "changed"
    assert host.run("sysctl", "-n", "net.ipv4.tcp_syncookies", "kernel.shmmax", "kernel.hostname").stdout == before


def test_binfmt_misc_cannot_be_mounted(arena):
    """Who registers an interpreter there has it executed by the host's root, too (the host's own instance is meant)."""
    arena.holds(
        """
        kernel("unshare", 0x20000)
        kernel("mount", b"none", b"/mnt", b"binfmt_misc", 0, None)
        return os.access("/mnt/register", os.W_OK)
        """,
        "True",
        REFUSED,
        against=("default", "unfiltered", "hosts-ids"),
    )


def test_binfmt_misc_of_root_inside_is_not_the_hosts(arena):
    """From Linux 6.7 on a user namespace may have one of its own. Before, it could not be mounted."""
    name = f"conductor-test-{uuid.uuid4().hex}"
    got = arena.attack(
        "capable",
        f"""
        kernel("unshare", 0x20000)
        kernel("mount", b"none", b"/mnt", b"binfmt_misc", 0, None)
        open("/mnt/register", "w").write(":{name}:E::{name}::/bin/true:")
        return os.path.exists("/mnt/{name}")
        """,
    )
    assert got in ("True", "EPERM")
    look = "mount -t binfmt_misc none /mnt; ls /mnt"
    assert name not in arena.host.run("unshare", "--mount", "sh", "-c", look).stdout


def test_cve_2022_0492_no_cgroup_of_version_1_with_a_release_agent(arena):
    """What a process leaves as release_agent in a hierarchy's root is executed by the host, as root.

    Weak: the technique in plain namespaces, for the root of a cgroup namespace is not that of the hierarchy.
    The hierarchy is one without controllers, of this test alone; its file is opened, and nothing is written.
    The kernel makes hierarchies in its first cgroup namespace only (cgroup1_root_to_use()), whose number is fixed
    (PROC_CGROUP_INIT_INO), so that a machine in another one is safe from the technique.
    """
    body = surface.release_agent(uuid.uuid4().hex)
    done = subprocess.run([sys.executable, "-c", program(body)], capture_output=True, text=True, check=True)
    first = os.readlink("/proc/self/ns/cgroup") == f"cgroup:[{0xEFFFFFFB}]"
    assert done.stdout == ("writable\n" if first else "EPERM\n")
    for container in ("weak", *OTHERS):
        assert arena.attack(container, body) in "EPERM EACCES ENOENT ENODEV".split(), container


def test_cve_2022_0185_no_user_namespace_can_be_made_inside(arena):
    """In one of its own anybody has all capabilities, and reaches code that was written for the host's root."""
    arena.holds(surface.USER_NAMESPACE, "made", "EPERM", against=("default", "hosts-ids"))
    assert arena.attack("unfiltered", surface.USER_NAMESPACE) == "made"


def test_cve_2022_0185_no_file_system_context_can_be_made_inside(arena):
    """Where nothing is filtered, what a user namespace may mount is left to each file system."""
    against = ("default", "unfiltered", "hosts-ids")
    arena.holds(surface.FILE_SYSTEM_CONTEXT, "opened", "EPERM", against=against)


def test_no_mount_in_a_nested_user_namespace_shows_the_hosts_files(arena):
    """Where system calls are not filtered: what is masked stays so in a copy for another user namespace."""
    body = """
    kernel("unshare", 0x10020000)
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write("0 0 1")
    try:
        kernel("umount2", b"/proc/keys", 2)
        return "unmasked"
    except OSError:
        kernel("mount", b"proc", b"/proc", b"proc", 0, None)
        return "proc"
    """
    assert arena.attack("unfiltered", body) == "EPERM"


@pytest.mark.parametrize(("node", "major", "minor"), [("kmsg", 1, 11), ("loop-control", 10, 237), ("fuse", 10, 229)])
def test_a_device_node_cannot_be_made(arena, node, major, minor):
    arena.holds(surface.device_node(major, minor), "made", "EPERM")


def test_a_device_node_on_a_file_system_made_inside_does_not_work(arena):
    """A tmpfs mounted with all capabilities of the user namespace: nodes cannot be made there, and would be dead."""
    body = """
    kernel("unshare", 0x20000)
    kernel("mount", b"x", b"/mnt", b"tmpfs", 0, None)
    os.mknod("/mnt/kmsg", stat.S_IFCHR | 0o666, os.makedev(1, 11))
    os.close(os.open("/mnt/kmsg", os.O_RDONLY))
    return "opened"
    """
    arena.holds(body, "opened", "EPERM")


def test_the_kernels_log_cannot_be_read(arena):
    """syslog(2), SYSLOG_ACTION_READ_ALL."""
    arena.holds(surface.KERNEL_LOG, "read", "EPERM")


def test_the_clock_cannot_be_set(arena):
    """To the time that it has."""
    arena.holds(surface.CLOCK, "set", "EPERM")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(surface.BPF, id="bpf"),
        pytest.param(surface.PERF_EVENT_OPEN, id="perf_event_open"),
        pytest.param('kernel("swapon", b"/dev/null", 0)', id="swapon"),
        pytest.param('kernel("acct", b"/nonexistent")', id="acct"),
    ],
)
def test_system_calls_for_the_whole_machine_are_refused(arena, call):
    """As the kernel's own refusal or the filter's: the weak container gets past the question who asks."""
    body = surface.allowed(call)
    assert arena.attack("weak", body) != "EPERM"
    for name in OTHERS:
        assert arena.attack(name, body) in "EPERM EACCES".split(), name


def test_reboot_reaches_no_other_pid_namespace(arena):
    """CAD_OFF, which would change what Ctrl-Alt-Del does. In its own pid namespace the kernel knows other commands."""
    body = surface.allowed('kernel("reboot", 0)')
    assert arena.attack("default", body) == arena.attack("unfiltered", body) == "EPERM"
    for name in ("weak", "capable", "machine", "unfiltered-machine"):
        assert arena.attack(name, body) == "EINVAL", name


def test_sysctls_of_the_network_are_the_containers_own_or_read_only(arena):
    path = "/proc/sys/net/core/somaxconn"
    before = arena.host.run("cat", path).stdout
    arena.holds(surface.open_for_writing(path), "writable", REFUSED, against=("default", "unfiltered", "hosts-ids"))
    change = f"""
    with open("{path}", "w") as file:
        file.write("77")
    return open("{path}").read().strip()
    """
    for name in ("machine", "unfiltered-machine"):
        assert arena.attack(name, change) == "77", name
    assert arena.host.run("cat", path).stdout == before != "77"


MACHINES = ("machine", "unfiltered-machine")


def test_root_of_a_machine_cannot_take_a_mask_away(arena):
    """With the right to mount: the mounts of the host's are locked in its mount namespace (mount_namespaces(7))."""
    ways = {
        "unmount": 'kernel("umount2", b"/proc/keys", 2)',
        "unmount all": 'kernel("umount2", b"/proc", 2)',
        "bind": 'kernel("mount", b"/proc", b"/mnt", None, 4096, None); return open("/mnt/keys").read(1) or "empty"',
        "writable": 'kernel("mount", None, b"/proc/irq", None, 0x1020, None)',
        "writable sysctls": 'kernel("mount", None, b"/proc/sys", None, 0x1020, None)',
        "writable sysfs": 'kernel("mount", None, b"/sys", None, 0x1020, None)',
        "move": 'kernel("mount", b"/proc/sys", b"/mnt", None, 8192, None)',
        "another proc": """
if os.fork() == 0:
    kernel("unshare", 0x20020000)
    child = os.fork()
    if child == 0:
        try:
            kernel("mount", b"proc", b"/proc", b"proc", 0, None)
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
status = os.waitstatus_to_exitcode(os.wait()[1])
if status:
    raise OSError(status, "")
""",
        "another sysfs": 'kernel("unshare", 0x40020000); kernel("mount", b"sys", b"/sys", b"sysfs", 0, None)',
    }
    for name in MACHINES:
        for way, act in ways.items():
            got = arena.attack(name, f'{act}\nreturn "done"')
            assert got in ("EPERM", "EINVAL", "EBUSY"), (name, way, got)
        assert arena.attack(name, 'return len(open("/proc/keys").read())') == "0"


def test_root_of_a_machine_mounts_no_file_system_of_the_hosts(arena):
    """Those that the kernel does not trust with a user namespace: disks, debugging, security."""
    for name in MACHINES:
        for kind in ("ext4", "xfs", "debugfs", "tracefs", "securityfs", "bpf", "devtmpfs", "cgroup", "configfs"):
            act = f'kernel("mount", b"none", b"/mnt", b"{kind}", 0, None)\nreturn "mounted"'
            assert arena.attack(name, act) in ("EPERM", "ENODEV", "EINVAL", "ENOTBLK", "ENOENT"), (name, kind)


def test_abstract_sockets_of_the_host_cannot_be_reached(arena):
    """CVE-2020-15257 (containerd-shim's). They belong to the network namespace."""
    name = f"conductor-test-{uuid.uuid4().hex}"
    listen = f"""import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0{name}")
listener.listen()
print(flush=True)
sys.stdin.read()
"""
    server = arena.host.popen("python3", "-c", listen, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        body = f"""
        socket.socket(socket.AF_UNIX).connect("\\0{name}")
        return "connected"
        """
        assert on_host(arena.host, body) == "connected"
        for container in ("default", "weak"):
            assert arena.attack(container, body) == "ECONNREFUSED"
    finally:
        server.communicate()


def test_the_namespaces_of_the_host_cannot_be_entered_nor_seen(arena):
    """pid 1 inside is the container's own: there is no process of the host's to take them from, not even by number."""
    host = arena.host
    outside = host.run("readlink", "/proc/1/ns/mnt", "/proc/1/ns/cgroup", "/proc/1/ns/pid").stdout.split()
    body = """
    return " ".join(sorted({os.readlink(f"/proc/{pid}/ns/{kind}") for pid in os.listdir("/proc") if pid.isdigit()
        for kind in ("mnt", "cgroup", "pid")}))
    """
    assert set(outside) & set(on_host(host, body).split())
    for container in ("weak", *OTHERS):
        assert not set(outside) & set(arena.attack(container, body).split()), container


def test_the_cgroup_namespace_shows_nothing_above(arena):
    assert (
        "conductor"
        in arena.host.run(
            "sh", "-c", "cat /sys/fs/cgroup/*/conductor/cgroup.procs /proc/$$/cgroup; ls -d /sys/fs/cgroup/*/conductor*"
        ).stdout
    )
    for container in ("default", "hosts-ids"):
        paths = {field.split(":")[2] for field in arena.attack(container, surface.CGROUP_PATHS).split()}
        assert all("conductor" not in path for path in paths), paths


def test_signals_do_not_reach_the_host(arena):
    """kill(-1) reaches whom the pid namespace has; and no number means a process outside of it."""
    body = """
    for number in range(1, 1000):
        if not os.path.exists(f"/proc/{number}"):
            try:
                os.kill(number, 0)
                return "reached"
            except ProcessLookupError:
                pass
    try:
        os.kill(-1, signal.SIGTERM)
    except ProcessLookupError:
        pass
    return "nobody"
    """
    outside = ("pgrep", "--ns", "1", "--nslist", "pid", "--count", ".")
    for container in ("weak", *OTHERS):
        before = int(arena.host.run(*outside).stdout)
        assert arena.attack(container, body) == "nobody"
        assert int(arena.host.run(*outside).stdout) >= before, container
