"""CVE-2019-14271, on the installed programs: no module of a container is loaded on the way into it, by any Python.

The container has a trap of each name that Python could import, where that Python looks: a trap leaves its name in
/loaded. The programs run as they do on a host, with -I -S: whatever else a test loads would hide what they load late.
"""

import contextlib
import functools
import glob
import json
import os
import subprocess
from pathlib import Path

import pexpect
import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client as stream
from entry_server import EntryServer
from host_command import PROGRAM
from testhost import PYTHON, ModuleFailed
from waiting import until

ROOT = "/var/lib/conductor/containers/box/rootfs"
UPPER = "/var/lib/conductor/containers/box/upper"
SLEEP = ["/bin/sleep", "infinity"]
TRAP = "import posix\nposix.close(posix.open('/loaded/' + __name__, posix.O_CREAT | posix.O_WRONLY, 0o666))\n"
# Run by the Python in question: where it looks, and all names that it could look for.
LOOKS = """
import json, os, sys
found = []
for top in sys.path:
    for directory, below, files in os.walk(top):
        below[:] = [name for name in below if name.isidentifier() and name not in ("test", "idlelib", "lib2to3")]
        package = os.path.relpath(directory, top)
        found += [os.path.normpath(os.path.join(top, package, file.split(".")[0] + ".py"))
                  for file in files if file.endswith((".py", ".so"))]
print(json.dumps(sorted({path for path in found if not path.endswith("__init__.py")})))
"""
# A command that is found in PATH, one by its path, and those that end in each kind of error after entering.
COMMANDS = [
    (["true"], {}),
    (["/bin/true"], {}),
    (["no-such-program"], {}),
    (["/no/such-program-\N{LATIN SMALL LETTER E WITH ACUTE}"], {}),
    (["/etc/passwd"], {}),
    (["/script"], {}),
    (["true"], {"user": "nobody:no-such-group"}),
    (["true"], {"workdir": "/no/such/directory"}),
]


def pythons():
    """One interpreter of each version from 3.9 on that this machine has, by version."""
    candidates = ["/usr/bin/python3", PYTHON, *glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))]
    for directory in os.environ["PATH"].split(":"):
        candidates += glob.glob(f"{directory}/python3.[0-9]*[0-9]")
    found = {}
    for path in candidates:
        # Shims and configuration programs are none.
        with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
            said = subprocess.run(
                [path, "-I", "-S", "-c", "import sys; print(*sys.version_info[:2])"],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            version = tuple(int(number) for number in said.split())
            if version >= (3, 9):
                found.setdefault(".".join(said.split()), path)
    return found


PYTHONS = pythons()
VERSIONS = sorted(PYTHONS, key=lambda version: int(version.split(".")[1]))
# The oldest and the newest in every run, the others in a long one.
TRIED = [pytest.param(one, marks=() if one in (VERSIONS[0], VERSIONS[-1]) else pytest.mark.long) for one in VERSIONS]


@functools.cache
def names(python):
    return json.loads(subprocess.run([python, "-I", "-S", "-c", LOOKS], capture_output=True, check=True).stdout)


def set_traps(host, python):
    root = Path(f"/proc/{host.pid}/root{ROOT}")
    for path in names(python):
        trap = root / path[1:]
        trap.parent.mkdir(parents=True, exist_ok=True)
        trap.unlink(missing_ok=True)
        trap.write_text(TRAP)
    (root / "loaded").mkdir(exist_ok=True)
    (root / "loaded").chmod(0o777)
    (root / "script").write_text("#!/no/such/interpreter\n")
    (root / "script").chmod(0o755)


def assert_nothing_is_loaded(host, way):
    loaded = host.run("ls", f"{UPPER}/loaded").stdout.split()
    assert loaded == [], way


@pytest.fixture(params=TRIED)
def trapped(command, request):
    """The host with the host command, and its container box with traps for the interpreter `python`."""
    host = command.host
    host.python = PYTHONS[request.param]
    host.module("conductor_container", name="box", image="debian", command=SLEEP)
    set_traps(host, host.python)
    springs = f"import os; os.chroot({ROOT!r}); os.chdir('/'); import colorsys"
    host.run(host.python, "-I", "-S", "-c", springs)
    assert host.run("ls", f"{UPPER}/loaded").stdout.split() == ["colorsys"], "the traps are where this Python looks"
    host.run("rm", f"{UPPER}/loaded/colorsys")
    return host


def test_cve_2019_14271_no_python_loads_a_module_of_the_container(trapped):
    by_the_host_command(trapped)
    by_the_host_command_on_a_terminal(trapped)
    by_the_entry_server(trapped)
    by_modules(trapped)
    by_a_start(trapped)
    by_a_restart_by_policy(trapped)


def words_of(host, argv, options):
    """The installed host command, run by the Python in question."""
    given = [f"--{name}={value}" for name, value in options.items()]
    return [host.python, "-I", "-S", PROGRAM, "exec", *given, "box", "--", *argv]


def by_the_host_command(host):
    for argv, options in COMMANDS:
        done = host.run(*words_of(host, argv, options), check=False)
        assert (done.returncode == 0) == (argv[0].endswith("true") and not options), done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert_nothing_is_loaded(host, f"host command, {argv}")


def by_the_host_command_on_a_terminal(host):
    for argv, options in COMMANDS:
        first, *rest = [*host.enter, *words_of(host, argv, options)]
        ran = pexpect.spawn(first, rest, encoding="utf-8", timeout=60)
        ran.expect(pexpect.EOF)
        assert "Traceback" not in ran.before, ran.before
        assert_nothing_is_loaded(host, f"host command on a terminal, {argv}")


def by_the_entry_server(host):
    """It starts in the interpreter that a client names."""
    server = EntryServer(host, python=host.python)
    assert stream.run(server.path, ["box", "root", "true"], b"")[0] == 0
    for argv, options in COMMANDS:
        if argv[0] != "true" and not options and argv[0] != "/bin/true":
            with pytest.raises(stream.NotRun):
                stream.run(server.path, ["box", "root", *argv], b"")
        assert_nothing_is_loaded(host, f"entry server, {argv}")


def by_modules(host):
    for argv in (["true"], ["no-such-program"], ["/no/such-program-\N{LATIN SMALL LETTER E WITH ACUTE}"]):
        with contextlib.suppress(ModuleFailed):
            host.module("conductor_exec", python=host.python, container="box", argv=argv)
        assert_nothing_is_loaded(host, f"conductor_exec, {argv}")
    host.module("conductor_container", name="box", wait=["true"], python=host.python)
    assert_nothing_is_loaded(host, "wait")
    host.module("conductor_container", name="box", state="stopped")
    host.module("conductor_container", name="box", command=["sleep", "infinity"], python=host.python)
    assert_nothing_is_loaded(host, "start by the module")


def by_a_start(host):
    for argv, options in COMMANDS:
        if "user" in options:
            continue
        host.module("conductor_container", name="box", state="stopped")
        wish = {"command": argv, "working_dir": options.get("workdir", "/")}
        host.module("conductor_container", name="box", state="present", **wish)
        done = host.run(host.python, "-I", "-S", PROGRAM, "start", "box", check=False)
        assert "Traceback" not in done.stderr, done.stderr
        assert_nothing_is_loaded(host, f"start, {argv}")


def by_a_restart_by_policy(host):
    """The supervisor starts it again by the runtime, which is a program of its own."""
    script = "#!/bin/sh\necho again >> /lives\nuntil [ -e /go ]; do /bin/sleep 0.05; done\nrm /go\n"
    work = Path(f"/proc/{host.pid}/root{UPPER}/usr/local/bin/work")
    host.module("conductor_container", name="box", state="stopped")
    wish = {"command": ["work"], "working_dir": "/", "restart_policy": "always"}
    host.module("conductor_container", name="box", state="present", **wish)
    work.parent.mkdir(parents=True, exist_ok=True)
    work.write_text(script)
    work.chmod(0o755)
    host.run(host.python, "-I", "-S", PROGRAM, "start", "box")
    host.run("touch", f"{ROOT}/go")
    until(lambda: host.run("cat", f"{ROOT}/lives").stdout == "again\nagain\n", "it began again")
    host.run("rm", f"{ROOT}/usr/local/bin/work")
    host.run("touch", f"{ROOT}/go")
    log = "/var/lib/conductor/containers/box/console.log"
    until(lambda: "restart failed" in host.run("cat", log).stdout, "it could not begin again")
    assert_nothing_is_loaded(host, "restart by policy")
