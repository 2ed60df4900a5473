"""Resource limits of processes inside: independent of the caller, options, and no core dumps."""

import copy
from pathlib import Path

import pytest
from waiting import until

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
CRASH = (
    "import os, signal; child = os.fork() or os.kill(os.getpid(), signal.SIGSEGV); "
    "print(os.WCOREDUMP(os.waitpid(child, 0)[1]))"
)


def through(host, *argv):
    """The same host, with each program run by `argv`."""
    changed = copy.copy(host)
    changed.enter = [*host.enter, *argv]
    return changed


def start(host, **params):
    return host.module("conductor_container", **{**WEB, **params})["container"]


def inside(host, *argv):
    return host.module("conductor_exec", container="web", argv=list(argv))["stdout"]


def limits_of(text):
    """{"Max open files": (soft, hard), ...} of /proc/PID/limits."""
    return {line[:26].strip(): tuple(line[26:].split()[:2]) for line in text.splitlines()[1:]}


def both(host):
    """Limits of the first process, and of a command."""
    return [limits_of(inside(host, "cat", f"/proc/{process}/limits")) for process in ("1", "self")]


def without_the_right(host):
    return through(host, "setpriv", "--inh-caps=-sys_resource", "--bounding-set=-sys_resource", "--")


def test_limits_do_not_depend_on_the_caller(host):
    low = ["--nofile=200:", "--core=0:", "--as=4000000000:", "--stack=1000000:", "--memlock=65536:", "--nproc=900:"]
    start(host)
    usual = both(host)
    assert usual[0] == usual[1]
    assert usual[0]["Max open files"][0] == "1024" and usual[0]["Max core file size"] == ("1", "1")
    assert usual[0]["Max address space"] == ("unlimited", "unlimited")
    assert usual[0]["Max stack size"][0] == usual[0]["Max locked memory"][0] == "8388608"
    threads = int(Path("/proc/sys/kernel/threads-max").read_text())
    assert int(usual[0]["Max processes"][0]) <= threads // 2
    host.module("conductor_container", name="web", state="absent")
    poor = through(host, "prlimit", *low, "--")
    start(poor)
    assert both(poor) == both(host) == usual


def test_message_queues_do_not_depend_on_limits_of_the_caller(host):
    """The kernel also counts them for the whole namespace, against the limit of the process that created it."""
    start(through(host, "prlimit", "--msgqueue=1000:", "--"))
    script = "import ctypes; print(ctypes.CDLL(None).mq_open(b'/queue', 0o102, 0o600, None) >= 0)"
    assert inside(host, "python3", "-c", script) == "True"


def test_ulimits_apply_to_the_first_process_and_to_commands(host):
    facts = start(host, ulimits=["nofile:100:200", "fsize:4096", "cpu:unlimited", "core:0:5"])
    assert facts["ulimits"] == ["core:0:5", "cpu:unlimited:unlimited", "fsize:4096:4096", "nofile:100:200"]
    for limits in both(host):
        assert limits["Max open files"] == ("100", "200") and limits["Max file size"] == ("4096", "4096")
        assert limits["Max core file size"] == ("0", "5")
    assert not host.module("conductor_container", **WEB, ulimits=facts["ulimits"])["changed"]
    assert inside(host, "sh", "-c", "ulimit -n 200; ulimit -n; ulimit -n 201 2>/dev/null || echo no") == "200\nno"


def test_limits_hold_after_a_restart_by_policy(host):
    facts = start(host, ulimits=["nofile:100:200"], oom_score_adj=300, restart_policy="always")
    host.run("kill", "-9", str(facts["pid"]))
    again = until(
        lambda: (f := host.module("conductor_container_info", name=["web"])["containers"][0])["restarts"] == 1
        and f["state"] == "running" and f,
        "it runs again",
    )  # fmt: skip
    # It is there before it has its limits, and runs its command with them.
    process = f"/proc/{again['pid']}"
    until(lambda: "sleep" in host.run("cat", f"{process}/cmdline").stdout, "its command runs")
    assert limits_of(host.run("cat", f"{process}/limits").stdout)["Max open files"] == ("100", "200")
    assert host.run("cat", f"{process}/oom_score_adj").stdout == "300\n"


def test_very_low_limits_do_not_prevent_start_and_exec(host):
    start(host, ulimits=["as:20000000", "nofile:10", "fsize:0", "stack:300000"])
    assert limits_of(inside(host, "cat", "/proc/self/limits"))["Max address space"] == ("20000000", "20000000")


def test_limit_above_the_hosts_is_refused_before_any_change(host):
    poor = through(without_the_right(host), "prlimit", "--nofile=512:600", "--msgqueue=1000:1000", "--")
    for check in (True, False):
        told = poor.module("conductor_container", **WEB, ulimits=["nofile:601"], check=check, fails=True)["msg"]
        assert "hard limit 601 of nofile exceeds 600" in told and "SYS_RESOURCE" in told
        told = poor.module("conductor_container", **WEB, ulimits=["msgqueue:unlimited"], check=check, fails=True)["msg"]
        assert "hard limit unlimited of msgqueue exceeds 1000" in told
    assert host.run("ls", "/var/lib/conductor", check=False).stdout.split() == ["images"]
    start(poor, ulimits=["nofile:600"])
    assert both(poor)[0]["Max open files"] == ("600", "600")
    host.module("conductor_container", name="web", state="absent")
    start(poor)
    assert both(poor)[0]["Max open files"] == ("600", "600"), "a default is as high as it can be"


def test_a_limit_changes_with_the_next_start(host):
    start(host)
    refused = host.module("conductor_container", **WEB, ulimits=["nofile:77"], fails=True)["msg"]
    assert "web: ulimits cannot change while the container runs" in refused and "stop it first" in refused
    host.module("conductor_container", name="web", state="stopped", ulimits=["nofile:77"], oom_score_adj=5)
    start(host)
    assert both(host)[0]["Max open files"] == ("77", "77")


@pytest.mark.parametrize(("ulimits", "dumped"), [([], "False"), (["core:unlimited"], "True")])
def test_a_crash_inside_leaves_no_dump_unless_that_was_asked_for(host, ulimits, dumped):
    start(host, ulimits=ulimits)
    assert inside(host, "python3", "-c", f"import os; os.chdir('/tmp'); {CRASH}") == dumped
    raised = inside(host, "sh", "-c", "ulimit -c unlimited 2>/dev/null && echo raised || echo kept")
    assert raised == ("raised" if ulimits else "kept")


def test_the_oom_score_holds_for_the_first_process_and_commands_and_not_for_the_supervisor(host):
    facts = start(host, oom_score_adj=500)
    assert inside(host, "cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj") == "500\n500"
    parent = host.run("sh", "-c", f"grep PPid /proc/{facts['pid']}/status").stdout.split()[1]
    assert int(host.run("cat", f"/proc/{parent}/oom_score_adj").stdout) <= 0
    host.module("conductor_container", name="web", state="absent")
    start(through(host, "choom", "-n", "700", "--"))
    assert inside(host, "cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj") == "0\n0"


def test_negative_oom_score_without_capability_is_refused_before_any_change(host):
    for check in (True, False):
        told = without_the_right(host).module("conductor_container", **WEB, oom_score_adj=-1, check=check, fails=True)[
            "msg"
        ]
        assert "oom_score_adj cannot be -1" in told and "SYS_RESOURCE" in told
    assert host.run("ls", "/var/lib/conductor", check=False).stdout.split() == ["images"]


USE = ["/usr/bin/python3", "-c", "import time; x = b'x' * (40 << 20); print('has', flush=True); time.sleep(1e6)"]


def cgroup_file(host, *names):
    """Content of the first of these cgroup files of container box that exists on this host."""
    wanted = " -o ".join(f"-name {name}" for name in names)
    shown = host.run("sh", "-c", f"cat $(find /sys/fs/cgroup -path '*/conductor/box/*' '(' {wanted} ')')")
    return shown.stdout.split()[0]


def test_memory_below_use_is_refused_by_its_name_and_nothing_is_changed(host):
    wish = {"name": "box", "image": "debian", "command": USE}
    host.module("conductor_container", **wish, memory="200m")
    until(lambda: host.module("conductor_container_info", name=["box"])["containers"][0]["log"], "it uses it")
    for check in (True, False):
        refused = host.module("conductor_container", **wish, memory="10m", stop_timeout=3, check=check, fails=True)[
            "msg"
        ]
        assert "box: memory cannot be limited to 10485760 bytes" in refused and "stop the container first" in refused
    facts = host.module("conductor_container_info", name=["box"])["containers"][0]
    assert (facts["memory"], facts["stop_timeout"], facts["state"]) == (200 << 20, 10.0, "running")
    assert cgroup_file(host, "memory.limit_in_bytes", "memory.max") == str(200 << 20)
    assert host.module("conductor_container", **wish, memory="100m")["actions"] == [
        "apply the limits of container box", "change memory of container box",
    ]  # fmt: skip
    assert cgroup_file(host, "memory.limit_in_bytes", "memory.max") == str(100 << 20)


def test_an_endless_fork_inside_ends_at_the_default_number_of_processes(host):
    wish = {"name": "box", "image": "debian", "command": ["/bin/sleep", "infinity"]}
    assert host.module("conductor_container", **wish)["container"]["pids"] == 2048
    assert cgroup_file(host, "pids.max") == "2048"
    assert not host.module("conductor_container", **wish, pids=2048)["changed"]
    host.module("conductor_container", **wish, pids=0)
    assert cgroup_file(host, "pids.max") == "max"


def test_swap_is_none_beyond_memory_unless_it_is_given(host):
    wish = {"name": "box", "image": "debian", "command": ["/bin/sleep", "infinity"], "memory": "64m"}
    assert host.module("conductor_container", **wish)["container"]["memory_swap"] == 0
    changed = host.module("conductor_container", **wish, memory_swap="unlimited")
    assert changed["container"]["memory_swap"] == -1 and not changed["container"]["restarts"]
    refused = host.module("conductor_container", **wish, memory_swap="32m", fails=True)["msg"]
    assert "memory_swap" in refused and "less than memory" in refused


def test_priority_cpus_and_personality_of_the_caller_are_not_inherited(host):
    caller = through(host, "nice", "-n", "7", "taskset", "--cpu-list", "0", "setarch", "--addr-no-randomize")
    caller.module("conductor_container", **WEB)
    scheduling = "grep Cpus_allowed_list /proc/1/status; cat /proc/1/personality"
    inside = host.module("conductor_exec", container="web", argv=["/bin/sh", "-c", f"ps -o ni= -p 1; {scheduling}"])
    assert inside["stdout"].split() == ["0", *host.run("sh", "-c", scheduling).stdout.split()]
