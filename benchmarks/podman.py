"""podman on a test host, on which there is no systemd, and root may not raise every limit (containers.conf(5))."""

from __future__ import annotations

STORAGE = "/var/lib/containers"
_CONTAINERS = """
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[network]
network_backend = "netavark"
"""
_STORAGE = f"""
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "{STORAGE}/storage"
"""


def configure(host) -> None:
    """Write podman's settings on `host`. Its images and containers are in memory, as ours are on a test host."""
    host.run("mkdir", "-p", "/etc/containers", STORAGE)
    host.run("tee", "/etc/containers/containers.conf", stdin=_CONTAINERS)
    host.run("tee", "/etc/containers/storage.conf", stdin=_STORAGE)
    host.run("mount", "-t", "tmpfs", "tmpfs", STORAGE)
    # POSIX shared memory, where podman has its locks, is the machine's else.
    host.run("mount", "-t", "tmpfs", "tmpfs", "/dev/shm")


def import_image(host, root: str, name: str) -> str | None:
    """Make the image `name` of the root file system `root`, without a registry; the reason if podman cannot."""
    command = f"tar -C '{root}' --one-file-system -c . | podman import --quiet - '{name}'"
    done = host.run("bash", "-o", "pipefail", "-c", command, check=False, timeout=600)
    return " ".join(done.stderr.split()) if done.returncode else None


def run_command(name: str, root: str, argv: list[str], *options: str) -> list[str]:
    """What starts a container on the root file system `root`, and leaves it running; `options` are podman's."""
    return ["podman", "run", "--detach", "--name", name, *options, "--rootfs", root, *argv]
