"""What a container may use of a machine whose cgroups are of version 2 only, and whose systemd divides them too."""

# Programs for the image's interpreter. Each says what it got.
MEMORY = "bytearray(200 << 20); print('has it')"
PROCESSES = """
import os, time
count = 0
try:
    while count < 60:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
except BlockingIOError:
    pass
print(count)
"""
# The share of one CPU that a busy process gets within two seconds.
CPU = """
import time
begin, used = time.monotonic(), time.process_time()
while time.monotonic() < begin + 2:
    pass
print((time.process_time() - used) / (time.monotonic() - begin))
"""
# Nodes in /dev can be made with these, and so it is the cgroup alone that refuses to open them.
MAKER = {"userns": "host", "capabilities": {"add": ["MKNOD"]}}
REFUSED = "Operation not permitted"


def python(machine, name, program, **options):
    return machine.inside(name, "/usr/bin/python3", "-c", program, **options)


def opens(machine, path, how="<"):
    """Whether a process in the box can open `path`; else why not."""
    said = machine.inside("box", "/bin/sh", "-c", f"( : {how}{path} ) 2>&1 && echo yes || true")
    return said.rpartition(": ")[2]


def limits(host, name):
    return [
        host.file(f"/sys/fs/cgroup/conductor/{name}/{file}").content_string.strip()
        for file in ("memory.max", "cpu.max", "pids.max")
    ]


def make_disk_node(host):
    """A command that makes /dev/made, the disk of the machine."""
    return ["/bin/mknod", "/dev/made", "b", *host.check_output("stat -c '%Hr %Lr' /dev/vda").split()]


def test_the_machine_has_systemd_and_cgroups_of_version_2_only(host):
    assert host.file("/proc/1/comm").content_string == "systemd\n"
    kinds = [line.split()[2] for line in host.file("/proc/mounts").content_string.splitlines()]
    assert "cgroup2" in kinds and "cgroup" not in kinds


def test_a_process_that_takes_more_memory_than_its_container_may_is_killed(deployed):
    assert python(deployed, "lonely", MEMORY) == "has it"
    argv = ["/usr/bin/python3", "-c", MEMORY]
    killed = deployed.module("conductor_exec", container="backend", argv=argv, fails=True)
    assert killed["rc"] == -9, killed
    assert deployed.containers()["backend"]["state"] == "running"


def test_no_more_processes_are_born_than_a_container_may_have(deployed):
    assert python(deployed, "lonely", PROCESSES) == "60"
    assert 30 <= int(python(deployed, "backend", PROCESSES)) < 40


def test_a_busy_container_gets_no_more_of_a_cpu_than_it_may(deployed):
    assert float(python(deployed, "lonely", CPU)) > 0.7
    assert float(python(deployed, "backend", CPU)) < 0.6


def test_limits_change_while_a_container_runs(box, deployed):
    pid = box(memory="64m")["pid"]
    assert limits(deployed.host, "box") == [str(64 << 20), "max 100000", "2048"]
    assert box(memory="96m", cpus=0.5, pids=20)["pid"] == pid
    assert limits(deployed.host, "box") == [str(96 << 20), "50000 100000", "20"]


def test_no_disk_of_the_host_can_be_read_even_where_its_node_can_be_made(box, deployed):
    box(**MAKER)
    deployed.inside("box", *make_disk_node(deployed.host))
    assert opens(deployed, "/dev/made") == REFUSED
    assert opens(deployed, "/dev/null", "<>") == "yes"
    deployed.module("conductor_container", name="box", state="absent")
    box(userns="host", privileged=True)
    deployed.inside("box", *make_disk_node(deployed.host))
    assert opens(deployed, "/dev/made") == "yes"


def test_a_device_that_was_asked_for_belongs_to_root_inside_and_can_be_used_so_far(box, deployed):
    box(devices=["/dev/vda:/dev/disk:r"])
    assert deployed.inside("box", "/usr/bin/stat", "-c", "%u:%g", "/dev/disk") == "0:0"
    assert opens(deployed, "/dev/disk") == "yes"
    assert opens(deployed, "/dev/disk", "<>") == REFUSED


def test_what_systemd_does_for_its_own_units_takes_no_limit_away(box, deployed):
    """It gives controllers to its units, and takes them back where no unit of its own needs them any more."""
    host = deployed.host
    box(**MAKER)
    deployed.inside("box", *make_disk_node(host))
    before = limits(host, "backend")
    assert before == [str(128 << 20), "40000 100000", "40"]
    host.check_output("systemd-run --wait --quiet -p CPUWeight=50 -p MemoryMax=100M -p TasksMax=10 true")
    host.check_output("systemctl daemon-reload && systemctl daemon-reexec")
    host.check_output("systemd-run --wait --quiet true")
    assert limits(host, "backend") == before
    assert opens(deployed, "/dev/made") == REFUSED
    again = deployed.module("conductor_container", check=True, name="backend", memory="128m", cpus=0.4, pids=40)
    assert not again["changed"], again["actions"]


def test_no_process_of_a_container_belongs_to_the_session_of_who_started_it(deployed):
    """Who ends that session, or its user's slice, would end the restart policy; and its end would be waited for."""
    pids = deployed.host.check_output("grep -ho '\"pid\": [0-9]*' /run/conductor/containers/*.json").split()[1::2]
    pids += deployed.host.check_output("pgrep -f ' supervise$'").split()
    groups = deployed.host.check_output("cat" + " /proc/%s/cgroup" * len(pids), *pids).splitlines()
    # The first processes of four containers, and the supervisor of all.
    assert len(groups) == 5 and [group for group in groups if not group.startswith("0::/conductor/")] == []
