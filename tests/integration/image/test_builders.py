"""Real builds from the mirror of this machine's apt. They run on the machine, as a test host has no mirror."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from image_cache import build_on_this_machine
from testhost import ROOT

OF_ONE_MACHINE = ["etc/hostname", "etc/resolv.conf", "var/lib/dbus/machine-id", "usr/sbin/policy-rc.d",
                  "etc/apt/apt.conf.d/99mmdebstrap"]  # fmt: skip
CACHES = ["var/lib/apt/lists", "var/cache/apt"]
LOOK = (
    "test $$ = 1; echo to stdout >/dev/null; test -d /proc/1; test ! -w /proc/sys/kernel/hostname; id -u > /who; "
    "awk '/CapBnd/{print $2}' /proc/self/status > /caps; ls /dev > /devices; umask > /umask; "
    "apt-config dump Dir::Etc::netrc > /logins"
)
COMMANDS = [LOOK, ["touch", "/a file; with spaces"]]


@pytest.mark.parametrize("builder", [pytest.param("debootstrap", marks=pytest.mark.long), "mmdebstrap"])
def test_each_builder_builds_an_updated_debian_without_machine_identity(builder):
    """One test, for a build takes long."""
    directory = ROOT / ".cache" / f"built-{builder}-{os.getpid()}"
    # No package of the image has a keyring of this name.
    keyring = directory.with_suffix(".gpg")
    recipe = {"suite": "trixie", "builder": builder, "packages": ["openssh-server"], "commands": COMMANDS}
    recipe["keyring"] = str(keyring)
    directory.mkdir(parents=True)
    shutil.copy("/usr/share/keyrings/debian-archive-keyring.gpg", keyring)
    try:
        with nobody_who_tries(directory) as reached:
            done = build_on_this_machine(directory, "built", **recipe)
        assert reached() == ["tried"], "no user of the host reaches the image while it is built"
        # And yet user _apt, as whom apt downloads, does.
        assert "unsandboxed" not in (directory / ".logs" / "built.log").read_text()
        rootfs = Path(done["image"]["path"])
        assert done["changed"] and done["image"]["suite"] == "trixie" and done["image"]["size"] > 100_000_000
        assert (done["image"]["builder"], done["image"]["variant"]) == (builder, "minbase")
        status = (rootfs / "var/lib/dpkg/status").read_text()
        assert "\nPackage: openssh-server\nStatus: install ok installed\n" in f"\n{status}"
        nothing_of_the_builder_or_of_one_machine(rootfs)
        updates_from_where_the_hosts_apt_gets_them(rootfs, keyring)
        commands_ran_inside_with_few_rights_and_exact_arguments(rootfs)
        modes_are_those_that_debian_means(rootfs)
        assert not build_on_this_machine(directory, "built", **recipe)["changed"]
        assert sorted(path.name for path in directory.iterdir()) == [".logs", "built"]
    finally:
        shutil.rmtree(directory)
        keyring.unlink()


@contextlib.contextmanager
def nobody_who_tries(directory):
    """User nobody, who looks all the time whether a root file system is in reach; what was found then."""
    script = (
        'echo tried; while read -t 0.1 line || [ $? -gt 128 ]; do for d in "$0"/.build-*; do '
        '[ ! -e "$d/rootfs/." ] || echo reached; done; done'
    )
    ids = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    trying = subprocess.Popen(
        [*ids, "bash", "-c", script, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield lambda: sorted(set(trying.communicate()[0].split()))
    if trying.poll() is None:
        trying.communicate()


def nothing_of_the_builder_or_of_one_machine(rootfs):
    assert (rootfs / "etc/machine-id").read_bytes() == b""
    present = [name for name in OF_ONE_MACHINE if (rootfs / name).exists() and not (rootfs / name).is_symlink()]
    assert present == []
    assert not list((rootfs / "etc/ssh").glob("ssh_host_*")) and (rootfs / "etc/ssh/sshd_config").exists()
    left = [str(p) for name in CACHES for p in (rootfs / name).rglob("*") if p.is_file() and p.name != "lock"]
    assert left == []
    # What was emptied is not taken for an update of today.
    assert (rootfs / "var/lib/apt/lists").stat().st_mtime == 0


def updates_from_where_the_hosts_apt_gets_them(rootfs, keyring):
    lines = (rootfs / "etc/apt/sources.list").read_text().splitlines()
    found = [line.split() for line in lines if line.startswith("deb ")]
    assert [words[-2] for words in found] == ["trixie", "trixie-updates", "trixie-security"]
    assert {words[1] for words in found} == {"[signed-by=/etc/apt/keyrings/mirror.gpg]"}
    assert (rootfs / "etc/apt/keyrings/mirror.gpg").read_bytes() == keyring.read_bytes()


def commands_ran_inside_with_few_rights_and_exact_arguments(rootfs):
    assert (rootfs / "a file; with spaces").exists()
    assert (rootfs / "who").read_text() == "0\n" and (rootfs / "umask").read_text() == "0022\n"
    capabilities = int((rootfs / "caps").read_text(), 16)
    sys_module, sys_rawio, sys_admin, mknod = 16, 17, 21, 27
    assert not any(capabilities >> number & 1 for number in (sys_module, sys_rawio, sys_admin, mknod))
    assert (rootfs / "logins").read_text() == 'Dir::Etc::netrc "auth.conf";\n', (
        "apt has its own logins, not the builder's"
    )
    devices = "fd full mqueue net null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert (rootfs / "devices").read_text().split() == devices.split()
    assert list((rootfs / "tmp").iterdir()) == [] and list((rootfs / "proc").iterdir()) == []


def modes_are_those_that_debian_means(rootfs):
    modes = {name: (rootfs / name).stat().st_mode & 0o7777 for name in (".", "etc", "tmp", "etc/shadow", "usr/bin/su")}
    assert modes == {".": 0o755, "etc": 0o755, "tmp": 0o1777, "etc/shadow": 0o640, "usr/bin/su": 0o4755}
    # Programs with the set-user-id bit are not for the host's own users.
    assert rootfs.parent.stat().st_mode & 0o777 == 0o700
