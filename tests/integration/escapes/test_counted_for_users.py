"""What the kernel counts for a user: used up inside it must be used up for that container alone."""

import os

from attacks import inside, on_host, program, start
from waiting import until

# Makes all that it may have, prints how many, and keeps them.
USE_UP = program("""
    import resource
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = 0
    try:
        while True:
            kernel("inotify_init")
            count += 1
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    print(count, flush=True)
    time.sleep(1e6)
""")


def ranges():
    """Ranges that no other test host of this machine has: the kernel counts for all of them together."""
    first = 65536 * (20000 + os.getpid() % 20000)
    return [{"base": first}, {"base": first + 65536}]


def log(host, name):
    return host.module("conductor_container_info", name=[name])["containers"][0]["log"]


def test_inotify_instances_used_up_inside_are_used_up_for_that_container_alone(host):
    """The kernel counts them for the owner of a user namespace, which was the host's root."""
    limit = host.run("cat", "/proc/sys/fs/inotify/max_user_instances").stdout
    for name, userns in zip(("box", "other"), ranges()):
        options = {"command": ["/usr/bin/python3", "-c", USE_UP], "userns": userns}
        start(host, name, **options)
        assert until(lambda name=name: log(host, name), "it has all of them") == limit
    assert inside(host, "box", 'kernel("inotify_init"); return "made"') == "EMFILE"
    assert on_host(host, 'kernel("inotify_init"); return "made"') == "made"
    # They stay registered for good; the leak check knows the default range only.
    for userns in ranges():
        host.run("sed", "-i", f"/^conductor:{userns['base']}:/d", "/etc/subuid", "/etc/subgid")


def test_a_user_namespace_is_owned_by_its_own_root(host):
    """It is the owner for whom the kernel counts, and whose number of namespaces is limited."""
    code = """
    fd = os.open("/proc/{pid}/ns/{name}", os.O_RDONLY)
    owner = bytearray(4)
    fcntl.ioctl(fcntl.ioctl(fd, 0xB701) if "{name}" != "user" else fd, 0xB704, owner)  # ioctl_ns(2)
    return int.from_bytes(owner, sys.byteorder)
    """
    box = start(host, "box")
    for name in ("user", "net", "uts", "ipc", "mnt", "cgroup"):
        assert int(on_host(host, code.format(pid=box["pid"], name=name))) == box["ids"]["base"], name
