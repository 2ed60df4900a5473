"""A way from a test host to the mirror of this machine, for tests of what is installed from there."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from testhost import Host

# Address of the name server in slirp4netns(1).
DNS = "10.0.2.3"


@contextlib.contextmanager
def uplink(host: Host) -> Iterator[None]:
    """Give `host` an uplink by slirp4netns, in place of its own, while the block runs. Networks here do not change."""
    host.run("ip", "route", "del", "default", check=False)
    ready, tell = os.pipe()
    options = ["--configure", "--mtu=1500", "--disable-host-loopback", f"--ready-fd={tell}"]
    router = subprocess.Popen(
        ["slirp4netns", *options, str(host.pid), "tap0"],
        pass_fds=[tell], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(tell)
    try:
        if not os.read(ready, 1):
            raise RuntimeError("slirp4netns failed")
        yield
    finally:
        os.close(ready)
        router.kill()
        router.wait()
