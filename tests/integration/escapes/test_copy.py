"""Ways out over files that are copied in or out: links that are swapped, libraries for who looks up an owner, and
sources that wait, act or never end.

CVE-2018-15664 (docker cp followed a link that was swapped between its check and its use) and CVE-2019-14271 (docker cp
loaded a library of the container). Weak: the same module with the one defence taken away.
"""

import subprocess
import threading
import uuid

import pytest
from attacks import inside, patched, start
from copying import SRV
from image_cache import mount_image
from seams.defenses import ask_libc_of_container, check_then_use, follow_symlinks_out
from seams.faults import hide_free_space
from seams.interference import grow_before_open
from testhost import Host

OUT = {"container": "box", "direction": "out", "src": "/srv/dir/secret", "dest": "/run/got"}
IN = {"container": "box", "src": "/run/mine", "dest": "/srv/dir/new"}


def test_cve_2018_15664_a_link_that_is_swapped_leads_no_file_of_the_host_out(swapping):
    host = swapping
    patched(host, "conductor_copy", seams=[check_then_use], **OUT)
    assert host.run("cat", "/run/got").stdout == "of the host\n"
    for _ in range(12):
        host.run("rm", "-f", "/run/got")
        host.module("conductor_copy", **OUT)
        assert host.run("cat", "/run/got").stdout == "of the container"


def test_cve_2018_15664_a_link_that_is_swapped_leads_no_file_onto_the_host(swapping):
    host = swapping
    patched(host, "conductor_copy", seams=[check_then_use], **IN)
    assert host.run("ls", "/run/outside").stdout == "new\nsecret\n"
    host.run("rm", "/run/outside/new")
    for number in range(12):
        try:
            host.module("conductor_copy", **{**IN, "dest": f"/srv/dir/new{number}"})
        except AssertionError as refused:
            # Written to one directory, and looked for in the other.
            assert "did not converge" in str(refused)
        assert host.run("ls", "/run/outside").stdout == "secret\n"
    # Which of them are where depends on the moment; all went to places of the container's.
    assert "new" in host.run("ls", f"{SRV}/dir/", f"{SRV}/../run/outside/", check=False).stdout


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("link", ["/run", "../../../../../../../../../run", "/proc/1/root/run", "/proc/self/cwd/run"])
def test_cve_2018_15664_a_link_leads_nowhere_but_inside(host, state, link):
    host.run("sh", "-c", "echo 'of the host' > /run/secret")
    start(host, "box", userns="host")
    inside(host, "box", f'os.symlink("{link}", "/srv/out"); os.symlink("{link}/secret", "/srv/file")')
    if state == "stopped":
        host.module("conductor_container", name="box", state="stopped")
    if link == "/run":
        weak = patched(host, "conductor_copy", seams=[follow_symlinks_out], **{**OUT, "src": "/srv/out/secret"})
        assert weak["changed"] and host.run("cat", "/run/got").stdout == "of the host\n"
        host.run("rm", "/run/got")
    for src in ("/srv/out/secret", "/srv/file"):
        refused = host.module("conductor_copy", **{**OUT, "src": src}, fails=True)
        assert refused["msg"].startswith(f"src {src} in container box "), refused["msg"]
    wish = {"container": "box", "content": "text\n", "mode": "4755"}
    try:
        host.module("conductor_copy", **wish, dest="/srv/out/secret")
    except AssertionError as refused:
        assert "directory /srv/out of dest in container box" in str(refused)
    # A link at the target itself is replaced.
    host.module("conductor_copy", **wish, dest="/srv/file")
    assert host.run("stat", "-c", "%a", "/run/secret").stdout == "644\n"
    assert host.run("cat", "/run/secret").stdout == "of the host\n"
    host.run("rm", "/run/secret")


# Tells, for each line that it reads, how many bytes of events there are of somebody opening a file (inotify(7)).
WATCH = """
import array, ctypes, fcntl, sys
libc = ctypes.CDLL(None)
watch = libc.inotify_init1(0)
assert libc.inotify_add_watch(watch, sys.argv[1].encode(), 0x20) > 0
print("watching", flush=True)
for _ in sys.stdin:
    size = array.array("i", [0])
    fcntl.ioctl(watch, 0x541B, size)
    print(size[0], flush=True)
"""


def test_cve_2019_14271_no_library_of_the_container_is_loaded_to_look_up_an_owner(host):
    """Its name services say that there is one more: whoever asks them opens that."""
    start(host, "box")
    where = inside(host, "box", 'return os.path.dirname(os.path.realpath(glob.glob("/lib/*/libc.so.6")[0]))')
    services, library = "passwd: evil files\ngroup: evil files\n", f"{where}/libnss_evil.so.2"
    host.module("conductor_copy", container="box", content=services, dest="/etc/nsswitch.conf")
    host.module("conductor_copy", container="box", content="no library\n", dest=library)
    watcher = host.popen(
        "python3", "-c", WATCH, f"/var/lib/conductor/containers/box/rootfs{library}",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def opened() -> bool:
        watcher.stdin.write("\n")
        watcher.stdin.flush()
        return watcher.stdout.readline() != "0\n"

    assert watcher.stdout.readline() == "watching\n"
    wish = {"container": "box", "content": "text\n", "owner": "www-data", "group": "adm"}
    host.module("conductor_copy", **wish, dest="/etc/new")
    host.module("conductor_copy", container="box", direction="out", src="/etc/new", dest="/run/got", owner="root")
    assert not opened()
    patched(host, "conductor_copy", seams=[ask_libc_of_container], **{**wish, "dest": "/srv/newer"})
    assert opened()
    watcher.communicate()
    host.run("rm", "/run/got")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        ('os.mkfifo("/srv/x")', "is a FIFO"),
        ('os.symlink("/dev/zero", "/srv/x")', "is a device"),
        ('socket.socket(socket.AF_UNIX).bind("/srv/x")', "is a socket"),
        ('os.symlink("x", "/srv/x")', "a loop of symlinks"),
        ('open("/srv/x", "w").truncate(1 << 50)', "bytes for box:/srv/x, and"),
    ],
    ids="fifo device socket loop sparse".split(),
)
def test_a_source_that_waits_acts_or_never_ends_is_one_line_of_error(host, make, told):
    start(host, "box")
    inside(host, "box", make)
    refused = host.module("conductor_copy", **{**OUT, "src": "/srv/x"}, fails=True)
    assert told in refused["msg"]
    assert host.run("test", "-e", "/run/got", check=False).returncode


def test_a_source_that_grows_after_the_check_does_not_fill_the_disk(cached_image):
    """A process inside that waits for the first open (inotify(7)) makes it huge at no cost of its own."""
    grow = grow_before_open(size=1 << 43)
    got = "/var/lib/conductor/got"
    wish = {**OUT, "src": "/srv/x", "dest": got, "fails": True}
    # Only this directory of the host has a limit.
    with Host(size="8m") as host:
        mount_image(host, cached_image)
        start(host, "box")
        inside(host, "box", 'open("/srv/x", "w").write("small")')
        weak = patched(host, "conductor_copy", seams=[grow, hide_free_space], **wish)
        assert f"{got} cannot be written (No space left on device)" in weak["msg"]
        host.run("truncate", "-s", "5", f"{SRV}/x")
        refused = patched(host, "conductor_copy", seams=[grow], **wish)
        assert f"{got}: needs 8796093022208 bytes, and " in refused["msg"]
        assert host.run("test", "-e", got, check=False).returncode
        host.module("conductor_container", name="box", state="absent", force=True)


def test_a_file_with_a_lease_is_not_waited_for(host):
    """Else it would take as long as the kernel lets a lease be kept (fs.lease-break-time), each time."""
    start(host, "box")
    said = []
    body = """
    fd = os.open("/srv/x", os.O_CREAT | os.O_RDWR)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    fcntl.fcntl(fd, 1024, fcntl.F_WRLCK)
    open("/srv/ready", "w").close()
    while not os.path.exists("/srv/stop"):
        time.sleep(0.05)
    return "kept"
    """
    holder = threading.Thread(target=lambda: said.append(inside(host, "box", body)))
    holder.start()
    host.run("sh", "-c", f"until [ -e {SRV}/ready ]; do sleep 0.05; done")
    refused = host.module("conductor_copy", **{**OUT, "src": "/srv/x"}, fails=True)
    assert "src /srv/x in container box cannot be opened (Resource temporarily unavailable)" in refused["msg"]
    host.run("touch", f"{SRV}/stop")
    holder.join()
    assert said == ["kept"]


def test_another_file_by_a_hard_link_at_the_target_keeps_its_owner_and_content(host):
    """Who may write to a directory inside would get a file of root's, were its owner and mode only changed."""
    start(host, "box", capabilities={"add": ["ALL"]})
    secret = uuid.uuid4().hex
    inside(host, "box", f'open("/srv/secret", "w").write("{secret}"); os.chmod("/srv/secret", 0o600)')
    inside(host, "box", 'os.link("/srv/secret", "/srv/target")')
    wish = {"container": "box", "content": secret, "dest": "/srv/target", "owner": "www-data", "mode": "0644"}
    assert host.module("conductor_copy", **wish)["changed"]
    look = 's = os.stat("/srv/secret"); return f"{s.st_uid} {s.st_mode & 0o777:o} {s.st_nlink}"'
    assert inside(host, "box", look) == "0 600 1"
