"""Mount targets: symlinks of the container's root are followed, and errors are found before any change."""

import pytest
from small_image import image, make_runnable_archive

SLEEP = ["/bin/sleep", "infinity"]
WISH = {"name": "box", "image": "debian", "command": SLEEP}
UPPER = "/var/lib/conductor/containers/box/upper"


def inside(host, *argv):
    return host.module("conductor_exec", container="box", argv=list(argv))["stdout"]


@pytest.fixture
def source(host):
    host.run("sh", "-c", "mkdir /run/source; echo of-the-host > /run/source/file")
    yield {"source": "/run/source"}
    host.run("rm", "-r", "/run/source")


def test_targets_behind_links_of_the_image_are_in_the_root(host, source):
    """A merged /usr, /var/run, and a file behind a dangling symlink."""
    file = {"source": "/run/source/file"}
    mounts = [
        {**source, "target": "/lib/modules"},
        {**source, "target": "/var/run/deep/er"},
        {**file, "target": "/etc/localtime"},
        {**file, "target": "/srv/up/file"},
        {"type": "tmpfs", "target": "/var/lock/memory"},
    ]
    host.module("conductor_container", **WISH, state="present")
    host.run("sh", "-c", f"mkdir -p {UPPER}/srv {UPPER}/etc; ln -s ../../../../../made/by/us {UPPER}/srv/up")
    host.run("ln", "-sfn", "/usr/share/zoneinfo/None/Such", f"{UPPER}/etc/localtime")
    host.module("conductor_container", **WISH, mounts=mounts)
    for path in ("/usr/lib/modules/file", "/run/deep/er/file", "/usr/share/zoneinfo/None/Such", "/made/by/us/file"):
        assert inside(host, "cat", path) == "of-the-host", path
    assert inside(host, "stat", "-f", "-c", "%T", "/run/lock/memory") == "tmpfs"
    assert not host.module("conductor_container", **WISH, mounts=mounts)["changed"]
    for path in ("/made", "/run/deep", "/usr/share/zoneinfo/None"):
        assert host.run("ls", path, check=False).stdout == "", "nothing is made on the host"


@pytest.mark.parametrize("link", ["/proc", "../../dev", "loop", "/"])
def test_a_link_that_leads_to_the_kernels_own_files_or_in_a_circle_is_refused(host, source, link):
    host.module("conductor_container", **WISH, state="present")
    host.run("ln", "-s", link, f"{UPPER}/loop")
    mounts = [{**source, "target": "/loop/sys" if link != "/" else "/loop"}]
    refused = host.module("conductor_container", **WISH, mounts=mounts, fails=True)["msg"]
    assert "mounts: target /loop" in refused and "Choose another target" in refused


def test_target_in_a_read_only_mount_is_refused_before_any_change(host, source):
    below = {"type": "tmpfs", "target": "/srv/missing"}
    for mounts, remedy in (
        ([{**source, "target": "/srv", "read_only": True}, below], "Create /run/source/missing on the host"),
        ([{"type": "tmpfs", "target": "/srv", "read_only": True}, below], "Set read_only: false for /srv"),
    ):
        for check in (True, False):
            refused = host.module("conductor_container", **WISH, mounts=mounts, check=check, fails=True)
            assert "mounts: target /srv/missing does not exist in /srv" in refused["msg"] and remedy in refused["msg"]
            assert not refused.get("changed")
    assert host.run("ls", "/var/lib/conductor/containers", check=False).stdout == ""
    host.run("mkdir", "/run/source/missing")
    host.module("conductor_container", **WISH, mounts=[{**source, "target": "/srv", "read_only": True}, below])


def test_directory_on_a_file_is_an_error_that_names_both(host, source):
    refused = host.module("conductor_container", **WISH, mounts=[{**source, "target": "/etc/passwd"}], fails=True)
    assert "mounts: /run/source on /etc/passwd: Invalid argument. Make both a directory" in refused["msg"]


def test_a_user_beyond_the_ids_of_the_container_is_refused_with_the_range(host):
    for check in (True, False):
        refused = host.module("conductor_container", **WISH, user="200000", check=check, fails=True)
        assert "id 200000 is not in the container's range of ids, 0 to 65535" in refused["msg"]
        assert "userns" in refused["msg"] and not refused.get("changed")
    assert host.run("ls", "/var/lib/conductor/containers", check=False).stdout == ""
    size = {"base": 1 << 28, "size": 262144}
    host.module("conductor_container", **WISH, user="200000", userns=size)
    assert inside(host, "id", "-u") == "200000"
    refused = host.module("conductor_exec", container="box", argv=["true"], user="300000", fails=True)["msg"]
    assert "id 300000 is not in the container's range of ids, 0 to 262143" in refused
    refused = host.module("conductor_exec", container="box", argv=["true"], user="root:300000", fails=True)["msg"]
    assert "id 300000" in refused
    host.run("sed", "-i", "/268435456:262144/d", "/etc/subuid", "/etc/subgid")


def test_image_without_init_is_refused_before_any_change(bare_host):
    image(bare_host, source=make_runnable_archive(bare_host))
    wish = {"name": "system", "image": "small", "init": True}
    for check in (True, False):
        refused = bare_host.module("conductor_container", **wish, check=check, fails=True)["msg"]
        assert "system: image small has no init (/sbin/init). Add systemd-sysv and dbus" in refused
    assert bare_host.run("ls", "/var/lib/conductor/containers", check=False).stdout == ""


def test_source_without_idmapped_mounts_is_refused_before_any_change(host):
    """The test host's root is an overlay, which does not support idmapped mounts."""
    host.run("mkdir", "-p", "/etc/shared")
    wish = {"name": "box", "image": "debian", "mounts": [{"source": "/etc/shared", "target": "/srv"}]}
    for check in (True, False):
        failed = host.module("conductor_container", check=check, fails=True, **wish)
        assert "/etc/shared" in failed["msg"] and "Set idmap: false" in failed["msg"]
        assert not failed.get("changed")
    assert not host.run("ls", "/var/lib/conductor/containers", check=False).stdout
    wish["mounts"][0]["idmap"] = False
    host.module("conductor_container", **wish)
    host.run("rmdir", "/etc/shared")
