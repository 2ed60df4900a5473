"""The bundle of our code in /var/lib/conductor/lib: how it gets there, and what other releases have left there."""

from subprocess import PIPE

from attacks import patched
from seams.interference import remove_bundle_first

SLEEP = ["/bin/sleep", "infinity"]
LIBRARY = "/var/lib/conductor/lib"


def start(host, name):
    host.module("conductor_container", name=name, image="debian", command=SLEEP)


def bundles(host):
    """Names of all bundles on the host."""
    found = host.run("find", LIBRARY, "-mindepth", "2", "-maxdepth", "2", "-name", "conductor").stdout.split()
    return {path.split("/")[-2] for path in found}


def run_from(host, bundle, group=""):
    """Start a process that has the directory of `bundle` as an argument, in cgroup `group`."""
    join = f'for d in $(find /sys/fs/cgroup -type d -path "*/{group}"); do echo $$ > $d/cgroup.procs; done; '
    stay = f"exec python3 -c 'import sys; print(flush=True); sys.stdin.read()' {LIBRARY}/{bundle} supervise"
    process = host.popen("sh", "-c", (join if group else "") + stay, stdin=PIPE, stdout=PIPE)
    process.stdout.readline()
    return process


def test_bundles_of_other_releases_are_deleted_unless_they_are_in_use(host):
    start(host, "old")
    (current,) = bundles(host)
    in_use, unused, named, recent, pinned = (digit * 16 for digit in "abcde")
    for name in (in_use, unused, named, recent, pinned):
        host.run("cp", "-r", f"{LIBRARY}/{current}", f"{LIBRARY}/{name}")
    host.run("touch", f"{LIBRARY}/{pinned}/pinned")
    # A supervisor of another release, and a process of anybody, whose arguments are not read: they can be of any size.
    users = [run_from(host, in_use, "conductor/.supervisor"), run_from(host, named)]
    try:
        host.run("touch", "--date", "8 days ago", *(f"{LIBRARY}/{name}" for name in (in_use, unused, named, pinned)))
        host.run("rm", "-r", f"{LIBRARY}/{current}")
        start(host, "new")
        assert bundles(host) == {in_use, recent, pinned, current}
    finally:
        for user in users:
            user.communicate()
        host.run("rm", "-rf", *(f"{LIBRARY}/{name}" for name in (in_use, named, recent, pinned)))


def test_two_first_starts_after_an_upgrade_do_not_hinder_each_other(host):
    start(host, "old")
    (current,) = bundles(host)
    for digit in "ab":
        unused = f"{LIBRARY}/{digit * 16}"
        host.run("cp", "-r", f"{LIBRARY}/{current}", unused)
        host.run("touch", "--date", "8 days ago", unused)
    host.run("rm", "-r", f"{LIBRARY}/{current}")
    wish = {"name": "new", "image": "debian", "command": SLEEP}
    assert patched(host, "conductor_container", seams=[remove_bundle_first], **wish)["container"]["state"] == "running"
    assert bundles(host) == {current}
