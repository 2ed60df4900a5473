"""Seams at which somebody else acts while our code is at a certain point: an attacker, or another run of a module."""

import contextlib
import os
import shutil
import subprocess
import sys
import time

from copying import SRV

from seams import seam


@seam()
def hold_before(original, until, announce=None):
    """The process waits before the target until the file `until` exists, after it has created the file `announce`."""

    def held(*arguments, **options):
        if announce:
            with open(announce, "w"):
                pass
        deadline = time.monotonic() + 120
        while not os.path.exists(until) and time.monotonic() < deadline:
            time.sleep(0.005)
        return original(*arguments, **options)

    return held


@seam()
def create_file_before(original, path):
    """The file `path` is created before the target."""

    def announced(*arguments, **options):
        with open(path, "w"):
            pass
        return original(*arguments, **options)

    return announced


@seam()
def import_before(original, module, path=None):
    """`module` is imported before the target, if it is found; the directory `path` is searched first."""

    def importing(*arguments, **options):
        if path:
            sys.path.insert(0, path)
        # It may be missing in the container's files. Unlike importlib.import_module() this raises an audit event.
        with contextlib.suppress(ImportError):
            __import__(module)
        return original(*arguments, **options)

    return importing


@seam()
def swap_directory_before(original):
    """/srv/dir of container box becomes a symlink to /run/outside before a method is called for dir/secret."""

    def call(self, path, *more):
        if path == "dir/secret" and os.path.isdir(f"{SRV}/dir") and not os.path.islink(f"{SRV}/dir"):
            os.rename(f"{SRV}/dir", f"{SRV}/moved")
            os.symlink("/run/outside", f"{SRV}/dir")
        return original(self, path, *more)

    return call


@seam("os:mkdir")
def swap_mount_target(original):
    """/run/volume/sub becomes a symlink to /run/outside right after a directory "made" was created in it."""

    def mkdir(path, *arguments, **options):
        original(path, *arguments, **options)
        if os.fsdecode(path) == "made":
            os.rename("/run/volume/sub", "/run/volume/away")
            os.symlink("/run/outside", "/run/volume/sub")

    return mkdir


@seam("_build.archive:run_logged")
def swap_archive(original, rename):
    """The archive /run/small.tar gets the content of /run/evil.tar before tar runs, by a rename or in the file."""

    def run_logged(*arguments, **options):
        if rename:
            os.rename("/run/evil.tar", "/run/small.tar")
        else:
            # Written over, and never empty: who reads just then would find an archive without an end.
            with open("/run/small.tar", "r+b") as small, open("/run/evil.tar", "rb") as evil:
                small.write(evil.read())
        return original(*arguments, **options)

    return run_logged


@seam("_build.staging:tree_size")
def use_staging_as_nobody(original):
    """User nobody tries a setuid program and a device node of an image that is being made; /run/got has the output."""

    def tree_size(rootfs):
        # setpriv itself still has root's capabilities, the shell has not.
        ids = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        with open("/run/got", "w") as file:
            for command in (f"{rootfs}/suid -u", f"stat -c %F {rootfs}/disk"):
                subprocess.run([*ids, "sh", "-c", command], stdout=file, stderr=file, check=False)
        return original(rootfs)

    return tree_size


@seam("_engine.unused_bundles:is_running")
def remove_bundle_first(_original):
    """Another start removes an unused bundle right before this one does."""

    def removed(path):
        shutil.rmtree(path)
        return False

    return removed


@seam("_kernel.files.copy_source:size_of")
def append_to_log(original):
    """The file /srv/log of container box grows after its size was read."""

    def size_of(fd):
        size = original(fd)
        with open(f"{SRV}/log", "a") as file:
            file.write("more\n")
        return size

    return size_of


@seam("_container.copy.sides:Source.opened")
def grow_before_open(original, size):
    """The file /srv/x of container box has `size` bytes, all of them a hole, before it is opened to be read."""

    def opened(self, path):
        os.truncate(f"{SRV}/x", size)
        return original(self, path)

    return opened


@seam("_network.veth:link_exists")
def take_inner_name(original):
    """Root in the first container that is connected creates eth0 right after the check that it does not exist."""
    taken = []

    def link_exists(name):
        exists = original(name)
        if name == "eth0" and not taken:
            taken.append(name)
            # The process is in the network namespace of the container.
            subprocess.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"], check=True)
        return exists

    return link_exists
