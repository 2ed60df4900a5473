"""Ways out over the very process that comes in with a command: traced or read by who is inside (CVE-2016-9962), or its
program overwritten (CVE-2019-5736).
"""

import json
import threading

import pytest
from attacks import CONTAINERS, execute, inside, start
from seams.defenses import make_dumpable_before
from seams.interference import hold_before
from testhost import PYTHON
from waiting import until

# All ways from a process inside to another one that is found there.
REACH = """
    for name in range(2000):
        if os.path.exists("/held"):
            break
        time.sleep(0.01)
    other = next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in (1, os.getpid())
        and "PPid:\\t0" in open(f"/proc/{pid}/status").read())
    def reopen():
        pidfd = os.pidfd_open(other)
        return kernel(438, pidfd, 2, 0)
    ways = {
        "exe": lambda: open(f"/proc/{other}/exe", "rb"),
        "root": lambda: os.listdir(f"/proc/{other}/root/"),
        "cwd": lambda: os.listdir(f"/proc/{other}/cwd/"),
        "fd": lambda: os.readlink(f"/proc/{other}/fd/0"),
        "mem": lambda: open(f"/proc/{other}/mem", "rb+"),
        "environ": lambda: open(f"/proc/{other}/environ", "rb").read(),
        "maps": lambda: open(f"/proc/{other}/maps", "rb").read(1),
        "pidfd_getfd": reopen,
        # PTRACE_SEIZE: the same right as PTRACE_ATTACH, and it goes on afterwards.
        "ptrace": lambda: kernel("ptrace", 0x4206, other, 0, 0),
    }
    found = {}
    for name, way in ways.items():
        try:
            way()
            found[name] = "reached"
        except OSError as error:
            found[name] = errno.errorcode[error.errno]
    open("/go", "w").close()
    return json.dumps(found)
"""


def reach(host, name, target, *seams):
    """What a process in container `name` reaches of a command that is held on its way in, before it calls `target`."""
    hold = hold_before(target, announce="/held", until="/go")
    wish = {"name": name, "seams": [hold, *seams]}
    command = threading.Thread(target=execute, args=(host, ["/bin/true"]), kwargs=wish)
    command.start()
    try:
        return json.loads(inside(host, name, REACH))
    finally:
        command.join()


POINTS = {
    "in all namespaces but the container's user namespace": "_kernel.user_namespace:enter",
    "in all namespaces": "_container.exec.enter:become_and_exec",
    "with the command's user and capabilities": "os:execve",
}


@pytest.mark.parametrize("name", ["default", "capable", "hosts-ids", "machine"])
@pytest.mark.parametrize("point", POINTS)
def test_cve_2016_9962_a_process_on_its_way_in_is_out_of_reach(host, name, point):
    target = POINTS[point]
    if name == "hosts-ids" and target == "_kernel.user_namespace:enter":
        # It has no such step: its helper is looked at where that one ends instead.
        target = "_container.exec.enter:become_command"
    start(host, name, **CONTAINERS[name])
    found = reach(host, name, target)
    assert set(found.values()) <= {"EPERM", "EACCES"}, found


def test_cve_2016_9962_it_is_in_reach_where_it_can_be_dumped_or_the_container_may_trace_all(host):
    start(host, "unfiltered", seccomp="unconfined")
    found = reach(host, "unfiltered", "os:execve", make_dumpable_before("os:execve"))
    assert set(found.values()) == {"reached"}, found
    start(host, "weak", **CONTAINERS["weak"])
    found = reach(host, "weak", "_container.exec.enter:become_and_exec")
    assert set(found.values()) == {"reached"}, found


# A command that is /proc/self/exe is the program of who executes it: the host's Python. The loader, which is the
# container's, waits at a pipe until we have that file open; then that process is killed, and the file opened to write.
OWN_PROGRAM = """
    os.symlink("/proc/self/exe", "/usr/bin/evil")
    os.mkfifo("/etc/ld.so.preload")
    deadline = time.monotonic() + 30
    fd = None
    while fd is None and time.monotonic() < deadline:
        for pid in set(os.listdir("/proc")) - {"1", str(os.getpid())}:
            try:
                # Not the process that is on its way in, which is a Python of the host's, too.
                executed = pid.isdigit() and open(f"/proc/{pid}/cmdline").read().startswith("evil")
                if executed and "python" in os.readlink(f"/proc/{pid}/exe"):
                    fd, victim = os.open(f"/proc/{pid}/exe", os.O_RDONLY), int(pid)
            except OSError:
                pass
    # Before the pipe goes: a loader that has not reached it yet would start the program.
    os.kill(victim, 9)
    os.unlink("/etc/ld.so.preload")
    os.unlink("/usr/bin/evil")
    open("/got-it", "w").close()
    while not os.path.exists("/module-has-ended") and time.monotonic() < deadline:
        time.sleep(0.005)
    os.close(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY))
    return "writable"
"""


def overwrite(host, name, python):
    """What comes of overwriting `python`, by which a command is run that is /proc/self/exe."""
    start(host, name, **CONTAINERS[name])
    found = []
    attacker = threading.Thread(target=lambda: found.append(inside(host, name, OWN_PROGRAM)))
    attacker.start()
    root = f"/var/lib/conductor/containers/{name}/rootfs"
    until(lambda: host.run("ls", f"{root}/etc/ld.so.preload", check=False).stdout, "the attacker waits")
    ended = host.module("conductor_exec", container=name, argv=["evil"], fails=True, python=python)
    assert ended.get("rc") == -9, (name, ended["msg"])
    host.run("touch", f"{root}/module-has-ended")
    attacker.join()
    return found[0]


def test_cve_2019_5736_the_hosts_program_cannot_be_overwritten(host):
    """Its owner is no id of the container. Weak: root with the host's ids, and an interpreter that nobody else runs
    by then; that of the supervisor is busy for as long as the container is.
    """
    other = "/run/python-of-another-playbook"
    host.run("sh", "-c", f"cp $(readlink -f {PYTHON}) {other}")
    assert overwrite(host, "weak", other) == "writable"
    for name in ("default", "capable", "machine"):
        assert overwrite(host, name, other) == "EACCES"
    assert overwrite(host, "hosts-ids", PYTHON) == "ETXTBSY"
    host.run("rm", other)
