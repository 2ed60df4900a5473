"""Attacks on what the kernel has but once for all containers: its calls, files, devices and clock.

Each is the body of a program (`attacks.program`). escapes/test_kernel_surface.py runs them in containers with and
without a defence, script/peers in those of other runtimes. None changes anything of the machine that it runs on: files
are opened for writing and not written, the clock is set to the time that it has.
"""

USER_NAMESPACE = """
kernel("unshare", 0x10000000)
return "made"
"""

FILE_SYSTEM_CONTEXT = """
os.close(kernel(430, b"ext4", 0))
return "opened"
"""

# Both: who may make a user namespace has all capabilities in it, and mount namespaces of its own.
FILE_SYSTEM_CONTEXT_IN_A_USER_NAMESPACE = f"""
kernel("unshare", 0x10020000)
{FILE_SYSTEM_CONTEXT}
"""

MOUNT = """
kernel("mount", b"none", b"/mnt", b"tmpfs", 0, None)
return "mounted"
"""

# SYSLOG_ACTION_READ_ALL of syslog(2).
KERNEL_LOG = """
kernel("klogctl", 3, ctypes.create_string_buffer(16), 16)
return "read"
"""

CLOCK = """
now = time.clock_gettime(time.CLOCK_REALTIME)
time.clock_settime(time.CLOCK_REALTIME, now)
return "set"
"""

CGROUP_PATHS = """
return open("/proc/self/cgroup").read().replace("\\n", " ")
"""

# The first id inside, and which one that is outside.
ROOT_OUTSIDE = """
return open("/proc/self/uid_map").read().split()[1]
"""

# 0 where no system call is filtered, 2 where a program of BPF decides.
SECCOMP = """
return open("/proc/self/status").read().split("Seccomp:")[1].split()[0]
"""

# Python itself has none beyond the first three.
DESCRIPTOR = """
for number in range(3, 256):
    try:
        os.fstat(number)
    except OSError:
        continue
    return "open"
return "closed"
"""

# Calls for `allowed`. An array map; a counter of the software's clock; faults of the kernel's own, too; the session's.
BPF = "kernel(BPF, 0, (ctypes.c_uint32 * 30)(2, 4, 4, 1), 120)"
PERF_EVENT_OPEN = "kernel(PERF, (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0)"
USERFAULTFD = "kernel(323 if X86 else 282, 0)"
KEYCTL = "kernel(KEYCTL, 0, -3, 0)"


def allowed(call):
    """Whether `call` is carried out, whatever it gives."""
    return f"""
{call}
return "allowed"
"""


def open_for_writing(path):
    return f"""
os.close(os.open({path!r}, os.O_WRONLY))
return "writable"
"""


def release_agent(hierarchy):
    """The file of a cgroup hierarchy without controllers, called `hierarchy` and the caller's alone."""
    return f"""
kernel("unshare", 0x20000)
kernel("mount", b"none", b"/", None, 0x44000, None)
kernel("mount", b"none", b"/mnt", b"cgroup", 0, b"none,name={hierarchy}")
os.close(os.open("/mnt/release_agent", os.O_WRONLY))
return "writable"
"""


def by_handle(path, flags):
    """Open a file once more by its handle, which needs no path; `path` is any file of the host's that is in reach."""
    return f"""
handle = ctypes.create_string_buffer(136)
handle[0:4] = (128).to_bytes(4, "little")
mount = ctypes.c_int()
fd = os.open({path!r}, os.{flags})
kernel("name_to_handle_at", fd, b"", handle, ctypes.byref(mount), 0x1000)
os.close(kernel("open_by_handle_at", fd, handle, os.O_RDONLY))
return "opened"
"""


def device_node(major, minor, path="/dev/shm/node"):
    """Make a node of a character device."""
    return f"""
os.mknod({path!r}, stat.S_IFCHR | 0o666, os.makedev({major}, {minor}))
os.unlink({path!r})
return "made"
"""


def device_by_node(major, minor, path):
    """The same, and open the device by it."""
    return f"""
os.mknod({path!r}, stat.S_IFCHR | 0o666, os.makedev({major}, {minor}))
try:
    os.close(os.open({path!r}, os.O_RDONLY))
    return "made, works"
except OSError:
    return "made, dead"
finally:
    os.unlink({path!r})
"""
