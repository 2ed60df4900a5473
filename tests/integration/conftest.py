"""Test hosts for every test, the image they share, and the leak check that follows each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from attacks import SLEEP
from controller import Controller
from host_command import Command
from image_cache import mount_image, test_image
from snapshot import difference, take
from testhost import Host

if os.geteuid():
    raise pytest.UsageError("the integration tests need root: run them by script/test as root")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Of a shell's background job. Programs that tests start would ignore it, too. ValueError: not the main thread.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cached_image() -> Path:
    """Directory of the test image (image.json and rootfs/), built by conductor_image once and kept in .cache."""
    return test_image()


@pytest.fixture
def bare_host():
    """A managed host with nothing of ours on it."""
    with Host() as host:
        yield host


@pytest.fixture
def host(bare_host, cached_image):
    """A managed host that has the image `debian`.

    After the test every container is removed by the module, and the host must then look as it did before: that is
    the leak check.
    """
    mount_image(bare_host, cached_image)
    before = take(bare_host)
    yield bare_host
    listing = bare_host.run("ls", "/var/lib/conductor/containers", check=False).stdout.split()
    for name in listing:
        bare_host.module("conductor_container", name=name, state="absent", force=True)
    left = difference(before, take(bare_host))
    deadline = time.monotonic() + 10
    while left and time.monotonic() < deadline:
        # What a killed module leaves to end by itself.
        left = difference(before, take(bare_host))
    assert not left, "left behind on the host:\n" + "\n".join(left)


@pytest.fixture
def command(host):
    """The host command, installed by the module."""
    host.module("conductor_command")
    yield Command(host)
    host.module("conductor_command", state="absent")


@pytest.fixture
def box(command):
    """The host command, where there is a container `box` with a shell that waits."""
    command("run", "debian", "box")
    return command


@pytest.fixture(params=["running", "stopped", "never-started", "host-ids"])
def any_box(host, request):
    """The host, with container box in each of the states."""
    options = {"userns": "host"} if request.param == "host-ids" else {}
    state = "present" if request.param == "never-started" else "started"
    host.module("conductor_container", name="box", image="debian", command=SLEEP, state=state, **options)
    if request.param == "stopped":
        host.module("conductor_container", name="box", state="stopped")
    return host


@pytest.fixture
def two_hosts(tmp_path, cached_image):
    """A controller, and the managed hosts `alpha` and `beta` (`hosts` by name), which have the image `debian`."""
    controller = Controller(tmp_path)
    with Host() as alpha, Host() as beta:
        controller.hosts.update(alpha=alpha, beta=beta)
        for host in (alpha, beta):
            mount_image(host, cached_image)
        yield controller


@pytest.fixture(scope="session", autouse=True)
def outer_machine_is_untouched():
    """The machine that runs the tests keeps its links, namespaces, rules, mounts and cgroups."""
    before = outer()
    yield
    deadline = time.monotonic() + 600
    while (after := outer()) != before and time.monotonic() < deadline:
        # Another run beside this one may build an image, for whose commands there is a link just now.
        time.sleep(1)
    assert after == before


def outer() -> dict:
    def output(*argv: str) -> str:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    return {
        "mounts": output("cat", "/proc/self/mounts"),
        "links": output("ip", "-o", "link", "show"),
        "netns": output("ls", "/run/netns"),
        "rules": output("nft", "list", "ruleset"),
        # Those of our own test hosts, and none of a run beside this one.
        "cgroups": output("find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", f"conductor-test-{os.getpid()}-*"),
        "state": output("find", "/var/lib/conductor", "/run/conductor", "-maxdepth", "2"),
    }
