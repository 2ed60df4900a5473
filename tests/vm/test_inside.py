"""What is inside a container: the kernel of Debian, its own users, filtered system calls, systemd."""

import json

import pytest

# By number on amd64, with arguments wrong enough to do no harm. The last is a call that no kernel has.
CALLS = {"keyctl": (250, 9999), "bpf": (321, 9999), "userfaultfd": (323, 0xFFFF), "unshare": (272, 0x10000000),
         "io_uring_setup": (425, 0, 0), "none": (1500,)}  # fmt: skip
PROBE = """
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
for name, call in json.loads(sys.argv[1]).items():
    done = libc.syscall(*(ctypes.c_long(argument) for argument in call))
    print(name, errno.errorcode[ctypes.get_errno()] if done == -1 else "done")
print(next(line for line in open("/proc/self/status") if line.startswith("Seccomp:")).split()[1])
"""


def shell(machine, name, script, **options):
    return machine.inside(name, "/bin/sh", "-ec", script, **options)


def answers(machine, name):
    said = machine.inside(name, "/usr/bin/python3", "-c", PROBE, json.dumps(CALLS)).splitlines()
    return dict(line.split() for line in said[:-1]), said[-1]


def test_root_inside_is_nobody_outside(deployed):
    facts = deployed.containers()["lonely"]
    base = facts["ids"]["base"]
    assert facts["userns"] == "auto" and base >= 100000
    script = "id -u; cat /proc/self/uid_map; touch /made; stat -c %u:%g /made /usr/bin/env"
    assert shell(deployed, "lonely", script).split() == ["0", "0", str(base), "65536", "0:0", "0:0"]
    host = deployed.host
    assert host.check_output("stat -c %%u /proc/%s", str(facts["pid"])) == str(base)
    owners = host.check_output("stat -c %%u:%%g %s/made %s/usr/bin/env", facts["rootfs"], facts["rootfs"])
    assert owners.split() == [f"{base}:{base}"] * 2
    image = "/var/lib/conductor/images/debian/rootfs/usr/bin/env"
    assert host.check_output(f"stat -c %u:%g {image}") == "0:0", "the image itself stays root's"


def test_system_calls_are_filtered_unless_it_is_unconfined(box, deployed):
    refused = dict.fromkeys(CALLS, "EPERM")
    assert answers(deployed, "lonely") == ({**refused, "none": "ENOSYS"}, "2")
    box(seccomp="unconfined")
    found, mode = answers(deployed, "box")
    assert mode == "0" and found["unshare"] == "done" and "EPERM" not in {found["keyctl"], found["io_uring_setup"]}


def test_systemd_boots_as_the_first_process_with_users_of_its_own(deployed):
    facts = deployed.containers()["system"]
    assert shell(deployed, "system", "cat /proc/1/comm; systemctl is-system-running").split() == ["systemd", "running"]
    assert facts["ids"] and shell(deployed, "system", "cat /proc/1/uid_map").split()[1] == str(facts["ids"]["base"])
    assert shell(deployed, "system", "systemctl --failed --plain --no-legend") == ""
    assert "systemd-journald" in shell(deployed, "system", "systemctl --plain --no-legend list-units --state=running")


@pytest.mark.parametrize("path", ["/dev", "/dev/shm", "/run", "/tmp"])
def test_root_of_a_machine_gives_its_tmpfs_other_options(deployed, path):
    deployed.inside("system", "/bin/mount", "-o", "remount,nosuid,size=9m", path)
    assert deployed.inside("system", "df", "--output=size", "-k", path).split()[-1] == "9216"


def test_systemd_inside_limits_its_own_services_and_not_beyond_what_it_has(deployed):
    service = "systemd-run --quiet --wait --pipe -p MemoryMax={} /bin/sh -c {}"
    read = "'cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max'"
    assert shell(deployed, "system", service.format("32M", read)) == str(32 << 20)
    # 300 MiB are more than the container may have, whatever its systemd allows.
    hog = "'exec /usr/bin/python3 -c \"bytearray(300 << 20)\"'"
    argv = ["/bin/sh", "-c", service.format("infinity", hog)]
    assert "rc" in deployed.module("conductor_exec", container="system", argv=argv, fails=True)
    assert deployed.containers()["system"]["state"] == "running"


def test_a_container_with_systemd_stops_in_order_and_boots_again(deployed):
    witness = "systemd-run --quiet -p RemainAfterExit=yes -p 'ExecStop=/bin/sh -c \"echo asked > /srv/stopped\"' true"
    shell(deployed, "system", witness)
    stopped = deployed.module("conductor_container", name="system", state="stopped")["container"]
    assert stopped["state"] == "stopped" and stopped["exit_code"] != 137, "nobody had to kill it"
    deployed.start("system")
    assert shell(deployed, "system", "cat /srv/stopped; systemctl is-system-running").split() == ["asked", "running"]
