"""conductor_image: atomic builds, idempotence, and images in use."""

import hashlib
import subprocess

import pytest
from small_image import IMAGES, ROOTFS, entries, image, info, make_archive


@pytest.fixture
def archive(bare_host):
    """A tar archive of a root file system of a few files: enough wherever a real Debian is not the point."""
    return make_archive(bare_host, ROOTFS)


def test_import_is_idempotent(bare_host, archive):
    predicted = image(bare_host, source=archive, check=True)
    assert predicted["changed"] and entries(bare_host) == []
    done = image(bare_host, source=archive)
    assert done["actions"] == predicted["actions"] == ["build image small"]
    assert not image(bare_host, source=archive)["changed"]
    assert not image(bare_host)["changed"]
    assert [i["name"] for i in info(bare_host)] == ["small"]
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/issue").stdout == "small\n"


def test_image_has_no_machine_identity(bare_host, archive):
    image(bare_host, source=archive)
    assert bare_host.run("cat", f"{IMAGES}/small/rootfs/etc/machine-id").stdout == ""
    assert "hostname" not in bare_host.run("ls", f"{IMAGES}/small/rootfs/etc").stdout


def test_a_wrong_checksum_is_refused_before_anything_is_unpacked(bare_host, archive):
    refused = image(bare_host, source={**archive, "checksum": "sha256:" + "0" * 64}, fails=True)
    assert "has the checksum sha256:" in refused["msg"]
    data = subprocess.run([*bare_host.enter, "cat", archive["archive"]], capture_output=True, check=True).stdout
    image(bare_host, source={**archive, "checksum": "sha256:" + hashlib.sha256(data).hexdigest()})


def test_different_recipe_is_an_error_without_force(bare_host, archive):
    image(bare_host, source=archive)
    before = info(bare_host)[0]["id"]
    refused = image(bare_host, source=archive, commands=["true"], fails=True)
    assert "built with other values of commands" in refused["msg"] and "force: true" in refused["msg"]
    assert refused["diff"] == {"before": {"commands": None}, "after": {"commands": ["true"]}}
    assert info(bare_host)[0]["id"] == before
    assert image(bare_host, source=archive, force=True)["actions"] == ["build image small again"]
    assert info(bare_host)[0]["id"] != before


def test_image_in_use_is_neither_removed_nor_rebuilt(host):
    host.module("conductor_container", name="web", image="debian", state="present")
    for params in ({"state": "absent"}, {"force": True}):
        refused = host.module("conductor_image", name="debian", fails=True, **params)
        assert "used by web" in refused["msg"]
    assert [i["used_by"] for i in info(host)] == [["web"]]


def test_absent_is_idempotent(bare_host, archive):
    image(bare_host, source=archive)
    assert image(bare_host, state="absent", check=True)["actions"] == ["remove image small"]
    assert image(bare_host, state="absent")["changed"]
    assert not image(bare_host, state="absent")["changed"]
    assert entries(bare_host) == []


def test_a_failing_build_leaves_no_image_and_shows_the_end_of_its_log(bare_host, archive):
    refused = image(bare_host, source=archive, commands=["echo to the log; exit 3"], fails=True)
    assert entries(bare_host) == []
    assert refused["log"] == f"{IMAGES}/.logs/small.log" and refused["log_tail"]
    assert bare_host.run("cat", refused["log"]).stdout.endswith(refused["log_tail"])


def test_a_failing_debootstrap_leaves_no_half_image(bare_host):
    """The shell tool's half image was called existing by the next build."""
    bare_host.run("mkdir", "-p", "/run/empty-mirror")
    for builder in ("mmdebstrap", "debootstrap"):
        params = {"builder": builder, "mirror": "file:///run/empty-mirror", "suite": "trixie"}
        refused = image(bare_host, fails=True, **params)
        assert f"{builder} of trixie failed" in refused["msg"] and refused["log_tail"]
        assert entries(bare_host) == [] and info(bare_host) == []
        assert f"{IMAGES}/" not in bare_host.run("cat", "/proc/self/mounts").stdout


def test_concurrent_builds_build_once(bare_host, archive):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        results = [f.result() for f in [pool.submit(image, bare_host, source=archive) for _ in range(2)]]
    assert sorted(result["changed"] for result in results) == [False, True]


def test_damaged_image_is_reported_and_others_are_listed(bare_host, archive):
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
