"""Faults during builds: the host has the complete image or none, and the next run converges."""

import contextlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from dying import dies
from small_image import IMAGES, ROOTFS, entries, image, info, make_archive, make_runnable_archive
from strides import spread
from testhost import PYTHON, Host, module_environment
from waiting import until

MODULE = "ansible_collections.conductor.containers.plugins.modules.conductor_image"
# Takes connections and never answers, but tells what was asked of it; ends with its standard input.
SILENT = """
import os, socket, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server = socket.create_server((sys.argv[1], 8080))
print("ready", flush=True)
kept = []
while True:
    kept.append(server.accept()[0])
    print(kept[-1].recv(1000).split(b"\\r\\n")[0].decode(), flush=True)
"""


@pytest.fixture
def archive(bare_host):
    return make_archive(bare_host, ROOTFS)


@pytest.fixture
def silent(bare_host):
    """A mirror, on a host in the internet, that is never done."""
    with silent_server(bare_host.internet, "192.0.2.1"):
        yield "http://192.0.2.1:8080/debian"


@contextlib.contextmanager
def silent_server(node, address):
    server = node.popen("python3", "-c", SILENT, address, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    yield server
    server.communicate()


@contextlib.contextmanager
def running_module(host, **params):
    """The module in the background, with its result on standard output."""
    path = f"/run/params-{params.get('builder', 'any')}"
    host.run("tee", path, stdin=json.dumps({"ANSIBLE_MODULE_ARGS": {"name": "small", **params}}))
    environment = {**os.environ, **module_environment()}
    module = host.popen(PYTHON, "-m", MODULE, path, stdout=subprocess.PIPE, text=True, env=environment)
    yield module
    if not module.stdout.closed:
        module.communicate()


def pids(host, pattern):
    return host.run("pgrep", "-f", pattern, check=False).stdout.split()


def nothing_is_left_but(host, *names):
    assert entries(host) == sorted(names)
    assert IMAGES not in host.run("cat", "/proc/self/mounts").stdout
    assert host.run("ls", "-A", "/run/conductor/locks").stdout == ""


@pytest.mark.parametrize("builder", ["debootstrap", "mmdebstrap"])
def test_killed_builder_is_reported_and_leaves_nothing(bare_host, silent, builder):
    with running_module(bare_host, builder=builder, suite="trixie", mirror=silent) as module:
        # Its own pid is 1 in there; of the two of that name the builder is the younger.
        pattern = f"{builder} .*/run/conductor/rootfs"
        until(lambda: pids(bare_host, "^/usr/lib/apt/methods/http|wget .*8080"), "it waits for the mirror")
        bare_host.run("kill", "-KILL", pids(bare_host, pattern)[0])
        result = json.loads(module.communicate()[0])
    assert result["failed"] and f"{builder} of trixie was killed by SIGKILL" in result["msg"]
    assert result["log"] == f"{IMAGES}/.logs/small.log" and builder in result["log_tail"]
    nothing_is_left_but(bare_host)
    assert not pids(bare_host, "apt/methods|wget")


@pytest.mark.parametrize("builder", ["debootstrap", "mmdebstrap"])
def test_a_builder_ends_with_the_module_and_the_next_run_builds(bare_host, archive, silent, builder):
    with running_module(bare_host, builder=builder, suite="trixie", mirror=silent) as module:
        until(lambda: pids(bare_host, "^/usr/lib/apt/methods/http|wget .*8080"), "it waits for the mirror")
        assert info(bare_host) == []
        bare_host.run("kill", "-KILL", *pids(bare_host, f"{PYTHON} -m {MODULE}"))
        module.wait()
    until(lambda: not pids(bare_host, "debootstrap|apt/methods|wget"), "the builder has ended, too")
    assert [name for name in entries(bare_host) if name.startswith(".build-small-")] and info(bare_host) == []
    done = image(bare_host, source=archive)
    clearing = "remove leftovers of an interrupted run for image small"
    assert done["actions"] == [clearing, "build image small"]
    nothing_is_left_but(bare_host, "small")


@spread(5)
def test_a_build_converges_after_death_at_any_step(bare_host, stride):
    """Without commands; with them it is in ../escapes/test_image_commands.py."""
    source, step = make_runnable_archive(bare_host), 0
    wanted = {"source": source}
    while dies(bare_host, step, "image", name="small", **wanted):
        found = info(bare_host)
        assert found == [] or bare_host.run("test", "-x", f"{found[0]['path']}/bin/sleep"), step
        image(bare_host, **wanted)
        assert not image(bare_host, **wanted)["changed"], step
        nothing_is_left_but(bare_host, "small")
        image(bare_host, state="absent")
        nothing_is_left_but(bare_host)
        step += stride
    assert step > 15, "every effect was counted"


@spread(5)
def test_a_build_again_converges_after_death_at_any_step(bare_host, archive, stride):
    step = 0
    image(bare_host, source=archive)
    first = info(bare_host)[0]["id"]
    while dies(bare_host, step, "image", name="small", source=archive, force=True):
        found = info(bare_host)
        assert all(bare_host.run("cat", f"{i['path']}/etc/issue").stdout == "small\n" for i in found), step
        image(bare_host, source=archive)
        nothing_is_left_but(bare_host, "small")
        step += stride
    assert step > 15 and info(bare_host)[0]["id"] != first


@spread(5)
def test_a_removal_converges_after_death_at_any_step(bare_host, archive, stride):
    step = 0
    image(bare_host, source=archive)
    while dies(bare_host, step, "image", name="small", state="absent"):
        image(bare_host, state="absent")
        nothing_is_left_but(bare_host)
        image(bare_host, source=archive)
        step += stride
    assert step > 5


def test_an_export_converges_after_death_at_any_step(bare_host, archive):
    image(bare_host, source=archive)
    image(bare_host, state="exported", archive="/run/right.tar.gz")
    bare_host.run("mkdir", "/run/out")
    step = 0
    # A path to which the image was never exported.
    while dies(bare_host, step, "image", name="small", state="exported", archive=f"/run/out/{step}.tar.gz"):
        out = f"/run/out/{step}.tar.gz"
        if bare_host.run("test", "-e", out, check=False).returncode == 0:
            bare_host.run("cmp", out, "/run/right.tar.gz")
        image(bare_host, state="exported", archive=out)
        assert bare_host.run("ls", "-A", "/run/out").stdout == f"{step}.tar.gz\n", step
        assert not image(bare_host, state="exported", archive=out)["changed"], step
        bare_host.run("cmp", out, "/run/right.tar.gz")
        bare_host.run("rm", out)
        step += 1
    assert step > 5


def test_a_full_disk_is_an_error_and_the_next_run_builds():
    with Host(size="2m") as host:
        source = make_archive(host, ROOTFS)
        host.run("sh", "-c", "cp -r /run/small /run/large; head -c 4m /dev/urandom > /run/large/data; "
                 "tar -C /run/large -cf /run/large.tar .")  # fmt: skip
        refused = image(host, source={"archive": "/run/large.tar"}, fails=True)
        assert "No space left on device" in refused["msg"] and entries(host) == []
        assert image(host, source=source)["changed"]


def test_a_full_disk_leaves_the_image_that_is_built_again_as_it_was():
    with Host(size="2m") as host:
        image(host, source=make_archive(host, ROOTFS))
        host.run("sh", "-c", "head -c 4m /dev/urandom > /run/small/data; tar -C /run/small -cf /run/small.tar .")
        before = info(host)
        assert "No space left" in image(host, source={"archive": "/run/small.tar"}, force=True, fails=True)["msg"]
        assert info(host) == before and entries(host) == ["small"]


def test_a_second_build_waits_for_the_first_and_finds_it_done(bare_host):
    source = make_runnable_archive(bare_host)
    wanted = {"source": source, "commands": ["while [ ! -e /go ]; do sleep 0.05; done"]}
    with ThreadPoolExecutor(2) as pool:
        # Each has a Python of its own, by which it is found.
        first = pool.submit(image, bare_host, python=PYTHON, **wanted)
        until(lambda: pids(bare_host, "sh -ec while"), "the first is building")
        # With what the module has forked to run the command.
        building = len(pids(bare_host, f"{PYTHON} -m {MODULE}"))
        second = pool.submit(image, bare_host, python=PYTHON, **wanted)
        until(lambda: len(pids(bare_host, f"{PYTHON} -m {MODULE}")) > building, "the second has begun")
        busy = image(bare_host, **wanted, lock_timeout=0.1, fails=True)
        assert "image-small is locked by process" in busy["msg"]
        bare_host.run("sh", "-c", f"for root in {IMAGES}/.build-small-*/rootfs; do touch $root/go; done")
        assert first.result()["changed"] and not second.result()["changed"]
    nothing_is_left_but(bare_host, "small")


@pytest.mark.parametrize("builder", ["debootstrap", "mmdebstrap"])
def test_build_without_a_keyring_is_refused(bare_host, builder):
    """debootstrap takes an archive without looking at its signature then."""
    bare_host.run(
        "sh", "-ec", "mount -t tmpfs tmpfs /usr/share/keyrings; rm -f /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/*"
    )
    bare_host.run(
        "sh", "-ec", "mkdir -p /run/mirror/dists/trixie; echo 'Suite: trixie' > /run/mirror/dists/trixie/Release"
    )
    for check in (True, False):
        refused = image(
            bare_host, builder=builder, suite="trixie", mirror="file:///run/mirror", check=check, fails=True
        )
        assert "/usr/share/keyrings/debian-archive-keyring.gpg does not exist" in refused["msg"]
        assert "apt-get install debian-archive-keyring" in refused["msg"] and entries(bare_host) == []


@pytest.mark.parametrize("builder", ["debootstrap", "mmdebstrap"])
def test_unsigned_archive_is_refused(bare_host, builder):
    """Whatever the host's own apt is told of it."""
    bare_host.run("tee", "/etc/apt/apt.conf.d/90trust", stdin='APT::Get::AllowUnauthenticated "true";\n'
                  'Acquire::AllowInsecureRepositories "true";\n')  # fmt: skip
    bare_host.run("tee", "/etc/apt/sources.list", stdin="deb [trusted=yes] file:///run/mirror trixie main\n")
    bare_host.run("sh", "-ec", "mkdir -p /run/mirror/dists/trixie/main/binary-amd64; cd /run/mirror/dists/trixie; "
                  "touch main/binary-amd64/Packages; "
                  "(echo 'Suite: trixie\nCodename: trixie\nComponents: main\nArchitectures: amd64\nSHA256:'; "
                  "echo \" $(sha256sum < main/binary-amd64/Packages | cut -d' ' -f1) 0 main/binary-amd64/Packages\") "
                  "> Release")  # fmt: skip
    refused = image(bare_host, builder=builder, suite="trixie", mirror="file:///run/mirror", fails=True)
    assert "Release" in refused["msg"] + refused["log_tail"] and "sign" in refused["msg"] + refused["log_tail"]
    assert entries(bare_host) == []


@pytest.mark.parametrize("builder", ["debootstrap", "mmdebstrap"])
def test_packages_come_through_the_proxy_that_the_hosts_apt_uses(bare_host, builder):
    setting = 'Acquire::http::Proxy "http://user:hush@192.0.2.1:8080/";'
    bare_host.run("tee", "/etc/apt/apt.conf.d/90proxy", stdin=setting)
    mirror = "http://mirror.invalid/debian"
    with silent_server(bare_host.internet, "192.0.2.1") as proxy:
        with running_module(bare_host, builder=builder, suite="trixie", mirror=mirror) as module:
            assert proxy.stdout.readline().startswith(f"GET {mirror}/dists/trixie/InRelease")
            said = bare_host.run("ps", "axww").stdout + bare_host.run("cat", f"{IMAGES}/.logs/small.log").stdout
            assert "hush" not in said
            module.send_signal(9)
            bare_host.run("kill", "-KILL", *pids(bare_host, f"{PYTHON} -m {MODULE}"))


def test_a_damaged_image_is_replaced_or_removed_by_force_only(bare_host, archive):
    for params in ({"source": archive}, {"state": "absent"}):
        image(bare_host, source=archive)
        bare_host.run("tee", f"{IMAGES}/small/image.json", stdin='{"version": 1, "recipe": {"packages": 7}}')
        assert "small/image.json is damaged" in image(bare_host, **params, fails=True)["msg"]
        assert "image.json is damaged" in info(bare_host)[0]["error"]
        assert image(bare_host, **params, force=True)["diff"]["before"] == {"state": "damaged"}
        assert [i.get("error") for i in info(bare_host)] == ([None] if "source" in params else [])


def test_foreign_directories_are_not_changed(bare_host, archive):
    image(bare_host, source=archive)
    bare_host.run("mkdir", "-p", f"{IMAGES}/lost+found", f"{IMAGES}/mine", f"{IMAGES}/.build-small-2-00000000")
    assert [(i["name"], "error" in i) for i in info(bare_host)] == [("mine", True), ("small", False)]
    for params in ({"state": "absent"}, {"source": archive}):
        assert (
            "conductor_image did not create it"
            in image(bare_host, name="mine", force=True, fails=True, **params)["msg"]
        )
    assert not image(bare_host, source=archive)["changed"]
    image(bare_host, state="absent")
    assert entries(bare_host) == [".build-small-2-00000000", "lost+found", "mine"]


@pytest.mark.parametrize("spec", ['{"version": 1, "ima', '{"version": 1, "name": "web"}', None])
def test_image_is_kept_if_a_damaged_container_may_use_it(bare_host, archive, spec):
    image(bare_host, source=archive)
    directory = "/var/lib/conductor/containers/web"
    bare_host.run("mkdir", "-p", directory)
    if spec is not None:
        bare_host.run("tee", f"{directory}/container.json", stdin=spec)
    for params in ({"state": "absent"}, {"force": True, "source": archive}):
        refused = image(bare_host, fails=True, **params)
        assert "may be in use" in refused["msg"] and f"{directory}/container.json" in refused["msg"]
    assert f"{directory}/container.json" in info(bare_host)[0]["error"] and info(bare_host)[0]["id"]
    assert not image(bare_host, source=archive)["changed"], "nothing else is held up by it"
    bare_host.run("rm", "-r", directory)
    assert image(bare_host, state="absent")["changed"]


def test_mount_point_in_an_image_is_not_deleted(bare_host, archive):
    image(bare_host, source=archive)
    bare_host.run("sh", "-ec", f"mkdir /run/precious; touch /run/precious/file; mkdir {IMAGES}/small/rootfs/mnt; "
                  f"mount --bind /run/precious {IMAGES}/small/rootfs/mnt")  # fmt: skip
    assert "is a mount point and was not deleted" in image(bare_host, state="absent", fails=True)["msg"]
    bare_host.run("test", "-e", "/run/precious/file")
    assert info(bare_host) == [], "half of an image is none"
    bare_host.run("sh", "-ec", f"umount {IMAGES}/.gone-small-*/rootfs/mnt")
    assert image(bare_host, state="absent")["changed"]
    nothing_is_left_but(bare_host)
