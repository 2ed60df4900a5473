"""Ways out over files: links where we mount or write, masks that can be moved, what the host's users find, and trees
that are made to break whoever reads or removes them.

CVE-2021-30465 (a mount through a link that is swapped), CVE-2019-19921 (a /proc that is none), CVE-2025-31133 and
CVE-2025-52565 (a mask or a console that the container chose), CVE-2018-15664 (files copied through links), setuid
programs and device nodes in the container's layer. What an archive of an image may hold: ../image/test_archives.py.
Weak: the same modules with the one defence taken away.
"""

import threading

import pytest
from attacks import SLEEP, inside, on_host, patched, start
from seams.defenses import (
    allow_device_nodes,
    drop_all_capabilities,
    follow_symlinks_out,
    follow_symlinks_to_kernel_files,
    follow_symlinks_to_mounts,
    leave_kernel_files,
    look_up_null_inside,
    mount_writable,
    omit_cgroup_mount,
    omit_private_dev,
)
from seams.interference import swap_mount_target
from small_image import image
from supervision import supervisor_pid
from waiting import until

DIRECTORY = "/var/lib/conductor/containers"


def make(host, name, *seams, fails=False, **options):
    wish = {"name": name, "image": "debian", "command": SLEEP, **options}
    return patched(host, "conductor_container", seams=seams, fails=fails, **wish)


def prepare(host, name, script, **options):
    """A container that has not been started, with what `script` makes in its layer."""
    host.module("conductor_container", name=name, image="debian", command=SLEEP, state="present", **options)
    host.run("sh", "-ec", f"cd {DIRECTORY}/{name}/upper; {script}")


def test_cve_2021_30465_a_mount_target_behind_a_link(host):
    """Two containers share a volume; one has made a link of the other's mount target in it."""
    host.run("sh", "-c", "mkdir -p /run/outside /run/data /run/volume; ln -s /run/outside /run/volume/sub")
    mounts = [{"source": "/run/volume", "target": "/v"}, {"source": "/run/data", "target": "/v/sub/made"}]
    refused = make(host, "box", mounts=mounts, fails=True)
    assert "mount target /v/sub/made" in refused["msg"] and "without symlinks in its path" in refused["msg"]
    assert host.run("ls", "/run/outside").stdout == ""
    make(host, "weak", follow_symlinks_to_mounts, mounts=mounts)
    assert host.run("ls", "/run/outside").stdout == "made\n", "made on the host, through the link"
    host.run("rm", "-r", "/run/outside", "/run/data", "/run/volume")


def test_cve_2021_30465_a_mount_target_that_is_swapped_between_two_looks(host):
    host.run("sh", "-c", "mkdir -p /run/outside /run/data /run/volume/sub")
    mounts = [{"source": "/run/volume", "target": "/v"}, {"source": "/run/data", "target": "/v/sub/made"}]
    refused = make(host, "box", swap_mount_target, mounts=mounts, fails=True)
    assert "mount target /v/sub/made" in refused["msg"] and "without symlinks in its path" in refused["msg"]
    assert host.run("ls", "/run/outside").stdout == ""
    host.run("rm", "-r", "/run/outside", "/run/data", "/run/volume")


def test_cve_2021_30465_a_mount_target_that_is_swapped_for_a_link_meanwhile(host):
    """The race itself: one container exchanges a directory and a link to outside as fast as it can."""
    host.run("sh", "-c", "mkdir -p /run/outside /run/data /run/volume/sub; ln -s /run/outside /run/volume/link")
    volume = {"source": "/run/volume", "target": "/v"}
    start(host, "attacker", mounts=[volume])
    swap = """
    count = 0
    while not os.path.exists("/v/stop"):
        kernel("renameat2", -100, b"/v/sub", -100, b"/v/link", 2)
        count += 1
    return count
    """
    counts = []
    attacker = threading.Thread(target=lambda: counts.append(int(inside(host, "attacker", swap))))
    attacker.start()
    wish = {"mounts": [volume, {"source": "/run/data", "target": "/v/sub/made"}]}
    try:
        for _ in range(8):
            arguments = {"name": "box", "image": "debian", "command": SLEEP, **wish}
            try:
                host.module("conductor_container", **arguments)
            except AssertionError as refused:
                # A link was there, or the directory was not, at one of the looks.
                assert "mount target /v/sub" in str(refused) or "No such file" in str(refused)
            host.module("conductor_container", name="box", state="absent", force=True)
            assert host.run("ls", "/run/outside").stdout == ""
    finally:
        host.run("touch", "/run/volume/stop")
        attacker.join()
    assert counts[0] > 100
    host.run("rm", "-r", "/run/outside", "/run/data", "/run/volume")


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_cve_2019_19921_a_proc_that_the_image_has_made_a_link(host, name):
    script = f"mkdir -p run/fake; echo fake > run/fake/status; ln -s /run/fake {name}"
    prepare(host, "box", script)
    refused = make(host, "box", fails=True)
    assert f"mount target /{name}" in refused["msg"]
    # Weak: it is mounted wherever the link leads, and what has its name inside is the image's.
    prepare(host, "weak", script, userns="host")
    host.run("mkdir", "/run/fake")
    weaker = (
        follow_symlinks_to_mounts,
        follow_symlinks_to_kernel_files,
        leave_kernel_files,
        omit_cgroup_mount,
        drop_all_capabilities,
    )
    make(host, "weak", *weaker)
    pid = host.module("conductor_container_info", name=["weak"])["containers"][0]["pid"]
    assert host.run("nsenter", "-t", str(pid), "-m", "cat", f"/{name}/status").stdout == "fake\n"
    host.run("rmdir", "/run/fake")


def test_cve_2025_31133_what_masks_a_path_is_not_the_containers_null(host):
    """A /dev/null that is a link was mounted over what shall be masked: core_pattern, writable, under another name."""
    script = "mkdir -p dev/mqueue; ln -s /proc/sys/kernel/core_pattern dev/null"
    look = 'return os.stat("/proc/keys").st_rdev == os.makedev(1, 3) or open("/proc/keys", "r+") and "core_pattern"'
    prepare(host, "box", script)
    start(host, "box")
    assert inside(host, "box", look) == "True"
    # Only a first container is started by the module itself, with the switches below.
    host.module("conductor_container", name="box", state="absent")
    until(lambda: supervisor_pid(host) is None, "no supervisor runs")
    # Weak: the source is looked up below the container's root.
    prepare(host, "weak", script, userns="host")
    weaker = (look_up_null_inside(rootfs=f"{DIRECTORY}/weak/rootfs"), mount_writable, omit_private_dev)
    make(host, "weak", *weaker, userns="host")
    assert inside(host, "weak", look) == "core_pattern"


def test_cve_2025_52565_no_terminal_of_the_host_is_mounted_inside(host):
    body = """
    names = sorted(os.listdir("/dev/pts"))
    return f"{os.stat('/dev/pts').st_dev} {os.path.exists('/dev/console')} {names == ['ptmx']}"
    """
    hosts = on_host(host, body).split()[0]
    start(host, "weak", dev="host")
    assert inside(host, "weak", body).split()[0] == hosts
    start(host, "box")
    device, console, own = inside(host, "box", body).split()
    assert device != hosts and (console, own) == ("False", "True")


def test_cve_2018_15664_what_we_write_inside_does_not_follow_a_link_out(host):
    """At each start a container gets its /etc/hostname and /etc/hosts; here /etc leads to a directory of the host's."""
    script = "rm -rf etc; ln -s /run/outside etc; mkdir -p run/outside"
    host.run("mkdir", "/run/outside")
    for name, seams in (("box", ()), ("weak", (follow_symlinks_out,))):
        prepare(host, name, script, userns="host")
        make(host, name, *seams, user="0:0")
        written = host.run("ls", "/run/outside").stdout.split()
        assert written == (["hostname", "hosts"] if name == "weak" else []), name
    host.run("rm", "-r", "/run/outside")


def test_cve_2018_15664_guards_see_the_containers_files_only(host):
    host.run("touch", "/run/only-on-the-host")
    start(host, "box")
    inside(
        host, "box", 'os.symlink("/", "/up"); os.symlink("../../../../..", "/out"); os.symlink("/proc/1/root", "/p")'
    )
    for path in ("/up", "/out", "/p", "/proc/self/root", "/proc/self/cwd"):
        for pattern in ("only-on-the-host", "only-on-the-h?st"):
            wish = {"container": "box", "argv": ["/bin/true"], "creates": f"{path}/run/{pattern}"}
            assert host.module("conductor_exec", **wish)["changed"], wish
    host.run("rm", "/run/only-on-the-host")


def as_nobody(host, command):
    """A command of a user of the host's; setpriv itself still has root's capabilities, the shell has not."""
    ids = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    return host.run("setpriv", *ids, "sh", "-c", command, check=False)


@pytest.mark.parametrize(("userns", "owner"), [("auto", "524288"), ("host", "0")])
def test_a_setuid_program_in_a_container_is_out_of_reach_of_the_hosts_users(host, userns, owner):
    """Not by its path, for the directory above is root's alone, nor through /proc of a process inside."""
    prepare(host, "box", f"cp /usr/bin/id suid; chown {owner} suid; chmod 4755 suid", userns=userns)
    pid = start(host, "box")["pid"]
    for path in (f"{DIRECTORY}/box/rootfs/suid", f"{DIRECTORY}/box/upper/suid", f"/proc/{pid}/root/suid"):
        assert "Permission denied" in as_nobody(host, f"{path} -u").stderr, path
    # Weak: a directory that lets everybody pass. Even then it is root's only where the container has the host's ids.
    host.run("chmod", "755", f"{DIRECTORY}/box")
    assert as_nobody(host, f"{DIRECTORY}/box/upper/suid -u").stdout == f"{owner}\n"


@pytest.mark.parametrize("userns", ["auto", "host"])
def test_a_device_node_in_a_containers_layer_is_dead(host, userns):
    script = "mknod node c 1 3; chmod 666 node"
    body = 'os.close(os.open("/node", os.O_RDWR)); return "opened"'
    prepare(host, "box", script, userns=userns)
    start(host, "box", userns=userns)
    assert inside(host, "box", body) == "EACCES"
    if userns == "host":
        prepare(host, "weak", script, userns=userns)
        make(host, "weak", allow_device_nodes, userns=userns)
        assert inside(host, "weak", body) == "opened"


def test_a_device_node_in_an_archive_is_out_of_reach_of_the_hosts_users(bare_host):
    """And dead for those inside, as the test above shows."""
    bare_host.run(
        "sh", "-ec", "mkdir -p /run/evil/bin; touch /run/evil/bin/sh; mknod /run/evil/disk b 8 0; "
        "tar -C /run/evil -cf /run/evil.tar .",
    )  # fmt: skip
    image(bare_host, source={"archive": "/run/evil.tar"})
    directory = "/var/lib/conductor/images/small"
    assert bare_host.run("test", "-b", f"{directory}/rootfs/disk", check=False).returncode == 0, "it is there"
    assert "Permission denied" in as_nobody(bare_host, f"stat {directory}/rootfs/disk").stderr
    # Weak: a directory that lets everybody pass.
    bare_host.run("chmod", "755", directory)
    assert as_nobody(bare_host, f"stat {directory}/rootfs/disk").returncode == 0


def test_an_archive_with_a_file_of_a_tebibyte_of_nothing_costs_nothing(bare_host):
    """A sparse file, on a test host whose disk has 2 GiB."""
    bare_host.run(
        "sh", "-ec", "mkdir -p /run/bomb/bin; touch /run/bomb/bin/sh; truncate -s 1T /run/bomb/bomb; "
        "tar --sparse -C /run/bomb -cf /run/bomb.tar .",
    )  # fmt: skip
    image(bare_host, source={"archive": "/run/bomb.tar"})
    used = bare_host.run("du", "-s", "/var/lib/conductor/images/small").stdout.split()[0]
    assert int(used) < 1024


def test_a_tree_of_any_depth_is_removed(host):
    """Deeper than a process has descriptors, or Python frames."""
    start(host, "box")
    inside(host, "box", 'os.chdir("/srv")\nfor _ in range(3000): os.mkdir("d"); os.chdir("d")')
    host.module("conductor_container", name="box", state="absent", force=True)
    assert host.run("ls", "-A", DIRECTORY).stdout == ""


def test_a_log_that_was_made_huge_is_told_in_part(host):
    start(host, "box")
    inside(host, "box", 'os.truncate("/proc/1/fd/1", 1 << 40); open("/proc/1/fd/1", "a").write("end\\n")')
    log = host.module("conductor_container_info", name=["box"])["containers"][0]["log"]
    assert log == "" or len(log) <= 4 * 4096


@pytest.mark.parametrize(
    "change",
    [
        'os.mkfifo("/etc/passwd")',
        'os.mkdir("/etc/passwd")',
        'os.symlink("/proc/self/mem", "/etc/passwd")',
        'os.symlink("passwd", "/etc/passwd")',
        'open("/etc/passwd", "w").write("root:x:0:none::/:/bin/sh\\n")',
        'open("/etc/passwd", "w").write("root:x:\\u00b2:0::/:/bin/sh\\n")',
        'open("/etc/passwd", "w").write("root:x:" + "9" * 5000 + ":0::/:/bin/sh\\n")',
        'open("/etc/passwd", "w").write("root:x:4294967295:4294967295::/:/bin/sh\\n")',
        'open("/etc/passwd", "w").truncate(1 << 40)',
    ],
    ids="fifo directory magic-link loop no-number unicode-digit long minus-one sparse".split(),
)
def test_users_that_make_no_sense_are_one_line_of_error(host, change):
    start(host, "box")
    inside(host, "box", f'os.unlink("/etc/passwd"); {change}')
    refused = host.module("conductor_exec", container="box", argv=["/usr/bin/id"], fails=True)
    assert refused["msg"].startswith("container box: there is no user 'root' in the container"), refused["msg"]
    numeric = host.module("conductor_exec", container="box", argv=["/usr/bin/id", "-u"], user="0")
    assert numeric["stdout"] == "0"


def test_cgroups_cannot_be_nested_without_end(host):
    """Each costs the kernel memory that no limit counts, and what is deep enough has no path to remove it by."""
    body = """
    os.chdir("/sys/fs/cgroup")
    for _ in range(40):
        os.mkdir("deep")
        os.chdir("deep")
    return "made"
    """
    start(host, "box", init=True, command=None, stop_timeout=0)
    assert inside(host, "box", body) == "EAGAIN"
    # Weak: without the bound.
    start(host, "weak", init=True, command=None, stop_timeout=0)
    host.run(
        "sh", "-c", "for f in $(find /sys/fs/cgroup -path '*conductor/weak/cgroup.max.depth'); do echo max > $f; done"
    )
    assert inside(host, "weak", body) == "made"
