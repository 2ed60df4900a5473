"""The view inside a container: namespaces, /proc, /sys, /dev, privileges, mounts, systemd."""

import pytest

SLEEP = ["/bin/sleep", "infinity"]


def start(host, name="web", **params):
    return host.module("conductor_container", **{"name": name, "image": "debian", "command": SLEEP, **params})[
        "container"
    ]


def inside(host, cmd, name="web", **params):
    return host.module("conductor_exec", container=name, argv=["/bin/sh", "-c", cmd], **params)["stdout"]


@pytest.mark.parametrize("namespace", ["uts", "pid", "net", "mnt", "ipc", "cgroup"])
def test_it_has_its_own_namespace(host, namespace):
    pid = start(host)["pid"]
    link = f"ns/{namespace}"
    first = host.run("readlink", f"/proc/{pid}/{link}").stdout.strip()
    assert first != host.run("readlink", f"/proc/1/{link}").stdout.strip()
    assert inside(host, f"readlink /proc/self/{link}") == first, "exec enters the same one"


def test_the_command_is_pid_1_and_ps_and_top_work(host):
    start(host)
    processes = inside(host, "ps -eo pid=,args=").splitlines()
    assert processes[0].split() == ["1", *SLEEP]
    assert len(processes) == 3, "its own processes only: sleep, sh, ps"
    assert "sleep" in inside(host, "top -b -n 1")


def test_sysfs_shows_its_own_links_and_iproute2_works(host):
    start(host)
    assert inside(host, "ls /sys/class/net") == "lo"
    assert "LOOPBACK,UP" in inside(host, "ip link show lo")
    assert host.module("conductor_exec", container="web", cmd="touch /sys/x", fails=True)["rc"] == 1


def test_private_dev_has_the_standard_nodes_and_the_network_device(host):
    start(host)
    nodes = inside(host, "cd /dev; for n in null zero full random urandom tty net/tun; do [ -c $n ] && echo $n; done")
    assert nodes.split() == ["null", "zero", "full", "random", "urandom", "tty", "net/tun"]
    assert inside(host, "echo lost > /dev/null; head -c3 /dev/zero | wc -c; test -d /dev/shm; ls -d /dev/pts/ptmx") == (
        "3\n/dev/pts/ptmx"
    )
    assert "vda" not in inside(host, "ls /dev")


def test_dev_host_shows_the_devices_of_the_host(host):
    start(host, dev="host")
    assert set(inside(host, "ls /dev").split()) >= set(host.run("ls", "/dev").stdout.split()) - {"console"}


def test_file_modes_are_right_for_apt(host):
    """apt's user _apt must be able to traverse / and read files below it."""
    start(host)
    assert inside(host, "stat -c %a /", user="nobody") == "755"
    assert inside(host, "cat /etc/debian_version && ls /usr/bin | wc -l", user="_apt").splitlines()[1] != "0"
    assert inside(host, "umask; touch /f; stat -c %a /f") == "0022\n644"


def test_its_root_is_the_rootfs_in_its_directory(host):
    facts = start(host)
    inside(host, "echo inside > /seen-from-outside")
    assert host.run("cat", f"{facts['rootfs']}/seen-from-outside").stdout == "inside\n"
    assert facts["rootfs"] == "/var/lib/conductor/containers/web/rootfs"


def test_the_image_is_not_written_to(host):
    start(host)
    inside(host, "rm -rf /usr/share/doc; echo changed > /etc/issue")
    start(host, name="other")
    assert inside(host, "cat /etc/issue", name="other") != "changed"


def test_nothing_of_the_host_is_open_or_mounted_inside(host):
    start(host)
    assert inside(host, "ls /proc/1/fd").split() == ["0", "1", "2"]
    assert inside(host, "ls /proc/self/fd").split() == ["0", "1", "2", "3"]  # 3: ls's own
    for line in inside(host, "cut -d' ' -f4,5 /proc/self/mountinfo").splitlines():
        assert not line.split()[1].startswith("/oldroot")
    assert host.run(
        "test", "-e", "/var/lib/conductor/containers/web/rootfs/var/lib/conductor/containers", check=False
    ).returncode


def test_capabilities_are_bounded_and_can_be_added_and_dropped(host):
    start(host)
    assert int(inside(host, "grep CapBnd /proc/self/status").split()[1], 16) == 0xA00425FB & ~(1 << 27)
    start(host, name="more", capabilities={"add": ["CAP_NET_ADMIN"], "drop": ["NET_RAW"]})
    bounding = int(inside(host, "grep CapBnd /proc/1/status", name="more").split()[1], 16)
    assert bounding & 1 << 12 and not bounding & 1 << 13
    start(host, name="none", capabilities={"drop": ["ALL"]})
    assert int(inside(host, "grep CapEff /proc/self/status", name="none").split()[1], 16) == 0
    assert host.module("conductor_exec", container="web", cmd="mknod /x b 8 0", fails=True)["rc"] == 1
    assert host.module("conductor_exec", container="web", cmd="mount -t tmpfs x /mnt", fails=True)["rc"] != 0


def test_kernel_interfaces_are_masked_or_read_only(host):
    start(host)
    assert inside(host, "wc -c < /proc/kcore; wc -c < /proc/keys; ls /sys/firmware 2>&1 | wc -l").split()[:2] == [
        "0",
        "0",
    ]
    for path in ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"):
        denied = host.module("conductor_exec", container="web", argv=["sh", "-c", f"echo 1 > {path}"], fails=True)
        assert "Read-only file system" in denied["stderr"] or "cannot create" in denied["stderr"]


def test_privileged_lifts_the_restrictions(host):
    start(host, privileged=True)
    assert inside(host, "mount -t tmpfs x /mnt && echo mounted") == "mounted"


def test_hostname_and_hosts_file_are_its_own(host):
    start(host, hostname="alpha.example")
    assert inside(host, "hostname; cat /etc/hostname") == "alpha.example\nalpha.example"
    assert "alpha.example" in inside(host, "cat /etc/hosts")
    assert host.run("hostname").stdout == "testhost\n"


def test_env_working_dir_and_user_are_those_of_the_command(host):
    start(
        host, user="nobody:daemon", working_dir="/usr/share", env={"GREETING": "hello world", "N": "3"},
        command=["/bin/sh", "-c", "id -un; id -gn; pwd; echo $GREETING $N $HOME; exec sleep infinity"],
    )  # fmt: skip
    log = host.module("conductor_container", name="web", wait=["test", "-e", "/proc/1"])["container"]["log"]
    assert log == "nobody\ndaemon\n/usr/share\nhello world 3 /nonexistent\n"


def test_arguments_with_spaces_and_shell_characters_arrive_as_they_are(host):
    words = ["a b", "", "$HOME", "; touch /pwned", "é\n*"]
    start(host, command=["/usr/bin/python3", "-c", "import sys, json; print(json.dumps(sys.argv[1:]))", *words])
    result = host.module("conductor_container", name="web", state="present")
    import json

    assert json.loads(result["container"]["log"]) == words


def test_mounts_bind_read_only_and_tmpfs(host):
    host.run("sh", "-c", "mkdir -p /run/data/sub; echo one > /run/data/file; echo f > /run/single")
    mounts = [
        {"source": "/run/data", "target": "/data"},
        {"source": "/run/data", "target": "/ro", "read_only": True},
        {"source": "/run/single", "target": "/etc/single"},
        {"type": "tmpfs", "target": "/var/cache/mem", "size": "1m"},
    ]
    start(host, mounts=mounts)
    assert (
        inside(host, "cat /data/file /etc/single; echo two > /data/new; stat -f -c %T /var/cache/mem")
        == "one\nf\ntmpfs"
    )
    assert host.run("cat", "/run/data/new").stdout == "two\n"
    assert "Read-only" in host.module("conductor_exec", container="web", cmd="touch /ro/x", fails=True)["stderr"]
    assert not host.module("conductor_container", name="web", mounts=mounts)["changed"]
    host.module("conductor_container", name="web", state="absent")
    assert host.run("cat", "/run/data/file").stdout == "one\n", "what was mounted in stays on the host"
    host.run("rm", "-r", "/run/data", "/run/single")


@pytest.mark.parametrize("link", ["/run/victim", "../../../../../../../run/victim"])
def test_symlink_as_mount_target_does_not_lead_to_the_host(host, link):
    """A container that replaces the target by a symlink must not get the mount on the host (CVE-2021-30465)."""
    host.run("sh", "-c", "mkdir /run/data /run/victim; echo host > /run/victim/file; echo data > /run/data/file")
    start(host)
    inside(host, f"mkdir /spool; ln -s {link} /spool/in")
    host.module("conductor_container", name="web", state="stopped")
    mounts = [{"source": "/run/data", "target": "/spool/in"}]
    host.module("conductor_container", name="web", mounts=mounts)
    assert inside(host, "cat /run/victim/file; touch /run/victim/new") == "data"
    assert host.run("sh", "-c", "cat /run/victim/file; ls /run/victim /run/data").stdout.split() == [
        "host", "/run/data:", "file", "new", "/run/victim:", "file",
    ]  # fmt: skip
    host.module("conductor_container", name="web", state="absent")
    assert "victim" not in host.run("cat", "/proc/self/mountinfo").stdout
    host.run("rm", "-r", "/run/data", "/run/victim")


def test_read_only_root(host):
    start(host, read_only=True, mounts=[{"type": "tmpfs", "target": "/tmp"}])
    assert "Read-only" in host.module("conductor_exec", container="web", cmd="touch /x", fails=True)["stderr"]
    assert inside(host, "touch /tmp/x; ls /tmp") == "x"


def test_init_boots_systemd(host):
    ready = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
    host.module("conductor_container", name="web", image="debian", init=True, wait=ready, wait_timeout=60)
    assert inside(host, "ps -o comm= 1") == "systemd"
    assert inside(host, "systemctl show -p ActiveState --value basic.target") == "active"
    assert inside(host, "systemd-detect-virt --container") != "none"
    stopped = host.module("conductor_container", name="web", state="stopped", stop_timeout=30)["container"]
    assert stopped["exit_code"] in (0, 130, 255), "it powered off by itself"


def test_further_groups_are_those_of_the_command(host):
    start(host, user="nobody", groups=["adm", 1234], command=["/bin/sh", "-c", "id -G > /tmp/groups; exec sleep inf"])
    assert inside(host, "until [ -s /tmp/groups ]; do :; done; cat /tmp/groups").split() == ["65534", "4", "1234"]
    assert not host.module("conductor_container", name="web", groups=["adm", "1234"])["changed"]
    for groups, told in ((["none"], "there is no group 'none'"), ([70000], "id 70000 is not in the container's range")):
        refused = host.module(
            "conductor_container", name="other", image="debian", command=SLEEP, groups=groups, fails=True
        )
        assert told in refused["msg"]


@pytest.mark.parametrize("has_tzdata", [True, False])
def test_time_zone_is_set_at_each_start(host, has_tzdata):
    start(host, state="present")
    upper = "/var/lib/conductor/containers/web/upper"
    if not has_tzdata:
        host.run("sh", "-c", f"mkdir -p {upper}/usr/share && mknod {upper}/usr/share/zoneinfo c 0 0")
    start(host, timezone="Asia/Tokyo")
    assert inside(host, "date +%Z; cat /etc/timezone").split() == ["JST", "Asia/Tokyo"]
    assert inside(host, "readlink /etc/localtime || true") == ("/usr/share/zoneinfo/Asia/Tokyo" if has_tzdata else "")
    assert not host.module("conductor_container", name="web", timezone="Asia/Tokyo")["changed"]
    start(host, timezone="host", restart=True)
    assert inside(host, "date +%Z") == host.run("date", "+%Z").stdout.strip()
    refused = host.module("conductor_container", name="web", timezone="Asia/Nowhere", restart=True, fails=True)
    assert "there is no time zone Asia/Nowhere" in refused["msg"]


def test_mode_of_a_tmpfs(host):
    start(
        host, mounts=[{"type": "tmpfs", "target": "/srv/own", "mode": "0700"}, {"type": "tmpfs", "target": "/srv/all"}]
    )
    assert inside(host, "stat -c %a /srv/own /srv/all").split() == ["700", "1777"]
