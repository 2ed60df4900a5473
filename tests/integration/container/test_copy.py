"""Copies of files into and out of running and stopped containers."""

import pytest
from attacks import patched, start
from controller import Controller
from copying import LAYER, REMOTE, copy, listing, out, stat
from image_cache import mount_image
from seams.faults import die_before, hide_free_space
from seams.interference import append_to_log
from testhost import Host


@pytest.fixture
def box(any_box):
    """The host, with container box in each of the states, and the file /run/src."""
    any_box.run("sh", "-c", "echo hello > /run/src; chmod 4640 /run/src")
    yield any_box
    any_box.run("sh", "-c", "rm -rf /run/src /run/got")


def test_a_file_goes_in_once_as_check_mode_says(box):
    before = listing(box)
    planned = copy(box, src="/run/src", dest="/etc/", check=True)
    assert listing(box) == before, "check mode has changed something"
    done = copy(box, src="/run/src", dest="/etc/")
    assert done["changed"] and done["actions"] == planned["actions"] == ["copy /run/src to box:/etc/src"]
    assert done["diff"] == planned["diff"] and done["diff"][0]["after"] == "hello\n"
    assert (done["target"], done["mode"], done["size"]) == ("/etc/src", "0640", 6)
    assert not copy(box, src="/run/src", dest="/etc/src")["changed"]
    assert stat(box, "/etc/src") == "640 0 0"


def test_owners_are_those_of_the_container(box):
    wish = {"content": "text\n", "dest": "/srv/file", "owner": "www-data", "group": "adm", "mode": "4711"}
    assert copy(box, **wish)["diff"][1]["after"] == {"state": "file", "mode": "4711", "owner": 33, "group": 4}
    assert not copy(box, **wish)["changed"]
    changed = copy(box, **{**wish, "mode": "0600", "owner": "1234"})
    (diff,) = changed["diff"]
    assert (diff["before"], diff["after"]) == ({"mode": "4711", "owner": 33}, {"mode": "0600", "owner": 1234})
    assert stat(box, "/srv/file") == "600 1234 4"


def test_a_file_comes_out_for_root_only_and_never_setuid(box):
    copy(box, content="inside\n", dest="/srv/file", owner="www-data", mode="6755")
    assert out(box, "/srv/file", dest="/run/got", check=True)["changed"]
    assert box.run("test", "-e", "/run/got", check=False).returncode
    done = out(box, "/srv/file", dest="/run/got")
    assert done["actions"] == ["copy box:/srv/file to /run/got"] and done["mode"] == "0600"
    assert box.run("stat", "-c", "%a %u %g", "/run/got").stdout == "600 0 0\n"
    assert not out(box, "/srv/file", dest="/run/got")["changed"]
    box.run("sh", "-c", "chown 33:4 /run/got; chmod 4644 /run/got")
    (diff,) = out(box, "/srv/file", dest="/run/got")["diff"]
    assert (diff["before"], diff["after"]) == ({"mode": "4644"}, {"mode": "0644"})
    assert box.run("stat", "-c", "%a %u %g", "/run/got").stdout == "644 33 4\n"
    assert box.run("cat", "/run/got").stdout == "inside\n"


def test_the_result_is_not_about_a_file_of_the_host_by_the_same_path(box):
    assert copy(box, content="x:x:1:1::/:\n", dest="/etc/passwd", mode="0600")["mode"] == "0600"


def test_large_and_binary_files_arrive_whole(box):
    box.run("sh", "-c", "head -c 5000000 /dev/urandom > /run/src")
    done = copy(box, src="/run/src", dest="/srv/large")
    assert done["checksum"] == box.run("sha256sum", "/run/src").stdout.split()[0]
    assert done["diff"][0]["src_larger"] and "after" not in done["diff"][0]
    out(box, "/srv/large", dest="/run/got")
    assert box.run("cmp", "/run/src", "/run/got", check=False).returncode == 0
    box.run("sh", "-c", "printf 'a\\0b' > /run/src")
    assert copy(box, src="/run/src", dest="/srv/large")["diff"][0]["src_binary"] == 1


def test_invalid_copies_fail_with_one_line(box):
    box.run("sh", "-c", "mkfifo /run/fifo; mkdir -p /run/got")
    for wish, told in (
        ({"content": "stuff\n", "dest": "/no/such"}, "directory /no of dest in container box does not exist"),
        ({"content": "stuff\n", "dest": "/etc"}, "box:/etc is a directory, and content is a file. End dest with / to"),
        ({"content": "stuff\n", "dest": "/etc/"}, "content has no file name"),
        ({"content": "stuff\n", "dest": "/etc/passwd/x"}, "is not a directory"),
        ({"content": "stuff\n", "dest": "/etc/x", "owner": "nosuch"}, "there is no user 'nosuch' in the container"),
        ({"content": "stuff\n", "dest": "/etc/x", "group": "nosuch"}, "there is no group 'nosuch' in the container"),
        ({"content": "stuff\n", "dest": "/etc/x", "mode": "u+x"}, "mode 'u+x' is not an octal number"),
        ({"content": "stuff\n", "dest": "etc/x"}, "dest 'etc/x' is not an absolute path"),
        ({"src": "/run/fifo", "dest": "/etc/x"}, "src /run/fifo is a FIFO, and only files, directories and symlinks"),
        ({"src": "/run/src/", "dest": "/etc/x"}, "src /run/src is not a directory. Remove the / at its end"),
        ({"src": "/run/none", "dest": "/etc/x"}, "src /run/none does not exist"),
        ({"dest": "/etc/x"}, "nothing to copy"),
        ({"direction": "out", "src": "/none", "dest": "/run/x"}, "src /none in container box does not exist"),
        ({"direction": "out", "src": "/etc/passwd", "dest": "/run/got"}, "/run/got is a directory"),
        ({"direction": "out", "content": "stuff\n", "dest": "/run/x"}, "content requires direction=in"),
    ):
        assert told in copy(box, **wish, fails=True)["msg"], wish
    box.run("rm", "-r", "/run/fifo", "/run/got")
    nobody = box.module("conductor_copy", container="none", content="stuff\n", dest="/x", fails=True)
    assert nobody["msg"].startswith("container none does not exist")


def test_ids_beyond_the_containers_are_refused(host):
    start(host, "box")
    refused = copy(host, content="stuff\n", dest="/etc/x", owner="65536", fails=True)
    assert "owner 65536 is not in the container's range of ids, 0 to 65535" in refused["msg"]


def test_paths_of_a_running_container_include_its_mounts(host):
    """Mounts with the container's ids and with the host's, and a file that is a mount point."""
    host.run("sh", "-c", "mkdir /run/shared /run/plain; echo mounted > /run/file")
    mounts = [
        {"source": "/run/shared", "target": "/shared"},
        {"source": "/run/plain", "target": "/plain", "idmap": False},
        {"source": "/run/file", "target": "/srv/file"},
        {"type": "tmpfs", "target": "/scratch"},
    ]
    host.run("chown", "524288", "/run/plain")
    start(host, "box", mounts=mounts)
    for directory in ("shared", "plain", "scratch", "dev/shm"):
        wish = {"content": "text\n", "dest": f"/{directory}/new", "owner": "33"}
        assert copy(host, **wish)["changed"] and not copy(host, **wish)["changed"]
        assert stat(host, f"/{directory}/new") == "644 33 0", directory
    assert host.run("stat", "-c", "%u %g", "/run/shared/new", "/run/plain/new").stdout == "33 0\n524321 524288\n"
    refused = copy(host, content="stuff\n", dest="/srv/file", fails=True)
    assert refused["msg"].startswith("box:/srv/file is a mount point, which is not replaced")
    out(host, "/srv/file", dest="/run/got")
    assert host.run("cat", "/run/got").stdout == "mounted\n"
    host.run("rm", "-r", "/run/shared", "/run/plain", "/run/file", "/run/got")


def test_full_disk_keeps_the_previous_file(cached_image):
    """Also if the free space is used up after the check."""
    with Host(size="8m") as host:
        mount_image(host, cached_image)
        start(host, "box")
        copy(host, content="old\n", dest="/srv/file")
        host.run("sh", "-c", "head -c 9000000 /dev/zero > /run/src; head -c 5M /dev/zero > /run/small")
        refused = copy(host, src="/run/src", dest="/srv/file", fails=True)
        assert "box:/srv/file: needs 9000000 bytes for /run/src, and" in refused["msg"]
        wish = {"container": "box", "src": "/run/src", "dest": "/srv/file"}
        full = patched(host, "conductor_copy", seams=[hide_free_space], fails=True, **wish)
        assert "No space left on device" in full["msg"] and "the previous file is unchanged" in full["msg"]
        assert host.run("ls", "-A", f"{LAYER}/upper/srv").stdout == "file\n"
        assert host.run("cat", f"{LAYER}/upper/srv/file").stdout == "old\n"
        assert copy(host, src="/run/small", dest="/srv/file")["changed"]
        host.module("conductor_container", name="box", state="absent", force=True)


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_killed_copy_keeps_the_previous_file_and_is_cleaned_up(host, state):
    start(host, "box")
    if state == "stopped":
        host.module("conductor_container", name="box", state="stopped")
    copy(host, content="old\n", dest="/srv/file")
    for when in ("rename", "fsync", "fchmod"):
        die = die_before(f"os:{when}")
        with pytest.raises(AssertionError, match="printed no JSON"):
            patched(host, "conductor_copy", seams=[die], container="box", content="new\n", dest="/srv/file")
        assert host.run("cat", f"{LAYER}/upper/srv/file").stdout == "old\n"
        mounted = host.run("grep", "-c", f"{LAYER}/", "/proc/self/mounts", check=False).stdout
        assert mounted == ("1\n" if state == "running" else "0\n")
    assert copy(host, content="new\n", dest="/srv/file")["changed"]
    assert host.run("ls", "-A", f"{LAYER}/upper/srv").stdout == "file\n"


def test_growing_file_is_copied_up_to_its_present_size(host):
    start(host, "box")
    copy(host, content="one\n", dest="/srv/log")
    wish = {"container": "box", "direction": "out", "src": "/srv/log", "dest": "/run/got"}
    done = patched(host, "conductor_copy", seams=[append_to_log], **wish)
    assert done["changed"] and host.run("cat", "/run/got").stdout == "one\nmore\n"
    host.run("rm", "/run/got")


FIRST = """
- conductor.containers.conductor_copy: {container: box, src: page.txt, dest: /srv/}
  register: first
"""
OTHERS = """
- conductor.containers.conductor_copy: {container: box, src: page.txt, dest: /srv/page.txt}
  register: second
- ansible.builtin.assert:
    that:
      - first is changed and second is not changed
      - first.actions == ["copy page.txt to box:/srv/page.txt"] and first.target == "/srv/page.txt"
      - first.mode == "0640" and first.src == "page.txt"
- conductor.containers.conductor_copy: {container: box, content: "a", dest: /srv/text, owner: www-data}
  register: text
- conductor.containers.conductor_copy: {container: box, src: /srv/text, dest: /run/got, direction: out}
- conductor.containers.conductor_copy: {container: box, src: /run/got, dest: /srv/back, remote_src: true}
  register: back
- ansible.builtin.assert: {that: [text.uid == 33, text.mode == "0644", back.mode == "0600", back.size == 1]}
- conductor.containers.conductor_copy: {container: box, src: none.txt, dest: /srv/}
  register: missing
  ignore_errors: true
- conductor.containers.conductor_copy: {container: box, src: page.txt, dest: /no/where}
  register: nowhere
  ignore_errors: true
- ansible.builtin.assert:
    that:
      - missing.msg.startswith("src none.txt does not exist on the controller")
      - nowhere.msg == "directory /no of dest in container box does not exist"
- ansible.builtin.shell: ls -d /run/ansible/*
  register: left
  # Its own.
  failed_when: left.stdout_lines | length > 1
"""


@pytest.mark.core
def test_files_of_the_controller_in_a_play(host, tmp_path):
    start(host, "box")
    controller = Controller(tmp_path)
    (tmp_path / "page.txt").write_text("of the controller\n")
    (tmp_path / "page.txt").chmod(0o640)
    controller.add_host("target", host, **REMOTE)
    try:
        dry = controller.playbook(FIRST, options=["--check", "--diff"])
        assert "+of the controller" in dry and "+++ after: page.txt" in dry and "changed=1" in dry
        assert host.run("ls", "-A", f"{LAYER}/upper/srv", check=False).stdout == ""
        controller.playbook(FIRST, OTHERS)
        assert host.run("cat", f"{LAYER}/upper/srv/page.txt").stdout == "of the controller\n"
    finally:
        controller.leave(host)
        host.run("rm", "-rf", "/run/ansible", "/run/got")
