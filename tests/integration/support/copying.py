"""Files and directories into container box and out of it by conductor_copy, and what is there then."""

LAYER = "/var/lib/conductor/containers/box"
SRV = f"{LAYER}/rootfs/srv"
# Of the managed host, where a play copies files of the controller's.
REMOTE = {
    "ansible_python_interpreter": "/usr/bin/python3", "ansible_remote_tmp": "/run/ansible",
    "ansible_ssh_use_tty": False,
}  # fmt: skip


def copy(host, **options):
    return host.module("conductor_copy", container="box", **options)


def out(host, src, **options):
    return copy(host, direction="out", src=src, **options)


def stat(host, path):
    """Mode, owner and group of a file as those inside see them; a container that does not run is started for it."""
    return inside(host, "/bin/stat", "-c", "%a %u %g", path)


def inside(host, *argv):
    """What a command inside prints; a container that does not run is started for it."""
    host.module("conductor_container", name="box", state="started")
    return host.module("conductor_exec", container="box", argv=list(argv))["stdout"]


def listing(host):
    """All that belongs to the container on the host, with its times."""
    return host.run("sh", "-c", f"find {LAYER} -path '*/rootfs/*' -prune -o -printf '%p %u %m %T@\n'").stdout
