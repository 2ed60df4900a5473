"""Those inside stop or freeze what enters their container: whoever waits for it waits no longer than was said, holds no
lock meanwhile, and can always stop the container.
"""

import threading
import time

import pytest
from attacks import SLEEP, execute, inside, start
from hostile import STORM, program
from image_cache import mount_image
from seams.faults import set_value
from waiting import until

# Long enough for a busy machine, and far below the time for which the tricks hold.
GENEROUS = 25


def module(host, module, /, **params):
    """A module's result, failed or not; the test fails where it takes too long."""
    began = time.monotonic()
    try:
        return host.module(module, **params)
    except AssertionError as error:
        assert hasattr(error, "result"), error
        return error.result
    finally:
        assert time.monotonic() - began < GENEROUS, (module, params)


@pytest.fixture(params=["stopped", "frozen"])
def trap(host, request):
    """Container box, in which nothing that enters ever runs its program."""
    if request.param == "stopped":
        start(host, "box", command=program(STORM), stop_timeout=1)
        log = "/var/lib/conductor/containers/box/console.log"
        until(lambda: "ready" in host.run("cat", log).stdout, "the storm blows")
        return host
    freeze(host)
    return host


def freeze(host):
    """Start container box with systemd, and have its first process frozen, and with it what enters."""
    start(host, "box", init=True, command=None, stop_timeout=1)
    frozen = "/sys/fs/cgroup/init.scope"
    until(lambda: inside(host, "box", f"return os.path.isdir('{frozen}')") == "True", "systemd has its cgroup")
    # By one who is not in there.
    body = f"""
    if os.fork() == 0:
        os.setsid()
        os.makedirs("/sys/fs/cgroup/aside", exist_ok=True)
        open("/sys/fs/cgroup/aside/cgroup.procs", "w").write("0")
        time.sleep(0.5)
        open("{frozen}/cgroup.freeze", "w").write("1")
        os._exit(0)
    return "soon"
    """
    inside(host, "box", body)
    events = "cat $(find /sys/fs/cgroup -path '*conductor/box/init.scope/cgroup.events')"
    until(lambda: "frozen 1" in host.run("sh", "-c", events).stdout, "pid 1 is frozen")


def processes(host):
    """Pids in the container's cgroup."""
    where = "cat $(find /sys/fs/cgroup -path '*conductor/box*' -name cgroup.procs)"
    # That of a threaded cgroup cannot be read.
    return set(host.run("sh", "-c", where, check=False).stdout.split())


def test_a_command_ends_with_its_timeout_and_leaves_nothing(trap):
    before = processes(trap)
    found = module(trap, "conductor_exec", container="box", argv=["/bin/sleep", "1000"], timeout=3)
    assert "box" in found["msg"] and "ran longer than 3 s" in found["msg"] and found["rc"] is None
    until(lambda: processes(trap) <= before, "what entered is gone")


def test_a_container_can_be_stopped_while_somebody_waits_for_it(trap):
    said, before = [], processes(trap)
    # No command that ends: the storm may let one pass.
    wish = {"name": "box", "wait": ["/bin/sleep", "1000"], "wait_timeout": 600}
    waiting = threading.Thread(target=lambda: said.append(trap.module("conductor_container", **wish, fails=True)))
    waiting.start()
    until(lambda: processes(trap) - before, "somebody has entered")
    found = module(trap, "conductor_container", name="box", state="stopped")
    assert found["changed"] and found["container"]["state"] in ("stopped", "exited")
    waiting.join(GENEROUS)
    assert said and "container box stopped before it was ready" in said[0]["msg"], said
    assert module(trap, "conductor_container", name="box", state="absent")["changed"]


def test_waiting_for_a_container_ends_with_its_timeout(trap):
    found = module(trap, "conductor_container", name="box", wait=["/bin/sleep", "1000"], wait_timeout=3)
    assert "container box was not ready after 3 s" in found["msg"]


def test_a_stopped_first_process_is_killed_after_its_stop_timeout(host):
    start(host, "box", command=SLEEP, stop_timeout=1)
    pid = host.module("conductor_container_info", name=["box"])["containers"][0]["pid"]
    host.run("kill", "-STOP", str(pid))
    assert module(host, "conductor_container", name="box", state="stopped")["changed"]


def test_output_without_end_does_not_outrun_a_timeout(host):
    """There is always something to read, so that nobody ever waits."""
    start(host, "box")
    argv = ["/bin/sh", "-c", "setsid yes & exec yes"]
    found = module(host, "conductor_exec", container="box", argv=argv, timeout=2, output_limit="1m")
    assert "container box" in found["msg"] and len(found["stdout"]) <= 1 << 20 and found["stdout_truncated"]
    where = "$(find /sys/fs/cgroup -path '*conductor/box' -type d | head -1)/cgroup.procs"
    names = f"for p in $(cat {where}); do cat /proc/$p/comm; done"
    until(lambda: host.run("sh", "-c", names).stdout.split() == ["sleep"], "all that it has begun is gone")


def test_a_command_that_cannot_begin_is_an_error_in_any_case(host):
    freeze(host)
    timeout = set_value("_container.exec.enter:ENTRY_TIMEOUT", value=2.0)
    found = execute(host, ["/bin/true"], seams=[timeout], fails=True)
    assert "container box: the command did not begin within 2 s" in found["msg"]


def test_a_cgroup_inside_may_have_any_name(host):
    start(host, "box", init=True, command=None, stop_timeout=1)
    body = r"""
    top = b"/sys/fs/cgroup/\xff\xfe \x1b[2J"
    os.mkdir(top)
    open(top + b"/cgroup.procs", "w").write("1")
    return open("/proc/1/cgroup", "rb").read().count(b"\xff\xfe")
    """
    assert inside(host, "box", body) == "1"
    assert module(host, "conductor_exec", container="box", argv=["/bin/echo", "entered"])["stdout"] == "entered"
    assert module(host, "conductor_container", name="box", state="absent")["changed"]


@pytest.fixture
def threaded(bare_host, cached_image):
    """A host with cgroups of version 2 only, on which root in container box has made threaded cgroups of each kind."""
    mount_image(bare_host, cached_image)
    bare_host.run("umount", "--all", "--types", "cgroup")
    start(bare_host, "box", init=True, command=None, stop_timeout=1)
    body = """
    os.chdir("/sys/fs/cgroup")
    os.makedirs("aside/threads")
    open("aside/threads/cgroup.type", "w").write("threaded")
    os.mkdir("aside/threads/invalid")
    return [open(f"{name}/cgroup.type").read().strip() for name in ("aside", "aside/threads", "aside/threads/invalid")]
    """
    assert inside(bare_host, "box", body) == str(["domain threaded", "threaded", "domain invalid"])
    return bare_host


def test_a_threaded_cgroup_hides_no_process_from_a_timeout(threaded):
    """A process in it is one of the domain above (cgroup-v2.rst, "Threads")."""
    before = processes(threaded)
    move = "echo 0 > /sys/fs/cgroup/aside/threads/cgroup.procs; sleep 1000 & exec sleep 1000"
    found = module(threaded, "conductor_exec", container="box", argv=["/bin/sh", "-c", move], timeout=2)
    assert "ran longer than 2 s" in found["msg"] and found["rc"] is None
    until(lambda: processes(threaded) <= before, "the command is gone")


def test_a_container_with_threaded_cgroups_is_restarted_and_removed(threaded):
    # Otherwise systemd would remove them when it is stopped.
    pid = threaded.module("conductor_container_info", name=["box"])["containers"][0]["pid"]
    threaded.run("kill", "-STOP", str(pid))
    assert threaded.module("conductor_container", name="box", state="restarted")["changed"]
    assert threaded.module("conductor_container", name="box", state="absent")["changed"]
