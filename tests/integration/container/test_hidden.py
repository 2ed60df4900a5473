"""What of the host a container must not see, and what of the module's caller it must not get."""

import copy

from ansible_collections.conductor.containers.plugins.module_utils._container.kernel_files import MASKED, READ_ONLY

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}


def inside(host, cmd):
    return host.module("conductor_exec", container="web", argv=["/bin/sh", "-c", cmd])["stdout"]


def test_nothing_can_be_read_of_what_is_masked_for_any_user_namespace(host):
    for userns in ("auto", "host"):
        host.module("conductor_container", **WEB, userns=userns, restart=True, recreate=True)
        paths = " ".join([*MASKED, "/sys/devices/system/cpu/cpu*/thermal_throttle"])
        look = f"for p in {paths}; do [ -d $p ] && ls -A $p 2>/dev/null || head -c 1 $p 2>/dev/null; done; true"
        assert inside(host, look) == "", userns
        assert host.run("sh", "-c", look).stdout, "the host itself sees something there"


def test_nothing_can_be_written_to_what_is_read_only(host):
    host.module("conductor_container", **WEB)
    there = inside(host, f"ls -d {' '.join(READ_ONLY)} 2>/dev/null; true").split()
    assert there == host.run("sh", "-c", f"ls -d {' '.join(READ_ONLY)} 2>/dev/null; true").stdout.split() != []
    for path in there:
        options = inside(host, f"grep ' {path} ' /proc/self/mountinfo | cut -d' ' -f6")
        assert options.split(",")[0] == "ro", path


def test_descriptors_of_who_runs_the_module_are_not_open_inside(host):
    """A directory of the host's among them would be a way out (CVE-2024-21626)."""
    caller = copy.copy(host)
    caller.enter = [*host.enter, "sh", "-c", 'exec 5</ 7</etc/passwd 9>>/run/leak; exec "$@"', "sh"]
    caller.module("conductor_container", **WEB)
    assert inside(caller, "ls /proc/1/fd").split() == ["0", "1", "2"]
    own = caller.module("conductor_exec", container="web", argv=["/bin/ls", "/proc/self/fd"])
    assert own["stdout"].split() == ["0", "1", "2", "3"], "3 is that of ls itself"
    caller.module("conductor_exec", container="web", argv=["/bin/sleep", "1001"], detach=True)
    found = inside(host, "ls /proc/$(pgrep -f 'sleep 1001' | head -1)/fd")
    assert found.split() == ["0", "1", "2"]
    host.run("rm", "/run/leak")
