"""System calls that a container may make: by the default profile, by a custom one, and without a filter."""

import ctypes
import json

import pytest
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
EPERM, ENOSYS = 1, 38
LIB = ctypes.CDLL("libseccomp.so.2")

# Makes the calls [[number, argument...], ...] one after the other and prints for each the error's number, or 0. Each in
# its own child, since some would change the process.
PROBE = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
answers = []
for call in json.loads(sys.argv[1]):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result = libc.syscall(*(ctypes.c_long(argument) for argument in call))
        os.write(writer, str(ctypes.get_errno() if result == -1 else 0).encode())
        os._exit(0)
    os.close(writer)
    answers.append(int(os.read(reader, 10) or -1))
    os.close(reader)
    os.waitpid(child, 0)
print(json.dumps(answers))
"""

# With harmless invalid arguments: the kernel's error for them differs from the filter's.
REFUSED = {
    "add_key": (0, 0, 0, 0, 0),
    "request_key": (0, 0, 0, 0),
    "keyctl": (9999, 0, 0, 0, 0),
    "bpf": (9999, 0, 0),
    "userfaultfd": (0xFFFF,),
    "perf_event_open": (0, 0, 0, 0, 0),
    "open_by_handle_at": (-1, 0, 0),
    "unshare": (0x10000000,),
    "setns": (-1, 0),
    "mount": (0, 0, 0, 0, 0),
    "umount2": (0, 0xFFFF),
    "open_tree": (-1, 0, 0xFFFF),
    "personality": (0x0040000,),
    "io_uring_setup": (0, 0),
    "kcmp": (0, 0, 99, 0, 0),
    "quotactl": (0xFFFF, 0, 0, 0),
    "pidfd_getfd": (-1, -1, 0),
    "move_pages": (0, 0, 0, 0, 0, 0xFFFF),
}
# The kernel, too, refuses these without the capability, or lacks them: a run without filter shows no difference.
REFUSED_TWICE = {
    "kexec_load": (0, 0, 0, 0),
    "kexec_file_load": (-1, -1, 0, 0, 0),
    "init_module": (0, 0, 0),
    "finit_module": (-1, 0, 0),
    "delete_module": (0, 0),
    "reboot": (0, 0, 0, 0),
    "swapon": (0, 0),
    "settimeofday": (0, 0),
    "acct": (0,),
    "fsopen": (0, 0xFFFF),
}

# An instruction that only 32-bit programs use, from a 64-bit one: keyctl has the number 288 there, getpid 20.
INT80 = """
import ctypes, mmap, sys
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push rbx; mov eax, NUMBER; xor ebx, ebx; int 0x80; pop rbx; ret
code.write(b"\\x53\\xb8" + int(sys.argv[1]).to_bytes(4, "little") + b"\\x31\\xdb\\xcd\\x80\\x5b\\xc3")
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""


def number_of(name):
    number = LIB.seccomp_syscall_resolve_name(name.encode())
    assert number >= 0, name
    return number


def start(host, name="web", **params):
    given = {"name": name, "image": "debian", "command": SLEEP, **params}
    return host.module("conductor_container", **given)["container"]


def inside(host, *argv, name="web", **params):
    return host.module("conductor_exec", container=name, argv=list(argv), **params)["stdout"]


def probe(host, calls, name="web"):
    """{call: number of the error, 0 for none} of `calls` {call: arguments}, made inside."""
    raw = json.dumps([[number_of(call), *arguments] for call, arguments in calls.items()])
    return dict(zip(calls, json.loads(inside(host, "/usr/bin/python3", "-c", PROBE, raw, name=name))))


PROFILE = "/etc/profile.json"


def write_profile(host, profile):
    host.run("sh", "-c", f"cat > {PROFILE}", stdin=profile if isinstance(profile, str) else json.dumps(profile))
    return PROFILE


@pytest.fixture(autouse=True)
def no_profile_stays(host):
    yield
    host.run("rm", "-f", PROFILE)


def deny(*names, action="SCMP_ACT_ERRNO", **more):
    """A profile that allows all but `names`."""
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": list(names), "action": action, **more}]}


def filters(host):
    return host.run("sh", "-c", "ls /var/lib/conductor/lib/seccomp-*.bpf", check=False).stdout.split()


def status_of(host, pid, field):
    lines = host.run("cat", f"/proc/{pid}/status").stdout.splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


def test_dangerous_calls_are_refused_where_they_were_not_without_the_filter(host):
    start(host)
    start(host, name="open", seccomp="unconfined")
    assert probe(host, REFUSED) == dict.fromkeys(REFUSED, EPERM)
    without = probe(host, REFUSED, name="open")
    assert EPERM not in without.values(), without
    assert set(probe(host, REFUSED_TWICE).values()) == {EPERM}


def test_clone3_is_answered_enosys_so_that_programs_take_clone(host):
    start(host)
    start(host, name="open", seccomp="unconfined")
    assert probe(host, {"clone3": (0, 0)}) == {"clone3": ENOSYS}
    assert probe(host, {"clone3": (0, 0)}, name="open") != {"clone3": ENOSYS}


def test_namespaces_are_refused_by_clone_as_well(host):
    start(host)
    start(host, name="open", seccomp="unconfined")
    flags = 0x10000000 | 17
    assert probe(host, {"clone": (flags, 0, 0, 0, 0)}) == {"clone": EPERM}
    assert probe(host, {"clone": (flags, 0, 0, 0, 0)}, name="open") == {"clone": 0}


def test_calls_of_32_bit_programs_are_refused(host):
    start(host)
    start(host, name="open", seccomp="unconfined")
    assert int(inside(host, "/usr/bin/python3", "-c", INT80, "20")) > 0, "getpid works"
    assert int(inside(host, "/usr/bin/python3", "-c", INT80, "288")) == -EPERM
    assert int(inside(host, "/usr/bin/python3", "-c", INT80, "288", name="open")) != -EPERM


def test_the_filter_follows_the_capabilities(host):
    start(host, capabilities={"add": ["SYS_ADMIN", "DAC_READ_SEARCH"]})
    answers = probe(host, {name: REFUSED[name] for name in ("mount", "open_by_handle_at", "keyctl")})
    assert answers.pop("keyctl") == EPERM
    assert EPERM not in answers.values()


def test_ordinary_programs_work(host):
    start(host)
    threads = "import threading; t = [threading.Thread(target=print) for _ in range(8)]; [x.start() for x in t]"
    inside(host, "/usr/bin/python3", "-c", threads)
    program = "import subprocess, asyncio, socket; subprocess.run(['true'], check=True); socket.socketpair()"
    inside(host, "/usr/bin/python3", "-c", f"{program}; asyncio.run(asyncio.sleep(0))")
    inside(host, "/bin/sh", "-c", "chown nobody /srv; mkfifo /p; chroot / true; su -s /bin/sh nobody -c 'id -un'")
    assert "nobody" in inside(host, "/bin/sh", "-c", "setpriv --reuid=nobody --clear-groups id -un")
    # apt's methods set their own filter with this option.
    inside(host, "/bin/sh", "-c", "apt-get -o APT::Sandbox::Seccomp=true check && apt-cache policy apt")


def test_systemd_boots_under_the_filter(host):
    facts = start(host, name="system", command=None, init=True)
    assert status_of(host, facts["pid"], "Seccomp") == "2"
    wait = "systemctl is-system-running --wait || true"
    said = until(lambda: inside(host, "/bin/sh", "-c", wait, name="system", timeout=60), "systemd answers", 60)
    assert said in ("running", "degraded")


def test_the_first_process_what_is_executed_and_a_restart_all_have_it(host):
    facts = start(host, restart_policy="always")
    first = [status_of(host, facts["pid"], field) for field in ("Seccomp", "Seccomp_filters")]
    assert first[0] == "2"
    show = "grep -E '^Seccomp(_filters)?:' /proc/self/status | cut -f2"
    assert inside(host, "/bin/sh", "-c", show).split() == first
    host.run("kill", "-9", str(facts["pid"]))

    def again():
        now = host.module("conductor_container_info", name="web")["containers"][0]
        return now["state"] == "running" and now["pid"] != facts["pid"] and now["pid"]

    pid = until(again, "the restart")
    assert [status_of(host, pid, field) for field in ("Seccomp", "Seccomp_filters")] == first
    assert probe(host, {"keyctl": REFUSED["keyctl"]}) == {"keyctl": EPERM}
    assert len(filters(host)) == 1


def test_unconfined_and_privileged_containers_have_none(host):
    assert status_of(host, start(host, seccomp="unconfined")["pid"], "Seccomp") == "0"
    assert status_of(host, start(host, name="all", privileged=True)["pid"], "Seccomp") == "0"
    assert inside(host, "/bin/sh", "-c", "grep ^Seccomp: /proc/self/status | cut -f2", name="all") == "0"
    assert filters(host) == []


def test_a_privileged_container_has_the_profile_that_is_given(host):
    start(host, privileged=True, seccomp=write_profile(host, deny("mkdir", errnoRet=13)))
    assert probe(host, {"mkdir": (0, 0), "keyctl": REFUSED["keyctl"]})["mkdir"] == 13


def test_a_profile_of_the_users_counts_for_commands_as_well(host):
    profile = write_profile(host, deny("mkdir", "mkdirat", errnoRet=13))
    params = {"seccomp": profile, "command": ["/bin/sh", "-c", "mkdir /made; exec sleep infinity"]}
    facts = start(host, **params)
    assert facts["seccomp"] == profile
    until(lambda: "Permission denied" in host.run("cat", facts["log_path"]).stdout, "the first process was refused")
    assert probe(host, {"mkdir": (0, 0), "keyctl": REFUSED["keyctl"]}) == {"mkdir": 13, "keyctl": 95}
    assert host.module("conductor_container", name="web", image="debian", **params)["changed"] is False


def test_changed_profile_requires_a_restart(host):
    start(host)
    profile = write_profile(host, deny("mkdir"))
    assert "restart: true" in host.module("conductor_container", name="web", seccomp=profile, fails=True)["msg"]
    host.module("conductor_container", name="web", state="stopped")
    changed = host.module("conductor_container", name="web", seccomp=profile)
    assert "change seccomp of container web" in changed["actions"]
    assert probe(host, {"mkdir": (0, 0)}) == {"mkdir": EPERM}


def test_a_running_container_keeps_the_filter_it_was_started_with(host):
    profile = write_profile(host, deny("mkdir", errnoRet=13))
    start(host, seccomp=profile)
    write_profile(host, deny("rmdir"))
    assert probe(host, {"mkdir": (0, 0), "rmdir": (0,)}) == {"mkdir": 13, "rmdir": 14}
    host.module("conductor_container", name="web", state="stopped")
    start(host)
    assert probe(host, {"mkdir": (0, 0), "rmdir": (0,)}) == {"mkdir": 14, "rmdir": EPERM}


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("no json", "is not JSON"),
        ("", "is not JSON"),
        ({**deny("mkdir"), "syscall": []}, "'syscall' is unknown"),
        (deny("mkdir", action="SCMP_ACT_NOTIFY"), "needs a listening program"),
        ({**deny("mkdir"), "architectures": ["SCMP_ARCH_VAX"]}, "does not know the architecture 'SCMP_ARCH_VAX'"),
        (" " * (1 << 20) + "{}", "larger than 1 MiB"),
    ],
    ids=["text", "empty", "key", "notify", "architecture", "large"],
)
@pytest.mark.parametrize("check", [True, False], ids=["check", "earnest"])
def test_invalid_profile_is_refused_before_any_change(host, profile, says, check):
    write_profile(host, profile)
    params = {"name": "web", "image": "debian", "seccomp": "/etc/profile.json", "check": check, "fails": True}
    for state in ("started", "present"):
        assert says in host.module("conductor_container", state=state, **params)["msg"]
    assert host.module("conductor_container_info")["containers"] == []
    host.module("conductor_container", name="web", image="debian", state="present")
    assert says in host.module("conductor_container", state="present", **params)["msg"]
    assert host.module("conductor_container_info")["containers"][0]["seccomp"] == "default"
    assert filters(host) == []


def test_seccomp_that_is_no_path_is_refused(host):
    said = host.module("conductor_container", name="web", image="debian", seccomp="profile.json", fails=True)["msg"]
    assert "neither default nor unconfined nor a path" in said


@pytest.mark.parametrize(
    ("names", "action", "says"),
    [
        (["execve"], "SCMP_ACT_ERRNO", "Check that the seccomp profile allows"),
        (["setgroups"], "SCMP_ACT_ERRNO", "user root: Operation not permitted"),
        (["execve"], "SCMP_ACT_KILL_PROCESS", "seccomp: the profile /etc/profile.json kills processes"),
        (["capset"], "SCMP_ACT_KILL", "seccomp: the profile /etc/profile.json kills processes"),
        (["setgroups", "write"], "SCMP_ACT_ERRNO", "ended before it executed the command"),
    ],
)
def test_profile_that_prevents_the_start_is_reported(host, names, action, says):
    profile = write_profile(host, deny(*names, action=action))
    assert (
        says
        in host.module("conductor_container", name="web", image="debian", command=SLEEP, seccomp=profile, fails=True)[
            "msg"
        ]
    )
    assert host.module("conductor_container_info")["containers"][0]["state"] == "created"


def test_a_program_that_the_profile_kills_ends_as_by_any_signal(host):
    profile = write_profile(host, deny("mkdir", "mkdirat", action="SCMP_ACT_KILL_PROCESS"))
    start(host, seccomp=profile)
    assert host.module("conductor_exec", container="web", argv=["/bin/mkdir", "/x"], fails=True)["rc"] == -31


def test_a_damaged_filter_is_built_again(host):
    start(host)
    (path,) = filters(host)
    whole = host.run("sha256sum", path).stdout
    for damage in (f"truncate -s 808 {path}", f"rm {path}", f"printf x | dd of={path} seek=99 bs=1 conv=notrunc"):
        host.run("sh", "-c", damage)
        assert probe(host, {"keyctl": REFUSED["keyctl"]}) == {"keyctl": EPERM}, damage
        assert host.run("sha256sum", path).stdout == whole
    host.run("truncate", "-s", "0", path)
    start(host, name="other")
    assert host.run("sha256sum", path).stdout == whole
    assert host.run("stat", "-c", "%a %U", path).stdout == "600 root\n"


def test_commands_are_refused_if_the_filter_is_lost(host):
    profile = write_profile(host, deny("mkdir"))
    start(host, seccomp=profile)
    host.run("sh", "-c", f"rm {' '.join(filters(host))} {profile}")
    failed = host.module("conductor_exec", container="web", argv=["true"], fails=True)
    assert "No such file" in failed["msg"]
    write_profile(host, deny("rmdir"))
    failed = host.module("conductor_exec", container="web", argv=["true"], fails=True)
    assert "Restart web with" in failed["msg"]


def test_without_the_library_nothing_is_made_and_unconfined_is_the_way_out(host):
    # Directories of the loader (ld.so(8)): /lib* are symlinks to them, or separate directories.
    found = host.run("sh", "-c", "find /lib*/ /usr/lib*/ -name 'libseccomp.so*' -exec realpath {} + | sort -u")
    libraries = found.stdout.split()
    for path in libraries:
        host.run("mount", "--bind", "/dev/null", path)
    try:
        for check in (True, False):
            failed = host.module("conductor_container", name="web", image="debian", check=check, fails=True)
            assert "libseccomp2" in failed["msg"]
            assert "seccomp: unconfined" in failed["msg"]
        assert host.module("conductor_container_info")["containers"] == []
        start(host, seccomp="unconfined")
    finally:
        for path in libraries:
            host.run("umount", path)


def test_no_new_privileges_keeps_setuid_programs_from_raising(host):
    make = "cp /usr/bin/id /usr/local/bin/rootid && chmod 4755 /usr/local/bin/rootid"
    for name, wanted, uid in (("plain", False, "0"), ("web", True, "65534")):
        facts = start(host, name=name, no_new_privileges=wanted)
        assert status_of(host, facts["pid"], "NoNewPrivs") == str(int(wanted))
        inside(host, "/bin/sh", "-c", make, name=name)
        assert inside(host, "/usr/local/bin/rootid", "-u", name=name, user="nobody") == uid
        assert inside(host, "/bin/sh", "-c", "grep ^NoNewPrivs /proc/self/status | cut -f2", name=name) == str(
            int(wanted)
        )


def test_a_user_without_rights_gets_filter_and_no_new_privileges_as_well(host):
    facts = start(host, user="nobody", no_new_privileges=True, capabilities={"drop": ["ALL"]})
    assert status_of(host, facts["pid"], "Seccomp") == "2"
    assert status_of(host, facts["pid"], "NoNewPrivs") == "1"


def test_the_hosts_ids_change_nothing(host):
    start(host, userns="host")
    assert probe(host, REFUSED) == dict.fromkeys(REFUSED, EPERM)
