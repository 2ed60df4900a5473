"""Import and export of archives: content and attributes are kept, and a hostile archive stays inside of its image."""

import json

import pytest
from attacks import patched
from seams.interference import swap_archive
from small_image import IMAGES, ROOTFS, entries, image, info, make_archive, make_runnable_archive, pack


@pytest.fixture
def archive(bare_host):
    return make_archive(bare_host, ROOTFS)


@pytest.mark.parametrize("program", ["cat", "gzip", "bzip2", "xz", "zstd"])
def test_compression_is_detected_by_content(bare_host, archive, program):
    bare_host.run("sh", "-ec", f"{program} < /run/small.tar > '/run/a: strange name'")
    image(bare_host, source={"archive": "/run/a: strange name"})
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout == "small\n"


def test_missing_compression_program_is_reported_before_any_change(bare_host, archive):
    bare_host.run("sh", "-ec", "xz < /run/small.tar > /run/small.tar.xz; mount --bind /dev/null $(command -v xz)")
    for check in (True, False):
        refused = image(bare_host, source={"archive": "/run/small.tar.xz"}, fails=True, check=check)
        assert "xz" in refused["msg"] and "apt-get install xz-utils" in refused["msg"]
    assert entries(bare_host) == []


def test_archive_is_compared_by_content(bare_host, archive):
    image(bare_host, source=archive)
    bare_host.run("touch", "/run/small.tar")
    assert not image(bare_host, source=archive)["changed"]
    bare_host.run("mv", "/run/small.tar", "/run/moved.tar")
    assert not image(bare_host, source={"archive": "/run/moved.tar"})["changed"]
    assert not image(bare_host, source=archive)["changed"], "an image stays unchanged if its archive is missing"
    changed = make_archive(bare_host, {**ROOTFS, "etc/issue": "changed\n"})
    refused = image(bare_host, source=changed, fails=True)
    assert "other values of source" in refused["msg"]
    image(bare_host, source=changed, force=True)
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout == "changed\n"


def test_truncated_archive_leaves_no_image(bare_host, archive):
    bare_host.run("sh", "-ec", "gzip < /run/small.tar | head -c 200 > /run/short.tar.gz")
    refused = image(bare_host, source={"archive": "/run/short.tar.gz"}, fails=True)
    assert "unpacking /run/short.tar.gz failed" in refused["msg"] and "unexpected end of file" in refused["log_tail"]
    assert entries(bare_host) == [] and info(bare_host) == []


def test_archive_without_a_root_file_system_is_refused(bare_host):
    source = make_archive(bare_host, {"readme": "hello"}, "none")
    refused = image(bare_host, source=source, fails=True)
    assert "has no root file system" in refused["msg"] and entries(bare_host) == []


def test_archive_with_the_root_file_system_in_a_directory_is_refused_with_the_way_to_pack_it(bare_host):
    source = make_archive(bare_host, {f"rootfs/{path}": text for path, text in ROOTFS.items()}, "image")
    refused = image(bare_host, source=source, fails=True)
    assert "tar -C rootfs -cf ARCHIVE . makes" in refused["msg"] and entries(bare_host) == []
    bare_host.run("tar", "-C", "/run/image/rootfs", "-cf", "/run/packed.tar", ".")
    image(bare_host, source={"archive": "/run/packed.tar"})
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout == "small\n"


LINK = "i = t.TarInfo('{0}'); i.type = t.SYMTYPE; i.linkname = '{1}'; a.addfile(i); "
HARD = "i = t.TarInfo('{0}'); i.type = t.LNKTYPE; i.linkname = '{1}'; a.addfile(i); "
FILE = "i = t.TarInfo('{0}'); i.size = 3; a.addfile(i, io.BytesIO(b'bad')); "


@pytest.mark.parametrize(
    "members",
    [
        FILE.format("../../../../../../run/escaped"),
        FILE.format("/run/escaped"),
        FILE.format("a/../../escaped"),
        LINK.format("out", "/run") + FILE.format("out/escaped"),
        LINK.format("out", "../../../../../../run") + FILE.format("out/escaped"),
        LINK.format("a", ".") + LINK.format("a/out", "/run") + FILE.format("out/escaped"),
        LINK.format("out", "/run/escaped") + FILE.format("out"),
        HARD.format("out", "/run/precious") + FILE.format("out"),
        HARD.format("out", "../../../../../../run/precious") + FILE.format("out"),
        LINK.format("l", "/run/precious") + HARD.format("out", "l") + FILE.format("out"),
    ],
    ids="dotdot absolute inner-dotdot link relative-link chained-link link-itself hard-link hard-dotdot "
    "hard-to-link".split(),
)  # fmt: skip
def test_hostile_archive_cannot_write_outside_of_the_image(bare_host, members):
    bare_host.run("sh", "-c", "echo keep > /run/precious")
    bare_host.run("python3", "-c", "import io, tarfile as t; a = t.open('/run/evil.tar', 'w'); "
                  "a.addfile(t.TarInfo('bin/sh')); " + members + "a.close()")  # fmt: skip
    # Refused, or taken with the member put where it belongs: either will do, as long as nothing gets out.
    try:
        image(bare_host, source={"archive": "/run/evil.tar"})
    except AssertionError:
        assert entries(bare_host) == []
    assert bare_host.run("cat", "/run/precious").stdout == "keep\n"
    outside = bare_host.run("find", "/run", IMAGES, "-name", "escaped", "-not", "-path", f"{IMAGES}/small/rootfs/*")
    assert outside.stdout == ""


HOSTS_FILES = "/etc/hostname /etc/resolv.conf /etc/machine-id /etc/ssh/ssh_host_rsa_key /etc/ssh/sshd_config"


@pytest.mark.parametrize("link", ["etc", "usr", "var", "etc/ssh", "etc/resolv.conf", "etc/machine-id"])
def test_sanitizing_an_image_removes_nothing_from_the_host(bare_host, link):
    """An archive whose /etc is a link to the host's: a build once deleted the host's name servers by it."""
    bare_host.run("sh", "-c", f"mkdir -p /etc/ssh; for f in {HOSTS_FILES}; do echo the host > $f; done")
    bare_host.run("sh", "-ec", f"mkdir -p /run/evil/bin /run/evil/etc; touch /run/evil/bin/sh; cd /run/evil; "
                  f"[ {link} != etc ] || rmdir etc; ln -s /{link} {link}")  # fmt: skip
    image(bare_host, source=pack(bare_host, "evil"))
    assert bare_host.run("sh", "-c", f"cat {HOSTS_FILES}").stdout == "the host\n" * 5


@pytest.mark.parametrize("link", ["etc", "usr", "proc", "dev", "tmp", "etc/resolv.conf"])
def test_commands_in_a_hostile_root_do_not_reach_the_host(bare_host, link):
    source = make_runnable_archive(bare_host, "evil")
    bare_host.run("sh", "-c", f"mkdir -p /etc/ssh /run/hosts; for f in {HOSTS_FILES}; do echo the host > $f; done")
    bare_host.run("sh", "-ec", f"cd /run/evil; rm -rf {link}; ln -s /run/hosts {link}")
    mounts = bare_host.run("cat", "/proc/self/mounts").stdout
    # Refused, or run: in both cases the host stays as it is.
    try:
        image(bare_host, source=pack(bare_host, "evil"), commands=[": > /etc/hostname", ": > /etc/machine-id"])
    except AssertionError:
        assert entries(bare_host) == []
    assert source and bare_host.run("sh", "-c", f"cat {HOSTS_FILES}").stdout == "the host\n" * 5
    assert bare_host.run("ls", "-A", "/run/hosts").stdout == ""
    assert bare_host.run("cat", "/proc/self/mounts").stdout == mounts


@pytest.mark.parametrize(
    "command",
    ["mknod /disk b 8 0", "mount -t tmpfs tmpfs /etc", ": > /proc/sys/kernel/hostname", ": > /proc/sysrq-trigger",
     "ls /run/only-on-the-host"],
)  # fmt: skip
def test_a_command_cannot_act_on_the_host(bare_host, command):
    source = make_runnable_archive(bare_host)
    bare_host.run("touch", "/run/only-on-the-host")
    refused = image(bare_host, source=source, commands=[command], fails=True)
    assert "failed with exit status" in refused["msg"] and entries(bare_host) == []


def test_commands_have_name_servers_and_a_resolv_conf_symlink_is_kept(bare_host):
    make_runnable_archive(bare_host)
    bare_host.run("ln", "-s", "../run/systemd/resolve/stub-resolv.conf", "/run/runnable/etc/resolv.conf")
    image(bare_host, source=pack(bare_host, "runnable"), commands=["cat /etc/resolv.conf > /seen", ["touch", "/a  b"]])
    rootfs = f"{IMAGES}/small/rootfs"
    seen = bare_host.run("cat", f"{rootfs}/seen").stdout
    assert seen == "# BEGIN conductor\nnameserver 192.0.2.53\n# END conductor\n"
    assert bare_host.run("readlink", f"{rootfs}/etc/resolv.conf").stdout == "../run/systemd/resolve/stub-resolv.conf\n"
    bare_host.run("test", "-e", f"{rootfs}/a  b")


def test_modes_in_an_image_do_not_depend_on_the_umask(bare_host):
    make_runnable_archive(bare_host)
    # Without an entry for the root directory itself.
    bare_host.run("sh", "-ec", "cd /run/runnable; tar -cf /run/plain.tar *")
    shown = bare_host.run("sh", "-ec", 'umask 077; exec "$@"', "sh", *command_of(bare_host)).stdout
    assert json.loads(shown)["changed"]
    modes = bare_host.run("stat", "-c", "%a", f"{IMAGES}/small/rootfs", f"{IMAGES}/small/rootfs/made").stdout.split()
    assert modes == ["755", "644"]


def test_users_reach_the_root_directory_of_an_archive_of_a_private_directory(bare_host):
    """apt downloads as the user _apt."""
    make_runnable_archive(bare_host)
    bare_host.run("sh", "-ec", "chmod 700 /run/runnable; chown 1000:1000 /run/runnable")
    look = "setpriv --reuid=42 --regid=42 --clear-groups stat -c '%a %u %g' /"
    commands = [f"{look} > /seen; test \"$(cat /seen)\" = '755 0 0'"]
    image(bare_host, source=pack(bare_host, "runnable"), commands=commands)
    assert bare_host.run("stat", "-c", "%a %u %g", f"{IMAGES}/small/rootfs").stdout == "755 0 0\n"


def command_of(host):
    """conductor_image as a command with its parameters in a file, for tests of the process that it is run in."""
    from testhost import PYTHON, module_environment

    params = {"name": "small", "source": {"archive": "/run/plain.tar"}, "commands": ["touch /made"]}
    host.run("tee", "/run/params", stdin=json.dumps({"ANSIBLE_MODULE_ARGS": params}))
    environment = [f"{name}={value}" for name, value in module_environment().items()]
    module = "ansible_collections.conductor.containers.plugins.modules.conductor_image"
    return ["env", *environment, PYTHON, "-m", module, "/run/params"]


def test_commands_of_an_image_have_the_default_seccomp_filter(bare_host):
    show = "while read -r key value; do [ $key != Seccomp: ] || echo $value >/shown; done </proc/self/status"
    image(bare_host, source=make_runnable_archive(bare_host), commands=[show])
    assert bare_host.run("cat", "/var/lib/conductor/images/small/rootfs/shown").stdout == "2\n"


@pytest.mark.parametrize("rename", [True, False])
def test_checksum_covers_the_unpacked_bytes(bare_host, archive, rename):
    """The archive is in another user's directory, who swaps it when it has been looked at."""
    checksum = "sha256:" + bare_host.run("sha256sum", "/run/small.tar").stdout.split()[0]
    make_archive(bare_host, {**ROOTFS, "etc/issue": "evil\n", "etc/more": "x" * 100000}, "evil")
    swap = swap_archive(rename=rename)
    try:
        patched(bare_host, "conductor_image", seams=[swap], name="small", source={**archive, "checksum": checksum})
    except AssertionError as refused:
        assert f"not {checksum}" in str(refused) and entries(bare_host) == []
    else:
        assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout == "small\n"
    if rename:
        assert entries(bare_host) == ["small"], "the file that was opened is the right one"


def test_recorded_checksum_is_that_of_the_unpacked_archive(bare_host, archive):
    # They differ in these bytes only, so that what is read is one of them and never a mixture.
    bare_host.run("sh", "-ec", "sed s/small/wrong/ /run/small.tar > /run/evil.tar")
    evil = "sha256:" + bare_host.run("sha256sum", "/run/evil.tar").stdout.split()[0]
    made = patched(bare_host, "conductor_image", seams=[swap_archive(rename=False)], name="small", source=archive)
    content = bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout
    assert (made["image"]["recipe"]["source"]["checksum"] == evil) == (content == "wrong\n")
    assert content in ("small\n", "wrong\n")


def test_archive_with_forged_size_and_mtime_is_read_again(bare_host, archive):
    image(bare_host, source=archive)
    bare_host.run("sh", "-ec", "touch -r /run/small.tar /run/time; sed -i s/small/smell/ /run/small.tar; "
                  "touch -r /run/time /run/small.tar")  # fmt: skip
    assert "other values of source" in image(bare_host, source=archive, fails=True)["msg"]


def test_source_that_is_not_a_regular_file_is_refused(bare_host):
    bare_host.run("mkfifo", "/run/fifo")
    for path in ("/run/fifo", "/run", "/dev/zero"):
        assert "is not a regular file" in image(bare_host, source={"archive": path}, fails=True)["msg"]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_export_and_import_keep_holes(bare_host, archive, suffix):
    bare_host.run("sh", "-ec", "cd /run/small; truncate -s 2G large; echo data | dd of=large bs=1 seek=1G conv=notrunc")
    bare_host.run("sh", "-ec", "cd /run/small; tar --sparse -cf /run/small.tar .")
    image(bare_host, source=archive)
    archives = [f"/run/{name}{suffix}" for name in ("one", "two")]
    for path in archives:
        image(bare_host, state="exported", archive=path)
    bare_host.run("cmp", *archives)
    assert int(bare_host.run("stat", "-c", "%s", archives[0]).stdout) < 1 << 20
    bare_host.module("conductor_image", name="copy", source={"archive": archives[0]})
    large = f"{IMAGES}/copy/rootfs/large"
    size, blocks = map(int, bare_host.run("stat", "-c", "%s %b", large).stdout.split())
    assert size == 2 << 30 and blocks * 512 < 1 << 20
    assert bare_host.run("sh", "-c", f"tail -c +$((1 << 30)) {large} | head -c 6 | tail -c 5").stdout == "data\n"


def test_image_of_a_container_keeps_holes(bare_host):
    image(bare_host, source=make_runnable_archive(bare_host))
    bare_host.module("conductor_container", name="box", image="small", user="0", command=["/bin/sleep", "infinity"])
    bare_host.run("sh", "-ec", "f=/var/lib/conductor/containers/box/rootfs/large; truncate -s 1G $f; echo end >> $f")
    bare_host.module("conductor_container", name="box", state="stopped")
    bare_host.module("conductor_image", name="of", source={"container": "box"})
    size, blocks = map(int, bare_host.run("stat", "-c", "%s %b", f"{IMAGES}/of/rootfs/large").stdout.split())
    assert size == (1 << 30) + 4 and blocks * 512 < 1 << 20


# As ansible.builtin.apt finds out when the lists were updated (get_updated_cache_time()).
UPDATED = """
import os
stamp = "/var/lib/apt/periodic/update-success-stamp"
print(int(os.stat(stamp if os.path.exists(stamp) else "/var/lib/apt/lists").st_mtime))
"""


def test_emptied_apt_lists_are_not_fresh(bare_host):
    make_runnable_archive(bare_host)
    directories = "var/lib/apt/lists/partial var/lib/apt/periodic var/cache/apt"
    made = "var/lib/apt/lists/lock var/lib/apt/periodic/update-success-stamp var/cache/apt/pkgcache.bin"
    bare_host.run("sh", "-ec", f"cd /run/runnable; mkdir -p {directories}; touch {made}")
    image(bare_host, source=pack(bare_host, "runnable"))
    found = f"cd {IMAGES}/small/rootfs/var; stat -c %Y lib/apt/lists; ls lib/apt/periodic cache/apt; ls lib/apt/lists"
    assert bare_host.run("sh", "-c", found).stdout.split() == "0 cache/apt: lib/apt/periodic: lock partial".split()
    # With a list in it they are as fresh as they were.
    commands = [": > /var/lib/apt/lists/some_InRelease"]
    image(bare_host, name="full", source=pack(bare_host, "runnable"), commands=commands)
    assert int(bare_host.run("stat", "-c", "%Y", f"{IMAGES}/full/rootfs/var/lib/apt/lists").stdout) > 10**9
    bare_host.run("test", "-e", f"{IMAGES}/full/rootfs/var/lib/apt/periodic/update-success-stamp")


def test_apt_lists_emptied_in_a_container_are_not_fresh_in_its_image(host):
    box = {"image": "debian", "command": ["/bin/sleep", "infinity"]}
    host.module("conductor_container", name="box", **box)
    host.module(
        "conductor_exec", container="box", argv=["sh", "-c", "touch /var/lib/apt/lists/a; rm -r /var/lib/apt/lists/*"]
    )
    host.module("conductor_container", name="box", state="stopped")
    host.module("conductor_image", name="of", source={"container": "box"})
    host.module("conductor_container", name="new", **{**box, "image": "of"})
    look = {"container": "new", "argv": ["/usr/bin/python3", "-c", UPDATED]}
    assert host.module("conductor_exec", **look)["stdout"] == "0"
    for name in ("new", "box"):
        host.module("conductor_container", name=name, state="absent", force=True)
    host.module("conductor_image", name="of", state="absent")
    host.run("rm", "-rf", f"{IMAGES}/.logs")


def test_image_with_ids_outside_of_the_range_is_an_error(bare_host):
    make_runnable_archive(bare_host)
    bare_host.run("sh", "-ec", "cd /run/runnable; mkdir srv; touch srv/file; chown 5:200000 srv/file")
    source = pack(bare_host, "runnable")
    box = {"name": "box", "user": "0", "command": ["/bin/sleep", "infinity"]}
    for check in (False, True):
        refused = image(bare_host, source=source, commands=["touch /made"], check=check, fails=not check)
        assert check or "image small has files with the id 200000, but the ids inside are 0 to 65535" in refused["msg"]
    assert entries(bare_host) == []
    image(bare_host, source=source)
    bare_host.module("conductor_image", name="on", source={"image": "small"})
    for name in ("small", "on"):
        for check in (True, False):
            refused = bare_host.module("conductor_container", **box, image=name, fails=True, check=check)
            assert "container box: image small has files with the id 200000" in refused["msg"], refused["msg"]
            assert "userns.size of the container above 200000" in refused["msg"]
    refused = bare_host.module("conductor_image", name="two", source={"image": "on"}, commands=["true"], fails=True)
    assert "commands of image two: image small has files with the id 200000" in refused["msg"]
    bare_host.module("conductor_container", **box, image="on", userns={"base": 800000, "size": 200001})
    seen = bare_host.module("conductor_exec", container="box", argv=["/bin/ls", "-ln", "/srv/file"])["stdout"].split()
    assert seen[2:4] == ["5", "200000"]
