"""User namespaces: ranges of ids, and the owners of files inside and on the host."""

import json
import subprocess

import pytest
from small_image import image, make_runnable_archive
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
WEB = {"name": "web", "image": "debian", "command": SLEEP}
DIRECTORY = "/var/lib/conductor/containers/web"
IMAGE = "/var/lib/conductor/images/debian/rootfs"


def start(host, **params):
    return host.module("conductor_container", **{**WEB, **params})["container"]


def inside(host, cmd, name="web", **params):
    return host.module("conductor_exec", container=name, argv=["/bin/sh", "-c", cmd], **params)["stdout"]


def owner(host, path):
    return host.run("stat", "-c", "%u:%g", path).stdout.strip()


def ids_of(host, pid):
    return host.run(
        "sh", "-c", f"grep -E '^[UG]id:' /proc/{pid}/status | cut -f2- | tr '\\t' '\\n' | sort -u"
    ).stdout.split()


def test_root_inside_is_nobody_outside(host):
    facts = start(host)
    assert facts["ids"] == {"base": 524288, "size": 65536} and facts["userns"] == "auto"
    assert ids_of(host, facts["pid"]) == ["524288"]
    assert inside(host, "id -u; cat /proc/self/uid_map").split() == ["0", "0", "524288", "65536"]
    assert host.run("grep", "^CapEff", f"/proc/{facts['pid']}/status").stdout.split()[1] != "0" * 16
    kernel = host.run("readlink", f"/proc/{facts['pid']}/ns/user").stdout
    assert (
        inside(host, "readlink /proc/self/ns/user") + "\n"
        == kernel
        != host.run("readlink", "/proc/self/ns/user").stdout
    )


def test_a_command_and_its_users_are_in_the_range(host):
    start(host)
    script = "sleep 1000 & echo $!"
    for user, uid in (("root", "524288"), ("nobody", str(524288 + 65534)), ("_apt", str(524288 + 42))):
        inside(host, script, user=user)
        found = host.run("pgrep", "-f", "-n", "sleep 1000").stdout.strip()
        assert uid in ids_of(host, found)


def test_all_of_its_namespaces_belong_to_its_user_namespace(host):
    """So that its capabilities hold there, and nowhere else."""
    start(host, capabilities={"add": ["SYS_ADMIN", "NET_ADMIN"]})
    inside(host, "hostname changed; ip link add v0 type veth peer v1; mount -t tmpfs x /mnt; touch /mnt/x")
    assert inside(host, "hostname; ls /sys/class/net") == "changed\nlo\nv0\nv1"
    assert host.run("hostname").stdout == "testhost\n"


def test_root_with_all_capabilities_cannot_unmask_paths(host):
    start(host, capabilities={"add": ["ALL"]})
    for command in (
        "umount /proc/keys",
        "umount /proc/sysrq-trigger",
        "mount -o remount,rw /proc/sys",
        "mount -o remount,bind,rw /proc/sys",
        "mount -o remount,bind,dev /",
        "mount -t proc proc /mnt",
    ):
        assert host.module("conductor_exec", container="web", cmd=command, fails=True)["rc"] != 0, command
    assert inside(host, "wc -c < /proc/keys") == "0"


def test_files_on_disk_belong_to_the_range_and_the_image_to_root(host):
    start(host)
    inside(host, "echo x > /by-root; chown nobody /by-root; touch /etc/issue; chmod u+s /usr/bin/touch; mkdir /d")
    assert owner(host, f"{DIRECTORY}/upper/by-root") == f"{524288 + 65534}:524288"
    assert owner(host, f"{DIRECTORY}/upper/usr/bin/touch") == "524288:524288"
    assert owner(host, f"{IMAGE}/usr/bin/touch") == owner(host, f"{IMAGE}/etc/shadow").replace(":42", ":0") == "0:0"
    assert host.run("stat", "-c", "%a", f"{IMAGE}/usr/bin/touch").stdout == "755\n"
    owners = host.run("sh", "-c", f"find {DIRECTORY}/upper -printf '%U\\n' | sort -u").stdout.split()
    assert all(524288 <= int(uid) < 524288 + 65536 for uid in owners)
    # 0711 at most in the path: users of the host cannot reach setuid programs in it.
    assert host.run("stat", "-c", "%a", DIRECTORY).stdout == "700\n"


def test_only_kernel_files_belong_to_nobody_inside(host):
    start(host, mounts=[{"type": "tmpfs", "target": "/made/for/it"}], init=False)
    foreign = inside(host, "find / -xdev -uid 65534 -print; find /dev /made -uid 65534 -print; stat -c %u /etc/hosts /")
    assert foreign.split() == ["/proc", "/sys", "/dev/pts", "0", "0"]


def test_ordinary_work_is_as_with_the_hosts_ids(host):
    start(host)
    assert (
        inside(host, "chown 33:33 /srv; stat -c %u:%g /srv; su -s /bin/sh -c id\\ -un _apt; id -un")
        == "33:33\n_apt\nroot"
    )
    inside(host, "echo 1.2.3.4 extra >> /etc/hosts; useradd worker && rm /etc/hostname")
    assert (
        inside(host, "ping -c1 127.0.0.1 >/dev/null 2>&1; python3 -c 'import socket; socket.socket(2, 3, 1)'; echo $?")
        == "0"
    )
    assert inside(host, "nice -n 5 true; kill -0 1; echo $?") == "0"
    assert inside(host, "python3 -m http.server 80 >/dev/null 2>&1 & sleep .01; kill $!; echo $?") == "0"


def test_file_capabilities_of_the_image_and_of_what_is_written_work(host):
    start(host)
    inside(host, "cp /usr/bin/python3 /usr/bin/raw; setcap cap_net_raw=ep /usr/bin/raw" if "setcap" in inside(
        host, "command -v setcap || true") else
        "cp /usr/bin/python3 /usr/bin/raw; python3 -c \"import os; "
        "os.setxattr('/usr/bin/raw', 'security.capability', "
        "bytes.fromhex('0100000200200000000000000000000000000000'))\"")  # fmt: skip
    assert inside(host, "/usr/bin/raw -c 'import socket; socket.socket(2, 3, 1)'; echo $?", user="nobody") == "0"


def test_no_device_can_be_made(host):
    start(host, capabilities={"add": ["MKNOD"]})
    for command in ("mknod /x b 8 0", "mknod /dev/x c 1 3"):
        assert host.module("conductor_exec", container="web", cmd=command, fails=True)["rc"] == 1


def test_programs_that_log_to_standard_output_by_name_can(host):
    """Many images have a log file that is a symlink to /dev/stdout."""
    script = "echo named >> /dev/stdout; echo error >> /dev/stderr; exec sleep infinity"
    for user in ("root", "nobody"):
        start(host, name=user, user=user, command=["/bin/sh", "-c", script])
        until(
            lambda user=user: (
                host.module("conductor_container_info", name=[user])["containers"][0]["log"] == "named\nerror\n"
            ),
            "both lines are logged",
        )
        assert inside(host, "echo to > /dev/stdout", name=user) == "to"


def test_two_containers_have_nothing_in_common_and_what_is_given_back_is_used_again(host):
    bases = [start(host, name=name)["ids"]["base"] for name in ("a", "b", "c")]
    assert bases == [524288, 589824, 655360]
    host.module("conductor_container", name="b", state="absent")
    assert start(host, name="d")["ids"]["base"] == 589824
    again = start(host, name="a", command=["/bin/sleep", "1001"], restart=True)
    assert again["ids"]["base"] == 524288, "a container keeps its range"


def test_a_range_is_taken_from_subuid_where_it_says_so(host):
    for name in ("subuid", "subgid"):
        host.run(
            "sh",
            "-c",
            f"cat > /run/{name}; mount --bind /run/{name} /etc/{name}",
            stdin="alice:100000:65536\nconductor:3000000:131072\n",
        )
    assert [start(host, name=name)["ids"]["base"] for name in ("a", "b")] == [3000000, 3065536]
    for check in (True, False):
        told = host.module("conductor_container", **{**WEB, "name": "c"}, check=check, fails=True)["msg"]
        assert "no range of 65536 ids is free" in told and "/etc/subuid" in told
    assert host.run("ls", "/var/lib/conductor/containers").stdout.split() == ["a", "b"]
    host.run("umount", "/etc/subuid", "/etc/subgid")
    host.run("rm", "/run/subuid", "/run/subgid")


def test_a_range_that_is_asked_for_is_given_once(host):
    wish = {"base": 800000, "size": 70000}
    facts = start(host, userns=wish)
    assert facts["ids"] == facts["userns"] == wish and ids_of(host, facts["pid"]) == ["800000"]
    assert not host.module("conductor_container", **WEB, userns=wish)["changed"]
    for check in (True, False):
        refused = host.module(
            "conductor_container", name="b", image="debian", userns={"base": 869999}, fails=True, check=check
        )
        assert "container web has 800000 to 869999" in refused["msg"]


def test_with_the_hosts_ids_root_is_root_as_before(host):
    facts = start(host, userns="host")
    assert facts["ids"] is None and ids_of(host, facts["pid"]) == ["0"]
    assert inside(host, "touch /x; cat /proc/self/uid_map").split() == ["0", "0", "4294967295"]
    assert owner(host, f"{DIRECTORY}/upper/x") == "0:0"


def test_userns_changes_only_with_recreate(host):
    start(host, userns="host")
    host.module("conductor_container", name="web", state="stopped")
    for check in (True, False):
        refused = host.module("conductor_container", **WEB, userns="auto", fails=True, check=check)
        assert "userns cannot change" in refused["msg"] and "recreate: true" in refused["msg"]
    made = start(host, userns="auto", recreate=True)
    assert ids_of(host, made["pid"]) == ["524288"] and inside(host, "touch /x; stat -c %u /x /") == "0\n0"
    back = start(host, userns="host", recreate=True)
    assert back["ids"] is None and inside(host, "touch /x; stat -c %u /x /") == "0\n0"


def test_a_bind_mount_shows_the_hosts_ids_or_nobodys(host):
    host.run("sh", "-c", "mkdir /run/data; echo one > /run/data/file; chmod 600 /run/data/file; chown 33 /run/data")
    both = [{"source": "/run/data", "target": "/same"}, {"source": "/run/data", "target": "/raw", "idmap": False}]
    start(host, mounts=both)
    assert inside(host, "stat -c %u:%g /same /same/file /raw /raw/file").split() == [
        "33:0",
        "0:0",
        "65534:65534",
        "65534:65534",
    ]
    inside(host, "cat /same/file; echo two > /same/new; chown 1000 /same/new; mkdir /same/dir")
    assert [owner(host, f"/run/data/{name}") for name in ("new", "dir")] == ["1000:0", "0:0"]
    for command in ("cat /raw/file", "touch /raw/x"):
        assert "Permission denied" in host.module("conductor_exec", container="web", cmd=command, fails=True)["stderr"]
    assert not host.module("conductor_container", **WEB, mounts=both)["changed"]
    host.run("rm", "-r", "/run/data")


def test_mounts_within_mounts_get_their_targets_made(host):
    host.run("mkdir", "/run/data", "/run/more")
    start(
        host, mounts=[{"source": "/run/data", "target": "/data"}, {"source": "/run/more", "target": "/data/sub/more"}]
    )
    assert inside(host, "touch /data/sub/more/x; stat -c %u /data/sub") == "0"
    assert owner(host, "/run/data/sub") == "0:0" and owner(host, "/run/more/x") == "0:0"
    host.run("rm", "-r", "/run/data", "/run/more")


def test_file_system_without_idmapped_mounts_is_refused(host):
    """procfs, as an example of a file system without idmapped mounts."""
    mounts = [{"source": "/proc/sys", "target": "/data"}]
    refused = host.module("conductor_container", **WEB, mounts=mounts, fails=True)
    assert "the file system of /proc/sys" in refused["msg"] and "idmap: false for /data" in refused["msg"]
    start(host, mounts=[{**mounts[0], "idmap": False}])


def test_a_restart_by_policy_keeps_everything(host):
    facts = start(host, restart_policy="always", command=["/bin/sh", "-c", "touch /started; exec sleep infinity"])
    host.run("kill", "-9", str(facts["pid"]))
    again = until(
        lambda: (f := host.module("conductor_container_info", name=["web"])["containers"][0])["restarts"] == 1
        and f["state"] == "running" and f,
        "it runs again",
    )  # fmt: skip
    assert ids_of(host, again["pid"]) == ["524288"] and inside(host, "stat -c %u /started") == "0"


def test_a_foreign_network_namespace_of_its_name_is_not_used(host):
    """Root inside has no rights in a network namespace of the host's user namespace."""
    host.module("conductor_container", **WEB, state="present")
    host.run("ip", "netns", "add", "conductor-web")
    assert ids_of(host, start(host, capabilities={"add": ["NET_ADMIN"]})["pid"]) == ["524288"]
    assert inside(host, "ip link add v0 type veth peer v1 && ls /sys/class/net") == "lo\nv0\nv1"


def test_a_spec_without_its_ids_is_damaged_and_does_not_start_as_root(host):
    start(host)
    host.module("conductor_container", name="web", state="stopped")
    spec = json.loads(host.run("cat", f"{DIRECTORY}/container.json").stdout)
    host.run("tee", f"{DIRECTORY}/container.json", stdin=json.dumps({**spec, "ids": None}))
    refused = host.module("conductor_container", **WEB, fails=True)
    assert "container.json is damaged (it has no ids)" in refused["msg"]
    assert start(host, name="other")["ids"]["base"] == 589824, "its files tell whose they are"


@pytest.mark.parametrize("left", ["lower", "rootfs"])
def test_mounts_of_a_start_that_was_killed_are_not_used_as_the_root(host, left):
    """Killed between the idmapped mount and the overlay: the image must never become writable."""
    host.module("conductor_container", **WEB, state="present")
    if left == "lower":
        host.run("mount", "--bind", IMAGE, f"{DIRECTORY}/lower")
    else:
        host.run(
            "mount", "-t", "overlay", "-o", f"lowerdir={IMAGE}:{DIRECTORY}/lower", "overlay", f"{DIRECTORY}/rootfs"
        )
        host.module("conductor_container", name="web", state="stopped")
    start(host)
    assert inside(host, "touch /x && stat -c %u /x") == "0"
    assert host.run("grep", "-c", f"{DIRECTORY}/lower ", "/proc/self/mountinfo", check=False).stdout == "0\n"


def test_a_container_of_an_older_release_goes_on_with_the_hosts_ids(host):
    start(host, userns="host")
    inside(host, "touch /kept")
    host.module("conductor_container", name="web", state="stopped")
    spec = json.loads(host.run("cat", f"{DIRECTORY}/container.json").stdout)
    for key in ("userns", "ids"):
        del spec[key]
    host.run("tee", f"{DIRECTORY}/container.json", stdin=json.dumps(spec))
    assert start(host)["ids"] is None
    assert inside(host, "stat -c %u /kept") == "0"


def test_ranges_are_chosen_under_a_lock(host):
    """Two parallel runs would otherwise choose the same range."""
    host.run("mkdir", "-p", "/run/conductor/locks")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holder = host.popen("flock", "/run/conductor/locks/ids.lock", "sh", "-c", "echo held; cat", **pipes)
    assert holder.stdout.readline() == b"held\n"
    refused = host.module("conductor_container", **WEB, lock_timeout=0.1, fails=True)
    holder.communicate()
    assert "ids is locked by process" in refused["msg"]
    assert host.run("ls", "-A", "/var/lib/conductor/containers", check=False).stdout == ""
    start(host)


def test_image_dir_without_idmapped_mounts_is_refused_before_any_change(bare_host):
    """For instance overlayfs."""
    image(bare_host, source=make_runnable_archive(bare_host))
    layers = "lowerdir=/var/lib/conductor/images,upperdir=/run/o/u,workdir=/run/o/w"
    bare_host.run("sh", "-ec", f"mkdir -p /run/o/u /run/o/w; mount -t overlay -o {layers} o /var/lib/conductor/images")
    wish = {"name": "web", "image": "small", "user": "0", "command": ["/bin/sleep", "infinity"]}
    for check in (True, False):
        refused = bare_host.module("conductor_container", **wish, check=check, fails=True)
        assert (
            "the file system of /var/lib/conductor/images/small/rootfs does not support idmapped mounts"
            in refused["msg"]
        )
        assert "userns: host" in refused["msg"] and "ext4" in refused["msg"]
    assert bare_host.run("ls", "-A", "/var/lib/conductor/containers", check=False).stdout == ""
    made = bare_host.module("conductor_container", **wish, userns="host")["container"]
    assert made["state"] == "running" and made["ids"] is None
    bare_host.module("conductor_container", name="web", state="absent")


REGISTERED = "conductor:524288:268435456"


@pytest.fixture
def own_etc(host):
    """The host with a temporary copy of its /etc."""
    host.run("sh", "-c", "mount -t tmpfs tmpfs /media; cp -a /etc /media; mount --bind /media/etc /etc")
    yield host
    host.run("umount", "/etc", "/media")


def id_lines(host):
    return host.run("cat", "/etc/subuid").stdout.splitlines(), host.run("cat", "/etc/subgid").stdout.splitlines()


def test_useradd_assigns_no_ids_of_a_container(own_etc):
    """Six users use up the ids below those of containers."""
    host = own_etc
    host.run("sh", "-c", ": > /etc/subuid; : > /etc/subgid; chmod 640 /etc/subuid")
    wish = {"action": "register ids 524288 to 268959743 for the user conductor in /etc/subuid and /etc/subgid"}
    planned = host.module("conductor_container", **WEB, check=True)
    assert wish["action"] in planned["actions"] and id_lines(host) == ([], [])
    assert host.module("conductor_container", **WEB)["actions"] == planned["actions"]
    assert id_lines(host) == ([REGISTERED], [REGISTERED])
    assert host.run("stat", "-c", "%a %U", "/etc/subuid").stdout == "640 root\n"
    for number in range(8):
        host.run("useradd", f"user{number}")
    for lines in id_lines(host):
        given = [line.split(":") for line in lines if not line.startswith("conductor:")]
        assert len(given) == 8
        assert all(int(base) + 65536 <= 524288 or int(base) >= 524288 + 268435456 for _, base, _ in given)
    assert not host.module("conductor_container", **WEB)["changed"]
    host.module("conductor_container", name="web", state="absent")
    assert REGISTERED in id_lines(host)[0], "they stay, for the next container"


def test_a_range_that_is_asked_for_is_registered_and_one_of_an_older_release_too(own_etc):
    host = own_etc
    host.run("sh", "-c", "printf 'conductor:3000000:65536' | tee /etc/subuid > /etc/subgid")
    start(host, userns={"base": 800000})
    expected = ["conductor:3000000:65536", "conductor:800000:65536"]
    assert id_lines(host) == (expected, expected)
    host.run("sh", "-c", "sed -i /800000/d /etc/subuid")
    assert host.module("conductor_container", **WEB)["actions"] == [
        "register ids 800000 to 865535 for the user conductor in /etc/subuid and /etc/subgid"
    ]
    assert id_lines(host) == (expected, expected)
    host.run("sed", "-i", "s/conductor:8/alice:8/", "/etc/subuid", "/etc/subgid")
    assert len(host.module("conductor_container", **WEB)["actions"]) == 1, "it keeps ids that a user has meanwhile"
    assert not host.module("conductor_container", **WEB)["changed"]


def test_ids_are_not_registered_without_subuid_files(own_etc):
    host = own_etc
    host.run("rm", "/etc/subuid", "/etc/subgid")
    assert start(host)["ids"]["base"] == 524288
    host.run("useradd", "somebody")
    assert host.run("ls", "/etc/subuid", check=False).stdout == ""


def test_another_program_that_changes_users_is_waited_for(own_etc):
    host = own_etc
    hold = """
import fcntl, sys
with open("/etc/.pwd.lock", "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
    with host.popen("python3", "-c", hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        failed = host.module("conductor_container", **WEB, lock_timeout=0.2, fails=True)
        assert "/etc/.pwd.lock: another program holds the lock" in failed["msg"]
    assert start(host)["ids"]["base"] == 524288
