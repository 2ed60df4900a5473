"""conductor_image: complete or not at all; the same recipe is no change; nobody's root is pulled away."""

import hashlib
import json
import os
import subprocess

import pytest
from testhost import PYTHON, module_environment
from waiting import until

ROOTFS = {"bin/sh": "#!/bin/true\n", "etc/hostname": "builder\n", "etc/machine-id": "abc\n", "etc/issue": "small\n"}
IMAGES = "/var/lib/conductor/images"
MODULES = "ansible_collections.conductor.containers.plugins.modules"
WITH_A_REAL_SHELL = """
cd /run/small
rm bin/sh
cp -L --parents /bin/sh /bin/sleep $(ldd /bin/sh /bin/sleep | grep -o '/[^ ]*' | grep -v : | sort -u) .
mkdir proc dev tmp sys
tar -cf /run/small.tar .
"""


@pytest.fixture
def archive(bare_host):
    """A tar archive of a root file system of a few files: enough wherever a real Debian is not the point."""
    return make_archive(bare_host, ROOTFS)


def make_archive(host, files, name="small"):
    for path, text in files.items():
        host.run("mkdir", "-p", os.path.dirname(f"/run/{name}/{path}"))
        host.run("tee", f"/run/{name}/{path}", stdin=text)
    host.run("tar", "-C", f"/run/{name}", "-cf", f"/run/{name}.tar", ".")
    return {"archive": f"/run/{name}.tar"}


def image(host, **params):
    return host.module("conductor_image", **{"name": "small", **params})


def info(host):
    return host.module("conductor_image_info")["images"]


def entries(host):
    return sorted(host.run("ls", "-A", IMAGES, check=False).stdout.split())


def test_an_archive_becomes_an_image_and_a_second_run_changes_nothing(bare_host, archive):
    predicted = image(bare_host, source=archive, check=True)
    assert predicted["changed"] and entries(bare_host) == []
    done = image(bare_host, source=archive)
    assert done["actions"] == predicted["actions"] == ["build image small"]
    assert not image(bare_host, source=archive)["changed"]
    assert not image(bare_host)["changed"]
    assert [i["name"] for i in info(bare_host)] == ["small"]
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout == "small\n"


def test_what_names_one_machine_is_not_in_an_image(bare_host, archive):
    image(bare_host, source=archive)
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/machine-id").stdout == ""
    assert "hostname" not in bare_host.run("ls", f"{IMAGES}/small/rootfs/etc").stdout


def test_a_wrong_checksum_is_refused_before_anything_is_unpacked(bare_host, archive):
    refused = image(bare_host, source={**archive, "checksum": "sha256:" + "0" * 64}, fails=True)
    assert "has the checksum sha256:" in refused["msg"]
    data = subprocess.run([*bare_host.enter, "cat", archive["archive"]], capture_output=True, check=True).stdout
    image(bare_host, source={**archive, "checksum": "sha256:" + hashlib.sha256(data).hexdigest()})


def test_another_recipe_is_a_clear_error_and_force_builds_again(bare_host, archive):
    image(bare_host, source=archive)
    before = info(bare_host)[0]["id"]
    refused = image(bare_host, source=archive, commands=["true"], fails=True)
    assert "was built with other values of commands" in refused["msg"] and "force: true" in refused["msg"]
    assert refused["diff"] == {"before": {"commands": None}, "after": {"commands": ["true"]}}
    assert info(bare_host)[0]["id"] == before
    assert image(bare_host, source=archive, force=True)["actions"] == ["build image small again"]
    assert info(bare_host)[0]["id"] != before


def test_export_and_import_round_trip_with_the_same_bytes_each_time(bare_host, archive):
    image(bare_host, source=archive)
    for suffix in (".tar", ".tar.gz", ".tar.zst"):
        first, second = f"/run/one{suffix}", f"/run/two{suffix}"
        assert image(bare_host, state="exported", archive=first)["changed"]
        assert not image(bare_host, state="exported", archive=first)["changed"]
        image(bare_host, state="exported", archive=second)
        bare_host.run("cmp", first, second)
        name = f"copy{suffix[1:].replace('.', '-')}"
        bare_host.module("conductor_image", name=name, source={"archive": first})
        bare_host.run("diff", "-r", f"{IMAGES}/small/rootfs", f"{IMAGES}/{name}/rootfs")


@pytest.mark.parametrize(
    "build",
    [
        "tar.add('/etc/hostname', arcname='../../../escaped')",
        "tar.add('/etc/hostname', arcname='/run/escaped')",
        "i = tarfile.TarInfo('out'); i.type = tarfile.SYMTYPE; i.linkname = '/run'; tar.addfile(i); "
        "tar.add('/etc/hostname', arcname='out/escaped')",
        "i = tarfile.TarInfo('out'); i.type = tarfile.LNKTYPE; i.linkname = '/etc/hostname'; tar.addfile(i); "
        "j = tarfile.TarInfo('out'); j.size = 3; tar.addfile(j, io.BytesIO(b'bad'))",
    ],
    ids=["dotdot", "absolute", "link-out", "hard-link-out"],
)
def test_a_hostile_archive_gets_nothing_out(bare_host, build):
    code = (
        "import tarfile, io; tar = tarfile.open('/run/evil.tar', 'w'); "
        "s = tarfile.TarInfo('bin/sh'); tar.addfile(s); " + build + "; tar.close()"
    )
    bare_host.run("python3", "-c", code)
    before = bare_host.run("cat", "/etc/hostname").stdout
    # Refused, or taken with the member put where it belongs: either will do, as long as nothing gets out.
    bare_host.run("true")
    try:
        image(bare_host, name="evil", source={"archive": "/run/evil.tar"})
    except AssertionError:
        assert entries(bare_host) == [".logs"]
    assert bare_host.run("ls", "-A", "/run").stdout.count("escaped") == 0
    assert bare_host.run("cat", "/etc/hostname").stdout == before
    assert bare_host.run("find", "/", "-maxdepth", "2", "-name", "escaped").stdout == ""


@pytest.mark.parametrize("link", ["etc", "usr", "var", "etc/ssh", "etc/resolv.conf", "etc/machine-id"])
def test_what_is_taken_out_of_an_image_is_never_taken_from_the_host(bare_host, link):
    """An archive whose /etc is a link to the host's: a build once deleted the host's name servers by it."""
    files = "/etc/hostname /etc/resolv.conf /etc/machine-id /etc/ssh/ssh_host_rsa_key /etc/ssh/sshd_config"
    bare_host.run("sh", "-c", f"mkdir -p /etc/ssh; for f in {files}; do echo the host > $f; done")
    bare_host.run("sh", "-ec", f"mkdir -p /run/evil/bin /run/evil/etc; touch /run/evil/bin/sh; cd /run/evil; "
                  f"[ {link} != etc ] || rmdir etc; ln -s /{link} {link}; tar -cf /run/evil.tar .")  # fmt: skip
    image(bare_host, name="evil", source={"archive": "/run/evil.tar"})
    assert bare_host.run("sh", "-c", f"cat {files}").stdout == "the host\n" * 5


def test_an_archive_that_is_no_root_file_system_is_refused(bare_host):
    source = make_archive(bare_host, {"readme": "hello"}, "none")
    refused = image(bare_host, source=source, fails=True)
    assert "holds no root file system" in refused["msg"] and entries(bare_host) == [".logs"]


def test_an_image_that_containers_use_is_not_removed_nor_built_again(host):
    host.module("conductor_container", name="web", image="debian", state="present")
    for params in ({"state": "absent"}, {"force": True}):
        refused = host.module("conductor_image", name="debian", fails=True, **params)
        assert "used by web" in refused["msg"]
    assert [i["used_by"] for i in info(host)] == [["web"]]


def test_absent_removes_it_and_then_changes_nothing(bare_host, archive):
    image(bare_host, source=archive)
    assert image(bare_host, state="absent", check=True)["actions"] == ["remove image small"]
    assert image(bare_host, state="absent")["changed"]
    assert not image(bare_host, state="absent")["changed"]
    assert entries(bare_host) == [".logs"]


def test_a_failing_build_leaves_no_image_and_shows_the_end_of_its_log(bare_host, archive):
    refused = image(bare_host, source=archive, commands=["echo to the log; exit 3"], fails=True)
    assert entries(bare_host) == [".logs"]
    assert refused["log"] == f"{IMAGES}/.logs/small.log" and refused["log_tail"]
    assert bare_host.run("cat", refused["log"]).stdout.endswith(refused["log_tail"])


def test_a_failing_debootstrap_leaves_no_half_image(bare_host):
    """The shell tool's half image was called existing by the next build."""
    bare_host.run("mkdir", "-p", "/run/empty-mirror")
    for builder in ("mmdebstrap", "debootstrap"):
        params = {"builder": builder, "mirror": "file:///run/empty-mirror", "suite": "trixie"}
        refused = image(bare_host, fails=True, **params)
        assert f"{builder} of trixie failed" in refused["msg"] and refused["log_tail"]
        assert entries(bare_host) == [".logs"] and info(bare_host) == []
        assert f"{IMAGES}/" not in bare_host.run("cat", "/proc/self/mounts").stdout


def test_killed_in_the_middle_the_next_run_builds_it_and_clears_what_was_left(bare_host, archive):
    arguments = {"ANSIBLE_MODULE_ARGS": {"name": "small", "source": archive, "commands": ["sleep 600"]}}
    # The shell of the archive is no program: a copy of the host's own is what can sleep.
    bare_host.run("sh", "-ec", WITH_A_REAL_SHELL)
    module = bare_host.popen(
        *["sh", "-c", f"cat > /run/args; exec {PYTHON} -m {MODULES}.conductor_image /run/args"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **module_environment()},
    )
    module.stdin.write(json.dumps(arguments).encode())
    module.stdin.close()
    running = "pgrep -f 'sleep 600$'"
    until(lambda: bare_host.run("sh", "-c", running, check=False).stdout, "the build is in its command")
    assert info(bare_host) == []
    bare_host.run("pkill", "-KILL", "-f", "modules.conductor_image")
    module.wait()
    until(lambda: not bare_host.run("sh", "-c", running, check=False).stdout, "the builder ended with the module")
    assert [e for e in entries(bare_host) if e.startswith(".build-small-")] and info(bare_host) == []
    done = image(bare_host, source=archive)
    assert done["actions"][-1] == "build image small" and len(done["actions"]) == 2
    assert entries(bare_host) == [".logs", "small"]


def test_two_builds_at_once_one_builds_and_the_other_finds_it(bare_host, archive):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        results = [f.result() for f in [pool.submit(image, bare_host, source=archive) for _ in range(2)]]
    assert sorted(result["changed"] for result in results) == [False, True]


def test_damage_is_told_and_does_not_hide_other_images(bare_host, archive):
    image(bare_host, source=archive)
    image(bare_host, name="other", source=archive)
    bare_host.run("tee", f"{IMAGES}/small/image.json", stdin='{"version": 1, "na')
    found = info(bare_host)
    assert "is damaged" in found[1]["error"] and found[0]["name"] == "other"
    assert "is damaged" in image(bare_host, source=archive, fails=True)["msg"]


def test_the_shared_test_image_is_a_debian_that_the_module_built(host, cached_image):
    """script/test builds it by conductor_image from the mirror that the host's apt uses."""
    facts = info(host)[0]
    assert (facts["suite"], facts["variant"], facts["builder"]) == ("trixie", "minbase", "mmdebstrap")
    host.module("conductor_container", name="web", image="debian")
    shown = host.module("conductor_exec", container="web", cmd="dpkg-query -W -f '${db:Status-Status} ${Package}\\n'")
    installed = shown["stdout_lines"]
    assert {"installed apt", "installed python3", "installed curl"} <= set(installed)
    assert all(line.startswith("installed ") for line in installed)
