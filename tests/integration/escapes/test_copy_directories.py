"""Ways out over directories that are copied in or out (CVE-2018-15664): what is below them is swapped for links, links
are planted for the next copy, and there is what waits, acts or never ends.
"""

import re

import pytest
from attacks import inside, patched, start
from copying import SRV
from seams.defenses import follow_symlinks_below
from seams.interference import swap_directory_before

OUT = {"container": "box", "direction": "out", "dest": "/run/got"}


@pytest.fixture
def with_directory(host):
    """The host, where container box has /srv/dir/secret, and there is another file by that name in /run/outside."""
    host.run("sh", "-c", "mkdir -p /run/outside /run/mine/dir; echo 'of the host' > /run/outside/secret")
    host.run("sh", "-c", "echo mine > /run/mine/dir/secret")
    start(host, "box", userns="host")
    inside(host, "box", 'os.mkdir("/srv/dir"); open("/srv/dir/secret", "w").write("of the container")')
    yield host
    host.run("rm", "-rf", "/run/outside", "/run/mine", "/run/got")


def swap_back(host):
    host.run("sh", "-c", f"cd {SRV}; rm dir; mv moved dir; rm -rf /run/got")


def test_cve_2018_15664_a_directory_on_the_way_that_becomes_a_link_leads_no_file_of_the_host_out(with_directory):
    host = with_directory
    swap = swap_directory_before("_container.copy.sides:Source.opened")
    wish = {"container": "box", "direction": "out", "src": "/srv/", "dest": "/run/got"}
    patched(host, "conductor_copy", seams=[swap, follow_symlinks_below], **wish)
    assert host.run("cat", "/run/got/dir/secret").stdout == "of the host\n"
    swap_back(host)
    refused = patched(host, "conductor_copy", seams=[swap], fails=True, **wish)
    assert "src /srv/dir/secret in container box leads through a symlink" in refused["msg"]
    assert host.run("cat", "/run/got/dir/secret", check=False).stdout == ""


def test_cve_2018_15664_a_directory_on_the_way_that_becomes_a_link_leads_no_file_onto_the_host(with_directory):
    host = with_directory
    swap = swap_directory_before("_container.copy.sides:Destination.write")
    wish = {"container": "box", "src": "/run/mine/", "dest": "/srv"}
    patched(host, "conductor_copy", seams=[swap, follow_symlinks_below], **wish)
    assert host.run("cat", "/run/outside/secret").stdout == "mine\n"
    host.run("sh", "-c", "echo 'of the host' > /run/outside/secret")
    swap_back(host)
    refused = patched(host, "conductor_copy", seams=[swap], fails=True, **wish)
    assert "box:/srv/dir/secret cannot be written (openat2: Too many levels of symbolic links)" in refused["msg"]
    assert host.run("cat", "/run/outside/secret").stdout == "of the host\n"


def test_cve_2018_15664_a_directory_that_is_swapped_leads_no_tree_out_or_in(swapping):
    """The whole directory, while it and a link to one of the host's change places as fast as they can."""
    host = swapping
    host.run("sh", "-c", "mkdir -p /run/tree/dir; echo mine > /run/tree/dir/new")
    for _ in range(12):
        for wish in (
            {"direction": "out", "src": "/srv/", "dest": "/run/got"},
            {"src": "/run/tree/", "dest": "/srv"},
            {"src": "/run/tree/dir/", "dest": "/srv/dir"},
        ):
            try:
                host.module("conductor_copy", container="box", **wish)
            except AssertionError as refused:
                told = "a symlink|did not converge|is a directory|no longer a file|does not exist|symbolic links"
                assert re.search(told, str(refused)), refused
        assert host.run("ls", "/run/outside").stdout == "secret\n"
        assert "of the host" not in host.run("sh", "-c", "find /run/got -type f -exec cat {} +", check=False).stdout
        host.run("rm", "-rf", "/run/got")
    host.run("rm", "-r", "/run/tree")


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_link_inside_a_directory_is_copied_as_a_link_and_never_written_through(host, state):
    """Also by the next copy, when a directory of the container's has taken the link's name."""
    host.run("sh", "-c", "mkdir /run/outside /run/got; echo 'of the host' > /run/outside/secret")
    start(host, "box", userns="host")
    inside(host, "box", 'os.mkdir("/srv/top"); os.symlink("/run/outside", "/srv/top/x")')
    inside(host, "box", 'os.symlink("/run/outside/secret", "/srv/top/y"); open("/srv/top/z", "w").write("text")')
    if state == "stopped":
        host.module("conductor_container", name="box", state="stopped")
    wish = {"container": "box", "direction": "out", "src": "/srv/top", "dest": "/run/got"}
    host.module("conductor_copy", **wish)
    got = host.run("sh", "-c", "cd /run/got/top; readlink x y; cat z").stdout
    assert got == "/run/outside\n/run/outside/secret\ntext"
    host.module("conductor_container", name="box", state="started")
    inside(host, "box", 'os.unlink("/srv/top/x"); os.mkdir("/srv/top/x"); open("/srv/top/x/secret", "w").write("evil")')
    inside(host, "box", 'os.unlink("/srv/top/y"); open("/srv/top/y", "w").write("evil")')
    if state == "stopped":
        host.module("conductor_container", name="box", state="stopped")
    refused = host.module("conductor_copy", **wish, fails=True)
    assert "/run/got/top/x is a link, and box:/srv/top/x is a directory" in refused["msg"]
    # The directory's own name is not given by who asks: a link there would lead anywhere, too.
    refused = host.module("conductor_copy", **{**wish, "src": "/srv/top/x", "dest": "/run/got/top"}, fails=True)
    assert "/run/got/top/x is a link, and box:/srv/top/x is a directory" in refused["msg"]
    host.module("conductor_copy", **{**wish, "src": "/srv/top/y", "dest": "/run/got/top/"})
    assert host.run("cat", "/run/got/top/y", "/run/outside/secret").stdout == "evilof the host\n"
    host.run("rm", "-r", "/run/outside", "/run/got")


@pytest.mark.parametrize(
    "make",
    ['os.mkfifo("/srv/top/b/x")', 'socket.socket(socket.AF_UNIX).bind("/srv/top/b/x")'],
    ids=["fifo", "socket"],
)
def test_a_directory_with_what_waits_or_acts_is_refused_before_anything_is_copied(host, make):
    start(host, "box")
    inside(host, "box", f'os.makedirs("/srv/top/b"); open("/srv/top/a", "w").write("a"); {make}')
    refused = host.module("conductor_copy", **OUT, src="/srv/top/", fails=True)
    assert "src /srv/top/b/x in container box is a" in refused["msg"]
    assert host.run("test", "-e", "/run/got", check=False).returncode
    refused = host.module("conductor_copy", **OUT, src="/dev/", fails=True)
    assert " in container box is a device, and only files, directories and symlinks are copied" in refused["msg"]
    assert host.run("test", "-e", "/run/got", check=False).returncode


def test_a_directory_of_sparse_files_is_refused_before_anything_is_copied(host):
    start(host, "box")
    inside(host, "box", 'os.mkdir("/srv/top"); [open(f"/srv/top/{n}", "w").truncate(1 << 40) for n in range(64)]')
    refused = host.module("conductor_copy", **OUT, src="/srv/top/", fails=True)
    assert "needs 70368744177664 bytes for box:/srv/top, and" in refused["msg"]
    assert host.run("test", "-e", "/run/got", check=False).returncode
