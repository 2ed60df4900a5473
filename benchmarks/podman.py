"""podman as a benchmark runs it: all that it keeps lies in the test host, on which there is no systemd."""

from __future__ import annotations

_OWN = "/run/podman-storage"
OPTIONS = [
    "--root", f"{_OWN}/root", "--runroot", f"{_OWN}/run", "--tmpdir", f"{_OWN}/tmp",
    "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
]  # fmt: skip
# Raising a limit needs a right that not every machine grants to root.
_LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]


def run_command(name: str, root: str, argv: list[str]) -> list[str]:
    """What starts a container on the root file system `root`, and leaves it running; it has no network."""
    options = ["--detach", "--name", name, "--network", "none", *_LIMITS, "--rootfs", root]
    return ["podman", *OPTIONS, "run", *options, *argv]
