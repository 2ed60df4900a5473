"""What the host's root could read in a container's /proc and /sys, and nobody inside can, comes out by no module.

Weak: the same modules without the look at the file system that a path leads to.
"""

import pytest
from attacks import inside, patched, start
from seams.defenses import copy_kernel_files

# A process of another user, which is not dumpable: its environment is for the host's root alone.
HIDDEN = """
import ctypes, os, time
child = os.fork()
if not child:
    os.setgid(1000); os.setuid(1000)
    os.execve("/usr/bin/sleep", ["sleep", "1000"], {"SECRET": "of-nobody-inside"})
os.symlink(f"/proc/{child}", "/srv/process")
os.symlink(f"/proc/{child}/environ", "/srv/file")
os.symlink("/sys/fs", "/srv/sys")
time.sleep(1e6)
"""
OUT = {"container": "box", "direction": "out", "dest": "/run/got"}


@pytest.fixture
def box(host):
    start(
        host, "box", command=["/usr/bin/python3", "-c", HIDDEN], capabilities={"drop": ["SYS_PTRACE", "DAC_OVERRIDE"]}
    )
    return host


def test_a_link_into_proc_leads_no_file_out(box):
    weak = patched(box, "conductor_copy", seams=[copy_kernel_files], **OUT, src="/srv/file")
    assert weak["changed"] and "of-nobody-inside" in box.run("cat", "/run/got").stdout
    box.run("rm", "/run/got")
    for src in ("/srv/file", "/srv/process/environ", "/srv/process/", "/proc/1/status", "/srv/sys", "/proc"):
        refused = box.module("conductor_copy", **OUT, src=src, fails=True)
        assert "in container box is not copied" in refused["msg"], refused["msg"]
    assert box.run("ls", "/run/got", check=False).returncode


def test_a_directory_that_has_proc_in_it_is_not_copied_out(box):
    refused = box.module("conductor_copy", **OUT, src="/", fails=True)
    assert "/proc in container box is not copied" in refused["msg"] or "is a " in refused["msg"], refused["msg"]
    assert box.run("ls", "/run/got", check=False).returncode


@pytest.mark.parametrize("dest", ["/srv/process/new", "/srv/sys/new", "/srv/process/", "/proc/sys/kernel/new"])
def test_nothing_is_copied_into_a_file_system_of_the_kernel(box, dest):
    wish = {"content": "text"} if not dest.endswith("/") else {"src": "/etc/hostname", "remote_src": True}
    refused = box.module("conductor_copy", container="box", dest=dest, **wish, fails=True)
    assert "in container box is not copied" in refused["msg"], refused["msg"]


def test_no_diff_shows_what_is_in_proc(box):
    box.run("sh", "-c", "mkdir -p /run/tree/proc/1 && echo x > /run/tree/proc/1/environ && echo y > /run/tree/new")
    wish = {"container": "box", "src": "/run/tree/", "dest": "/", "remote_src": True}
    for check in (True, False):
        refused = box.module("conductor_copy", **wish, check=check, fails=True)
        assert "of proc" in refused["msg"] and "diff" not in refused, refused
    assert inside(box, "box", 'return os.path.exists("/new")') == "False"
    box.run("rm", "-r", "/run/tree")


def test_a_guard_that_is_a_link_into_proc_does_not_count(box):
    wish = {"container": "box", "argv": ["/bin/true"]}
    assert box.module("conductor_exec", **wish, creates="/srv/file")["changed"]
    assert box.module("conductor_exec", **wish, creates="/srv/process/env*")["changed"]
    # What the user names is another matter.
    assert not box.module("conductor_exec", **wish, creates="/proc/1/environ")["changed"]
    assert not box.module("conductor_exec", **wish, creates="/sys/class/net/l*")["changed"]
