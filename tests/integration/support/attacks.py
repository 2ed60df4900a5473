"""Attacks: code that a container's root runs, against containers with all defences and against weakened ones.

An attack is Python for the image's interpreter. It prints what it got hold of; an OSError that it lets pass is printed
by name. So each test says: this is what the attacker gets from a weak container, and this is the errno from the others.
"""

import json
import textwrap

from seams import build_command, build_environment

SLEEP = ["/bin/sleep", "infinity"]
# By what is taken away from them. "weak" is as the host itself, in namespaces; no filter for system calls either.
CONTAINERS = {
    "weak": {
        "userns": "host",
        "privileged": True,
        "dev": "host",
        "mounts": [{"source": "/proc/sys", "target": "/proc/sys"}],
    },
    "default": {},
    # One line of defence less than the default each.
    "unfiltered": {"seccomp": "unconfined"},
    "capable": {"capabilities": {"add": ["ALL"]}, "seccomp": "unconfined"},
    "hosts-ids": {"userns": "host"},
    # With systemd and its capabilities.
    "machine": {"init": True},
    "unfiltered-machine": {"init": True, "seccomp": "unconfined"},
}
OTHERS = tuple(name for name in CONTAINERS if name != "weak")

_PRELUDE = """
import ctypes, errno, fcntl, glob, json, os, platform, signal, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X86 = platform.machine() == "x86_64"
KEYCTL, ADD_KEY, BPF, PERF = (250, 248, 321, 298) if X86 else (219, 217, 280, 241)

def kernel(function, *arguments):
    "A function of the C library, or a system call by number; its result. Raises OSError."
    call = getattr(libc, function) if isinstance(function, str) else lambda *a: libc.syscall(function, *a)
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = call(*plain)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def attack():
{body}

try:
    print(attack())
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def program(body):
    """The whole program for the body of a function that returns what was got."""
    return _PRELUDE.replace("{body}", textwrap.indent(textwrap.dedent(body), "    "))


def on_host(host, body):
    """What the attack gets where nothing is in its way: on the host itself."""
    return host.run("python3", "-c", program(body)).stdout.strip()


def start(host, name, **options):
    command = {} if options.get("init") else {"command": SLEEP}
    wish = {"name": name, "image": "debian", **command, **options}
    return host.module("conductor_container", **wish)["container"]


def inside(host, name, body, **options):
    """What the attack gets in container `name`."""
    argv = ["/usr/bin/python3", "-c", program(body)]
    return host.module("conductor_exec", container=name, argv=argv, **options)["stdout"]


def patched(host, module, /, *, seams=(), fails=False, wrapper=(), **params):
    """Run a module of the test build with `seams` (package seams): a defense taken away, an act at a point of our code.

    `wrapper` is a command that runs it. Returns the module's result.
    """
    arguments = {"ANSIBLE_MODULE_ARGS": {**params, "_ansible_check_mode": False, "_ansible_diff": True}}
    done = host.run(
        *wrapper, *build_command(seams, "module", module),
        stdin=json.dumps(arguments), env=build_environment(), check=False,
    )  # fmt: skip
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"{module} printed no JSON: {done.stdout}{done.stderr}") from None
    assert bool(result.get("failed")) == fails, result.get("msg")
    return result


def execute(host, argv, *, name="box", **params):
    """The result of conductor_exec of the test build, with the options of `patched`."""
    return patched(host, "conductor_exec", container=name, argv=argv, **params)


class Arena:
    """A host with one container of each kind."""

    def __init__(self, host):
        self.host = host
        self.started = set()

    def attack(self, name, body, **options):
        """What the attack gets in the container `name` of CONTAINERS, which is started when first needed."""
        if name not in self.started:
            start(self.host, name, **CONTAINERS[name])
            self.started.add(name)
        return inside(self.host, name, body, **options)

    def holds(self, body, gets, refused, against=OTHERS):
        """The attack gets `gets` in the weak container, and one of the error names `refused` in each of `against`."""
        assert self.attack("weak", body) == gets
        for name in against:
            assert self.attack(name, body) in refused.split(), name
