"""Ways out over a process of the host's that comes in: the first process of a start, and the command of an exec.

CVE-2024-21626 (descriptors that leak, a working directory by them), CVE-2019-14271 (libraries of the container loaded
by it), commands that come before the container is one, keys and the terminal of who runs the module. Weak: the same
modules with the one defence taken away.
"""

import json
import re
import threading
import uuid

import pytest
from attacks import CONTAINERS, execute, inside, patched, program, start
from seams.audits import audit_from_chdir, audit_from_pivot_root, audit_from_setns, audit_until_exec
from seams.defenses import (
    enter_before_exec,
    keep_descriptors_of_builds,
    keep_descriptors_of_commands,
    keep_descriptors_of_first_process,
    keep_keyring,
    keep_terminal,
    mask_files_with_writable_null,
)
from seams.interference import create_file_before, hold_before, import_before
from small_image import IMAGES, make_runnable_archive
from supervision import supervisor_pid
from waiting import until

LEAK = ["sh", "-c", 'exec 9</; exec "$@"', "sh"]
READ_SECRET = ["/bin/sh", "-c", "cat run/secret"]
KINDS = pytest.mark.parametrize("kind", ["default", "machine"])


@pytest.fixture
def secret(host):
    """A file of the host's with a text that only it has."""
    text = uuid.uuid4().hex
    host.run("tee", "/run/secret", stdin=text)
    yield text
    host.run("rm", "/run/secret")


@KINDS
def test_cve_2024_21626_a_command_has_no_descriptor_of_the_modules(host, secret, kind):
    start(host, "box", **CONTAINERS[kind])
    argv = ["/bin/cat", "/proc/self/fd/9/run/secret"]
    assert execute(host, argv, seams=[keep_descriptors_of_commands], wrapper=LEAK)["stdout"] == secret
    assert "No such file" in execute(host, argv, wrapper=LEAK, fails=True)["stderr"]


@KINDS
@pytest.mark.parametrize("directory", ["/proc/self/fd/9", "/app"])
def test_cve_2024_21626_a_commands_working_directory_by_a_descriptor(host, secret, directory, kind):
    start(host, "box", **CONTAINERS[kind])
    inside(host, "box", 'os.symlink("/proc/self/fd/9", "/app")')
    weak = execute(host, READ_SECRET, seams=[keep_descriptors_of_commands], chdir=directory, wrapper=LEAK)
    assert weak["stdout"] == secret
    refused = execute(host, READ_SECRET, chdir=directory, wrapper=LEAK, fails=True)
    assert f"working directory {directory}: No such file" in refused["msg"]


@KINDS
def test_cve_2024_21626_no_descriptor_of_our_own_leads_out_while_the_command_starts(host, secret, kind):
    """Its cgroup's directory was it in runc. What is open then are pipes and namespaces, which are no directories."""
    start(host, "box", **CONTAINERS[kind])
    for number in range(3, 25):
        refused = execute(host, READ_SECRET, chdir=f"/proc/self/fd/{number}", fails=True)
        assert any(reason in refused["msg"] for reason in ("Not a directory", "No such file")), refused["msg"]


def test_cve_2024_21626_a_containers_working_directory_by_a_descriptor(host, secret):
    wish = {"image": "debian", "working_dir": "/proc/self/fd/9", "wrapper": LEAK}
    command = ["/bin/sh", "-c", "cat run/secret > /got; exec sleep infinity"]
    weaker = [keep_descriptors_of_first_process]
    patched(host, "conductor_container", seams=weaker, name="weak", command=command, **wish)
    got = until(lambda: host.run("cat", "/var/lib/conductor/containers/weak/rootfs/got", check=False).stdout, "got")
    assert got == secret
    refused = patched(host, "conductor_container", name="box", command=command, fails=True, **wish)
    assert "working directory /proc/self/fd/9: No such file" in refused["msg"]


def test_cve_2024_21626_commands_in_an_image_have_no_descriptor_of_the_modules(bare_host):
    """They run while an image is made, and their programs may be a hostile archive's."""
    bare_host.run("sh", "-c", "echo text-of-the-host > /run/secret")
    source = make_runnable_archive(bare_host)
    wish = {"source": source, "commands": ["cat /proc/self/fd/9/run/secret > /got"], "wrapper": LEAK}
    weaker = [keep_descriptors_of_builds, keep_descriptors_of_first_process]
    patched(bare_host, "conductor_image", seams=weaker, name="weak", **wish)
    assert bare_host.run("cat", f"{IMAGES}/weak/rootfs/got").stdout == "text-of-the-host\n"
    refused = patched(bare_host, "conductor_image", name="image", fails=True, **wish)
    assert "No such file" in refused["msg"], refused["msg"]


def test_no_command_runs_before_the_container_is_one(host, secret):
    """The first process is known before it has left the host's root. The attacker is a container that ends and starts
    all the time; the victim is who runs a command in it.
    """
    hold = hold_before("_container.init_process:mount_all", until="/run/go")
    announce = create_file_before("_kernel.processes:ProcessId.wait_for_exec", path="/run/asked")
    wish = {"name": "box", "image": "debian", "command": ["/bin/sleep", "infinity"], "seams": [hold]}
    starting = threading.Thread(target=patched, args=(host, "conductor_container"), kwargs=wish)
    starting.start()
    try:
        until(lambda: "box.json" in host.run("ls", "/run/conductor/containers", check=False).stdout, "it is forked")
        argv = ["/bin/cat", "/run/secret"]
        assert execute(host, argv, seams=[enter_before_exec, announce])["stdout"] == secret
        host.run("rm", "/run/asked")
        results = []
        command = threading.Thread(target=lambda: results.append(execute(host, argv, seams=[announce], fails=True)))
        command.start()
        until(lambda: host.run("ls", "/run/asked", check=False).stdout, "the command waits")
    finally:
        host.run("touch", "/run/go")
        starting.join()
    command.join()
    assert "/run/secret: No such file" in results[0]["stderr"]
    host.run("rm", "/run/go", "/run/asked")


# What was imported, opened and mapped since the files are the container's.
AUDIT = [
    audit_from_pivot_root,
    audit_from_setns(marker="/marks-the-container"),
    # The root of a machine's first process is changed by another process.
    audit_from_chdir(marker="/marks-the-container"),
    audit_until_exec(path="/audit"),
]
# What the entering process has to read there: its user, its own state. Settings are opened below the host's /proc/sys.
MAY_OPEN = {
    "open '/'",
    "open '/proc/self/status'",
    "open '/proc/self/fd/N'",
    "open 'net/ipvN/ip_unprivileged_port_start'",
    "open 'net/ipvN/ping_group_range'",
}


def audit(host, way, options, *seams):
    host.run("rm", "-f", "/var/lib/conductor/containers/box/rootfs/audit")
    if way == "exec":
        execute(host, ["/bin/true"], seams=[*AUDIT, *seams])
    else:
        host.module("conductor_container", name="box", state="stopped")
        # Another one, with the seams, starts it.
        until(lambda: supervisor_pid(host) is None, "the supervisor of the test's begin has ended")
        patched(host, "conductor_container", seams=[*AUDIT, *seams], name="box", image="debian", **options)
    # The supervisor's is on the host.
    host.run("rm", "-f", "/audit")
    return json.loads(host.run("cat", "/var/lib/conductor/containers/box/rootfs/audit").stdout)


@KINDS
@pytest.mark.parametrize("way", ["exec", "start"])
def test_cve_2019_14271_nothing_of_the_container_is_loaded_into_a_process_of_ours(host, way, kind):
    """Neither by an import that is made late, nor by the C library's name services, which are libraries."""
    start(host, "box", **CONTAINERS[kind])
    inside(
        host, "box",
        """
        open("/marks-the-container", "w").close()
        os.makedirs("/opt", exist_ok=True)
        open("/opt/lazily_imported.py", "w").write("open('/was-executed', 'w').close()")
        """,
    )  # fmt: skip
    lazy = import_before("_container.exec.privileges:resolve_user", module="lazily_imported", path="/opt")
    weak = audit(host, way, CONTAINERS[kind], lazy)
    assert "import 'lazily_imported'" in weak["seen"]
    assert inside(host, "box", 'os.unlink("/was-executed"); return "executed"') == "executed"
    found = audit(host, way, CONTAINERS[kind])
    assert {re.sub("[0-9]+", "N", seen) for seen in found["seen"]} <= MAY_OPEN, found
    assert found["mapped"] == [], found


KEY = """
import ctypes, os, platform, sys
libc = ctypes.CDLL(None)
keyctl, add_key = (250, 248) if platform.machine() == "x86_64" else (219, 217)
assert libc.syscall(keyctl, 1, None) > 0
assert libc.syscall(add_key, b"user", b"conductor-test", b"of-the-host", 11, -3) > 0
os.execvp(sys.argv[1], sys.argv[1:])
"""
FIND_KEY = program("""
key = kernel(KEYCTL, 10, -3, b"user", b"conductor-test", 0)
text = ctypes.create_string_buffer(64)
kernel(KEYCTL, 11, key, text, 64)
return text.value.decode()
""")


@pytest.mark.parametrize("way", ["exec", "start"])
def test_keys_of_who_runs_the_module_are_not_found_inside(host, way):
    """The session keyring is inherited, and who inherits it possesses its keys, whatever their owner."""
    wrapper = ["python3", "-c", KEY]
    if way == "exec":
        start(host, "box", seccomp="unconfined")

    def found(name, *seams):
        if way == "exec":
            return execute(host, ["/usr/bin/python3", "-c", FIND_KEY], seams=seams, wrapper=wrapper)["stdout"]
        command = ["/usr/bin/python3", "-c", FIND_KEY]
        wish = {"name": name, "image": "debian", "command": command, "seccomp": "unconfined"}
        # The first container, which is started by a child of the module.
        until(lambda: supervisor_pid(host) is None, "no supervisor runs")
        patched(host, "conductor_container", seams=seams, wrapper=wrapper, **wish)
        return until(
            lambda: host.module("conductor_container_info", name=[name])["containers"][0]["log"], "it has printed"
        ).strip()

    assert found("weak", keep_keyring) == "of-the-host"
    assert found("strong") == "ENOKEY"


TERMINAL = """
import fcntl, os, pty, sys, termios
master, slave = pty.openpty()
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.setsid()
fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_the_terminal_of_who_runs_the_module_is_not_inside(host):
    """Who has it can type commands at it (TIOCSTI, CVE-2016-2781 and others)."""
    start(host, "box")
    argv = ["/usr/bin/python3", "-c", program('os.close(os.open("/dev/tty", os.O_RDWR)); return "opened"')]
    wrapper = ["python3", "-c", TERMINAL]
    assert execute(host, argv, seams=[keep_terminal], wrapper=wrapper)["stdout"] == "opened"
    assert execute(host, argv, wrapper=wrapper)["stdout"] == "ENXIO"


def test_the_hosts_null_device_is_not_in_reach_of_root_with_the_hosts_ids(host):
    """Its mode would be changed for all of the host. To the one that it has, here."""
    body = 'os.chmod("/proc/keys", 0o666); return "changed"'
    wish = {"image": "debian", "command": ["/bin/sleep", "infinity"], "userns": "host"}
    patched(host, "conductor_container", seams=[mask_files_with_writable_null], name="weak", **wish)
    assert inside(host, "weak", body) == "changed"
    start(host, "box", userns="host")
    assert inside(host, "box", body) == "EROFS"
    argv = ["/usr/bin/python3", "-c", "import os, stat; print(stat.S_ISCHR(os.fstat(0).st_mode))"]
    execute(host, argv, detach=True)
    log = until(lambda: host.module("conductor_container_info", name=["box"])["containers"][0]["log"], "it is logged")
    assert log == "False\n", "a command that is left running has not the host's /dev/null as its input"


@pytest.mark.parametrize(("ids", "told"), [("", "no id map"), ("5 0 1", "not permitted")], ids=["none", "no-root"])
def test_a_first_process_that_went_on_to_a_user_namespace_of_its_own_is_one_line_of_error(host, ids, told):
    """Where nothing is filtered it may; commands follow it, and have no more rights than it has there."""
    body = f"""
    kernel("unshare", 0x10000000)
    if "{ids}":
        open("/proc/self/setgroups", "w").write("deny")
        open("/proc/self/uid_map", "w").write("{ids}")
    print("there", flush=True)
    time.sleep(1e6)
    """
    start(host, "box", seccomp="unconfined", command=["/usr/bin/python3", "-c", program(body)])
    until(lambda: host.module("conductor_container_info", name=["box"])["containers"][0]["log"] == "there\n", "it went")
    assert told in host.module("conductor_exec", container="box", argv=["/bin/true"], fails=True)["msg"]
