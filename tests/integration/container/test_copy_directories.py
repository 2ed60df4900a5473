"""Copies of directory trees into and out of running and stopped containers."""

import os
import subprocess

import pytest
from attacks import patched, start
from controller import Controller
from copying import LAYER, REMOTE, copy, inside, listing, out
from seams.faults import die_before, set_value
from testhost import ROOT

SITE = """
mkdir -p /run/site/sub/deep /run/site/empty; cd /run/site
echo hello > page; chmod 4640 page; echo world > sub/deep/page
ln -s page link; ln -s /etc/passwd out; ln -s nowhere sub/dangling; ln -s sub linked
chmod 2711 empty; chown -h 5:6 link; chown 7:8 page sub
"""
TREE = {
    "": "drwxr-xr-x 0 0 ", "page": "-rw-r----- 0 0 ", "empty": "drwx--x--x 0 0 ", "sub": "drwxr-xr-x 0 0 ",
    "sub/deep": "drwxr-xr-x 0 0 ", "sub/deep/page": "-rw-r--r-- 0 0 ", "link": "lrwxrwxrwx 0 0 page",
    "out": "lrwxrwxrwx 0 0 /etc/passwd", "sub/dangling": "lrwxrwxrwx 0 0 nowhere", "linked": "lrwxrwxrwx 0 0 sub",
}  # fmt: skip


@pytest.fixture
def box(any_box):
    """The host, with container box in each of the states, and the directory /run/site."""
    any_box.run("sh", "-ec", SITE)
    yield any_box
    any_box.run("rm", "-rf", "/run/site", "/run/got")


def test_files_that_go_to_a_mount_below_need_no_space_at_the_top(host):
    start(host, "box")
    inside(host, "/bin/sh", "-c", "mkdir -p /srv/site/below; head -c 3M /dev/zero > /srv/site/below/file")
    below = "/run/got/site/below"
    host.run(
        "sh",
        "-ec",
        f"""
        mkdir /run/got; mount -t tmpfs -o size=1M none /run/got
        mkdir -p {below}; mount -t tmpfs -o size=8M none {below}
    """,
    )
    wish = {"src": "/srv/site", "dest": "/run/got"}
    try:
        assert out(host, **wish, check=True)["changed"] and out(host, **wish)["changed"]
        assert host.run("stat", "-c", "%s", f"{below}/file").stdout == "3145728\n"
    finally:
        host.run("umount", "-R", "/run/got")
        host.run("rmdir", "/run/got")


CHANGES = """
cd /run/got/site; chown 33:4 page; chmod 4644 page; chmod 755 .; echo x > extra; echo >> sub/deep/page
"""


def look(path):
    """A command that lists `path` and all below it: type, owner, and target of a symlink."""
    return ["find", path, "-printf", r"%P %M %U %G %l\n"]


def tree(printed):
    return dict(line.split(" ", 1) for line in printed.rstrip("\n").split("\n"))


def tree_inside(host, path):
    # The end of the last line, and a space before it, are stripped.
    return {name: f"{rest} ".replace("  ", " ") if len(rest.split()) == 3 else rest
            for name, rest in tree(inside(host, *look(path))).items()}  # fmt: skip


def test_a_directory_goes_in_once_as_check_mode_says(box):
    before = listing(box)
    planned = copy(box, src="/run/site", dest="/srv", check=True)
    assert listing(box) == before, "check mode has changed something"
    done = copy(box, src="/run/site", dest="/srv")
    assert done["changed"] and done["diff"] == planned["diff"]
    assert done["actions"] == planned["actions"] == ["copy /run/site to box:/srv/site: 4 directories, 2 files, 4 links"]
    assert (done["target"], done["size"], done.get("checksum")) == ("/srv/site", 12, None)
    again = copy(box, src="/run/site", dest="/srv")
    assert not again["changed"] and again["diff"] == []
    assert tree_inside(box, "/srv/site") == TREE
    assert inside(box, "/bin/cat", "/srv/site/page", "/srv/site/sub/deep/page") == "hello\nworld"


def test_the_difference_names_each_path(box):
    copy(box, src="/run/site", dest="/srv")
    box.run("sh", "-c", "cd /run/site; echo more >> sub/deep/page; chmod 600 page; ln -snf empty linked; touch new")
    shown = copy(box, src="/run/site", dest="/srv", check=True)["diff"]
    assert [(diff["before_header"], diff["before"], diff["after"]) for diff in shown] == [
        ("box:/srv/site/linked", {"to": "sub"}, {"to": "empty"}),
        ("box:/srv/site/new", "", ""),
        ("box:/srv/site/new", {"state": "absent"}, {"state": "file", "mode": "0644", "owner": 0, "group": 0}),
        ("box:/srv/site/page", {"mode": "0640"}, {"mode": "0600"}),
        ("box:/srv/site/sub/deep/page", "world\n", "world\nmore\n"),
    ]
    assert shown[4]["after_header"] == "/run/site/sub/deep/page"


def test_trailing_slash_copies_contents_and_keeps_other_files(box):
    copy(box, content="mine\n", dest="/srv/mine")
    assert copy(box, src="/run/site/sub/", dest="/srv/")["target"] == "/srv"
    done = copy(box, src="/run/site/sub/", dest="/srv/www")
    assert done["target"] == "/srv/www" and done["actions"][0].endswith("/srv/www: 2 directories, 1 file, 1 link")
    assert not copy(box, src="/run/site/sub/", dest="/srv/www/")["changed"]
    (changed,) = copy(box, src="/run/site/sub/", dest="/tmp")["actions"]
    assert changed == "copy /run/site/sub to box:/tmp: 1 directory, 1 file, 1 link"
    assert inside(box, "/bin/sh", "-c", "stat -c %a /tmp; cd /srv; echo *; cd www; echo *; cat deep/page") == (
        "1777\ndangling deep mine www\ndangling deep\nworld"
    )


def test_owners_and_modes_of_created_entries(box):
    wish = {"src": "/run/site/", "dest": "/srv/www", "owner": "www-data", "group": "adm"}
    wish.update(mode="0604", directory_mode="2705")
    assert copy(box, **wish)["changed"] and not copy(box, **wish)["changed"]
    found = tree_inside(box, "/srv/www")
    assert {line.split()[1] + line.split()[2] for line in found.values()} == {"334"}
    assert found[""].startswith("drwx--Sr-x") and found["sub/deep/page"].startswith("-rw----r--")
    assert copy(box, **{**wish, "owner": "root"})["actions"] == ["copy /run/site to box:/srv/www: 2 files, 4 links"], (
        "directories that are there keep what they have"
    )


def test_a_directory_comes_out_for_root_only(box):
    copy(box, src="/run/site", dest="/srv", owner="www-data", mode="4755", directory_mode="2755")
    box.run("mkdir", "/run/got")
    planned = out(box, "/srv/site", dest="/run/got", check=True)
    assert box.run("ls", "-A", "/run/got").stdout == ""
    done = out(box, "/srv/site", dest="/run/got")
    assert (
        done["actions"]
        == planned["actions"]
        == ["copy box:/srv/site to /run/got/site: 4 directories, 2 files, 4 links"]
    )
    assert done["diff"] == planned["diff"]
    kinds = {"d": "drwx------", "-": "-rw-------", "l": "lrwxrwxrwx"}
    found = tree(box.run(*look("/run/got/site")).stdout)
    assert found == {path: f"{kinds[line[0]]} {line.split(' ', 1)[1]}" for path, line in TREE.items()}
    assert not out(box, "/srv/site", dest="/run/got")["changed"]
    box.run(
        "sh",
        "-c",
        CHANGES,
    )
    assert out(box, "/srv/site/", dest="/run/got/site")["actions"] == ["copy box:/srv/site to /run/got/site: 2 files"]
    found = tree(box.run(*look("/run/got/site")).stdout)
    assert (found["page"], found[""], found["extra"][0]) == ("-rw-r--r-- 33 4 ", "drwxr-xr-x 0 0 ", "-")
    assert box.run("cat", "/run/got/site/sub/deep/page").stdout == "world\n"


WRONG = """
mkdir /run/got; cd /run/got; mkdir -p fifo link/out file/page dir over
cp -a /run/site/sub fifo; mkfifo fifo/zz; echo x > link/a; ln -s x dir/sub; echo x > over/sub
"""


def test_invalid_directory_copies_fail_with_one_line_and_change_nothing(box):
    copy(box, src="/run/site", dest="/srv")
    copy(box, content="text\n", dest="/srv/file")
    box.run("sh", "-ec", WRONG)
    before = listing(box)
    site = "box:/srv/site"
    for src, dest, told in (
        ("/run/got/fifo/", "/srv/site", "src /run/got/fifo/zz is a FIFO, and only files, directories and symlinks"),
        ("/run/got/link/", "/srv/site", f"{site}/out is a link, and /run/got/link/out is a directory"),
        ("/run/got/file/", "/srv/site", f"{site}/page is a file, and /run/got/file/page is a directory"),
        ("/run/got/dir/", "/srv/site", f"{site}/sub is a directory, and /run/got/dir/sub is a link"),
        ("/run/got/over/", "/srv/site", f"{site}/sub is a directory, and /run/got/over/sub is a file"),
        ("/run/site", "/srv/none", "directory /srv/none of dest in container box does not exist"),
        ("/run/site/", "/srv/none/none", "directory /srv/none of dest in container box does not exist"),
        ("/run/site", "/srv/file", "directory /srv/file of dest in container box: it, or a part of its path, is not"),
        ("/run/site/", "/srv/file", "directory /srv/file of dest in container box: it, or a part of its path, is not"),
    ):
        assert told in copy(box, src=src, dest=dest, fails=True)["msg"], src
        assert listing(box) == before, src
    refused = copy(box, src="/run/site", dest="/srv", directory_mode="u+x", fails=True)
    assert "directory_mode 'u+x' is not an octal number" in refused["msg"]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_killed_directory_copy_is_completed_by_the_next(host, state):
    host.run("sh", "-ec", SITE)
    start(host, "box")
    if state == "stopped":
        host.module("conductor_container", name="box", state="stopped")
    for number, (call, after) in enumerate(
        [("mkdir", 0), ("fchmod", 3), ("symlink", 1), ("chown", 2), ("rename", 0), ("rename", 7)]
    ):
        die = die_before(f"os:{call}", after=after)
        wish = {"src": "/run/site/", "dest": f"/srv/www{number}"}
        with pytest.raises(AssertionError, match="printed no JSON"):
            patched(host, "conductor_copy", seams=[die], container="box", **wish)
        assert copy(host, **wish)["changed"] and not copy(host, **wish)["changed"]
        assert host.run("sh", "-c", f"find {LAYER}/upper -name '*.tmp'").stdout == ""
    assert tree_inside(host, "/srv/www1") == TREE
    host.run("rm", "-r", "/run/site")


def test_too_many_files_are_refused(host):
    start(host, "box")
    host.run("sh", "-ec", SITE)
    fewer = set_value("_container.copy.sides:MAX_FILES", value=9)
    wish = {"container": "box", "src": "/run/site", "dest": "/srv"}
    refused = patched(host, "conductor_copy", seams=[fewer], fails=True, **wish)
    assert "src /run/site has 9 files or more. Create an archive and copy that" in refused["msg"]
    allowed = set_value("_container.copy.sides:MAX_FILES", value=10)
    assert patched(host, "conductor_copy", seams=[allowed], **wish)["changed"]
    host.run("rm", "-r", "/run/site")


def test_names_of_any_bytes_and_long_paths(host):
    start(host, "box")
    deep = "/".join(["d" * 250] * 15)
    make = f"""
import os
os.makedirs(b"/run/site/{deep}")
os.chdir("/run/site")
open(b"\\xff\\n\\x1b[31m", "w").write("odd")
"""
    host.run("python3", "-c", make)
    done = copy(host, src="/run/site", dest="/srv")
    assert done["actions"] == ["copy /run/site to box:/srv/site: 16 directories, 1 file"]
    out(host, "/srv/site/", dest="/run/got")
    assert host.run("diff", "-r", "/run/site", "/run/got", check=False).returncode == 0
    assert not out(host, "/srv/site/", dest="/run/got")["changed"]
    host.run("rm", "-r", "/run/site", "/run/got")


def test_directory_copy_includes_a_mount_inside(host):
    host.run("sh", "-ec", SITE)
    host.run("mkdir", "/run/shared")
    mounts = [{"source": "/run/shared", "target": "/srv/site/sub"}]
    start(host, "box", mounts=mounts)
    assert copy(host, src="/run/site", dest="/srv")["changed"]
    assert host.run("ls", "/run/shared").stdout == "dangling\ndeep\n"
    assert out(host, "/srv/site/", dest="/run/got")["changed"]
    assert host.run("diff", "-r", "--no-dereference", "/run/site", "/run/got", check=False).returncode == 0
    host.run("rm", "-r", "/run/site", "/run/got", "/run/shared")


FIRST = """
- conductor.containers.conductor_copy: {container: box, src: site, dest: /srv/}
  register: first
"""
OTHERS = """
- conductor.containers.conductor_copy: {container: box, src: site, dest: /srv}
  register: second
- conductor.containers.conductor_copy: {container: box, src: site/, dest: /srv/www, directory_mode: "0700"}
  register: contents
- ansible.builtin.assert:
    that:
      - first is changed and second is not changed and contents is changed
      - 'first.actions == ["copy site to box:/srv/site: 4 directories, 4 files, 4 links"]'
      - first.target == "/srv/site" and first.src == "site" and contents.target == "/srv/www"
- ansible.builtin.command: {argv: [mkfifo, "{{ playbook_dir }}/site/sub/deep/zz"]}
  delegate_to: localhost
- conductor.containers.conductor_copy: {container: box, src: site/, dest: /srv/new}
  register: fifo
  ignore_errors: true
- conductor.containers.conductor_copy: {container: box, src: site/sub/, dest: /srv/www/page}
  register: wrong
  ignore_errors: true
- ansible.builtin.assert:
    that:
      - fifo.msg.startswith("src site/sub/deep/zz on the controller is not a regular file, directory or symlink")
      - wrong is failed
- ansible.builtin.shell: ls -d /run/ansible/*
  register: left
  # Its own.
  failed_when: left.stdout_lines | length > 1
"""


def test_directories_of_the_controller_in_a_play(host, tmp_path):
    start(host, "box")
    controller = Controller(tmp_path)
    subprocess.run(["sh", "-ec", SITE.replace("/run/site", str(tmp_path / "site"))], check=True)
    secret = tmp_path / "site/secret"
    secret.write_text("of the vault\n")
    (tmp_path / "password").write_text("password")
    (tmp_path / "ansible.cfg").write_text("[defaults]\nvault_password_file = password\n")
    vault = [f"{ROOT}/.venv/bin/ansible-vault", "encrypt", str(secret)]
    subprocess.run(vault, cwd=tmp_path, check=True, capture_output=True)
    os.link(tmp_path / "site/page", tmp_path / "site/sub/page")
    controller.add_host("target", host, **REMOTE)
    try:
        dry = controller.playbook(FIRST, options=["--check", "--diff"])
        assert "+of the vault" in dry and "+++ after: site/secret" in dry and "changed=1" in dry
        assert host.run("ls", "-A", f"{LAYER}/upper/srv", check=False).stdout == ""
        controller.playbook(FIRST, OTHERS)
        expected = {**TREE, "secret": "-rw------- 0 0 ", "sub/page": TREE["page"]}
        assert tree_inside(host, "/srv/site") == expected
        assert tree_inside(host, "/srv/www")["sub"].startswith("drwx------")
        assert inside(host, "/bin/cat", "/srv/www/secret", "/srv/www/page") == "of the vault\nhello"
    finally:
        controller.leave(host)
        host.run("rm", "-rf", "/run/ansible")
