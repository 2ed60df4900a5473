"""What outlives modules in /var/lib/conductor/lib, and what other releases have left there."""

from attacks import patched

SLEEP = ["/bin/sleep", "infinity"]
LIBRARY = "/var/lib/conductor/lib"


def start(host, name):
    host.module("conductor_container", name=name, image="debian", command=SLEEP)


def programs(host):
    return set(host.run("ls", LIBRARY).stdout.split())


def test_what_other_releases_left_goes_unless_it_is_in_use(host):
    start(host, "old")
    (current,) = (name for name in programs(host) if name.startswith("conductor-"))
    in_use, unused, recent = (f"conductor-{digit * 16}.pyz" for digit in "abc")
    for name in (in_use, unused, recent):
        host.run("cp", f"{LIBRARY}/{current}", f"{LIBRARY}/{name}")
    supervisor = host.popen(
        "python3", "-I", "-S", f"{LIBRARY}/{in_use}", "supervise", "/var/lib/conductor/containers", "old"
    )
    try:
        host.run("touch", "--date", "8 days ago", f"{LIBRARY}/{in_use}", f"{LIBRARY}/{unused}")
        host.run("rm", f"{LIBRARY}/{current}")
        start(host, "new")
        assert programs(host) & {in_use, unused, recent, current} == {in_use, recent, current}
    finally:
        supervisor.kill()
        supervisor.wait()
        host.run("rm", f"{LIBRARY}/{in_use}", f"{LIBRARY}/{recent}")


# Another start of the same moment has been quicker: each time before this one removes a program.
QUICKER = """
runtime = module_utils("_container.supervisor.program")
def gone(path):
    runtime.os.unlink(path)
    return False
runtime.is_argument = gone
"""


def test_two_first_starts_after_an_upgrade_do_not_hinder_each_other(host):
    start(host, "old")
    (current,) = (name for name in programs(host) if name.startswith("conductor-"))
    for digit in "ab":
        unused = f"{LIBRARY}/conductor-{digit * 16}.pyz"
        host.run("cp", f"{LIBRARY}/{current}", unused)
        host.run("touch", "--date", "8 days ago", unused)
    host.run("rm", f"{LIBRARY}/{current}")
    wish = {"name": "new", "image": "debian", "command": SLEEP}
    assert patched(host, "conductor_container", QUICKER, **wish)["container"]["state"] == "running"
    assert {name for name in programs(host) if name.startswith("conductor-")} == {current}
