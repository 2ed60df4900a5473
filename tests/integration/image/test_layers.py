"""Images based on other images: a layer each, and a base image that stays while others depend on it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from controller import Controller
from dying import dies
from small_image import entries, image, info, make_runnable_archive
from strides import spread
from testhost import PYTHON
from waiting import until

IMAGES, CONTAINERS = "/var/lib/conductor/images", "/var/lib/conductor/containers"
SLEEP = ["/bin/sleep", "infinity"]
# Each hides, replaces or moves what is in the layer below it.
STEPS = [
    "mkdir -p /data/old /data/kept; echo 1 > /data/old/one; echo 1 > /data/kept/one; echo 1 > /gone; chmod 751 /data",
    "rm -r /data/old /gone; mkdir /data/old; echo 2 > /data/old/two; chown 33:44 /data/old; echo 2 >> /data/kept/one",
    "mv /data/kept /data/moved; ln /data/old/two /data/hard; rm -r /etc/apt",
]
# What they lead to together. A directory of several layers has no sensible size and number of links.
LOOK = r"""
for top in /data $(ls -d /gone /etc/apt || true)
do find $top \( -type d -printf '%p d %m %U:%G\n' \) -o -printf '%p %y %m %U:%G %n %s\n'; done | sort
cat /data/moved/one
"""


@pytest.fixture
def stack(host):
    """Images one, two and three, each made of a container of the one below; how a container of the last one looked."""
    below = "debian"
    for name, step in zip(("one", "two", "three"), STEPS):
        host.module("conductor_container", name="work", image=below, command=SLEEP)
        inside(host, "work", step)
        seen = inside(host, "work", LOOK if name == "three" else "true")
        host.module("conductor_container", name="work", state="stopped")
        host.module("conductor_image", name=name, source={"container": "work"})
        host.module("conductor_container", name="work", state="absent")
        below = name
    yield seen
    for name in host.run("ls", CONTAINERS).stdout.split():
        host.module("conductor_container", name=name, state="absent")
    for name in ("four", "three", "two", "one"):
        host.module("conductor_image", name=name, state="absent", force=True)
    host.run("rm", "-rf", f"{IMAGES}/.logs")


def inside(host, name, script):
    return host.module("conductor_exec", container=name, argv=["/bin/sh", "-ec", script])["stdout"]


@pytest.mark.parametrize("userns", ["auto", "host"])
def test_stacked_layers_have_the_files_of_the_container(host, stack, userns):
    assert "/data d 751 0:0\n" in stack and "/data/old d 755 33:44" in stack and "/gone" not in stack
    assert "/data/hard f 644 0:0 2 2\n" in stack and "/etc/apt" not in stack and stack.endswith("\n1\n2")
    for life in ("fresh", "restarted"):
        host.module("conductor_container", name="new", image="three", command=SLEEP, userns=userns)
        assert inside(host, "new", LOOK) == stack, life
        mounts = [line.split()[4] for line in host.run("cat", "/proc/self/mountinfo").stdout.splitlines()]
        assert [mount for mount in mounts if "/containers/new/" in mount] == [f"{CONTAINERS}/new/rootfs"]
        host.module("conductor_container", name="new", state="stopped")
    host.module("conductor_copy", container="new", src="/data/moved/one", dest="/run/one", direction="out")
    assert host.run("cat", "/run/one").stdout == "1\n2\n"
    host.run("rm", "/run/one")


def test_layer_has_only_changes_with_the_ids_inside(host, stack):
    found = {one["name"]: one for one in info(host)}
    assert [found[name]["base"] and found[name]["base"]["name"] for name in ("debian", "one", "two", "three")] == [
        None, "debian", "one", "two",
    ]  # fmt: skip
    assert found["two"]["base"]["id"] == found["one"]["id"] and found["two"]["base_of"] == ["three"]
    assert found["three"]["suite"] == found["debian"]["suite"] and found["three"]["builder"] == "container"
    assert found["two"]["size"] < 1 << 20 < found["debian"]["size"]
    for name in ("one", "two", "three"):
        files = host.run("find", f"{IMAGES}/{name}", "-printf", "%U %P\n").stdout.splitlines()
        assert len(files) < 100 and not [line for line in files if int(line.split()[0]) > 65535]
    assert host.run("ls", "-A", f"{IMAGES}/three").stdout.split() == ["image.json", "rootfs"]


def test_export_of_a_layer_includes_its_base(host, stack):
    host.module("conductor_image", name="three", state="exported", archive="/run/three.tar")
    host.module("conductor_image", name="four", source={"archive": "/run/three.tar"})
    host.module("conductor_container", name="new", image="four", command=SLEEP)
    assert inside(host, "new", LOOK) == stack
    assert {one["name"]: one for one in info(host)}["four"]["base"] is None
    members = host.run("tar", "-tvf", "/run/three.tar").stdout.splitlines()
    assert len(members) > 1000 and not [line for line in members if " 0,0 " in line or " ./gone" in line]
    host.run("rm", "/run/three.tar")


def test_base_image_cannot_be_removed_or_rebuilt(host, stack):
    asked = {"removed": ({"state": "absent"}, {"state": "absent", "force": True}), "built again": ({"force": True},)}
    for what, options in [(what, one) for what, several in asked.items() for one in several]:
        for name, above in (("one", "two"), ("debian", "one")):
            for check in (True, False):
                refused = host.module("conductor_image", name=name, fails=True, check=check, **options)
                assert f"image {name}: cannot be {what} because it is the base of {above}" in refused["msg"]
                assert "Remove these images first" in refused["msg"]
    host.module("conductor_image", name="three", state="absent")
    assert host.module("conductor_image", name="two", state="absent")["changed"]


def test_missing_base_image_is_reported_before_any_change(host, stack):
    host.module("conductor_container", name="new", image="three", command=SLEEP, state="present")
    host.run("mv", f"{IMAGES}/two", "/run/two")
    for options in ({"name": "new", "state": "started"}, {"name": "other", "image": "three"}):
        for check in (True, False):
            told = host.module("conductor_container", fails=True, check=check, **options)["msg"]
            assert "image three: base image two does not exist" in told
    assert "base image two does not exist" in host.module(
        "conductor_image", name="three", state="exported", archive="/run/three.tar", fails=True
    )["msg"]  # fmt: skip
    # An image with the same name but another id is not the base.
    host.module("conductor_image", name="two", source={"image": "one"})
    told = host.module("conductor_container", name="new", state="started", fails=True)["msg"]
    assert "image three: base image two was replaced by another build" in told
    host.module("conductor_image", name="two", state="absent", force=True, fails=True)
    host.module("conductor_container", name="new", state="absent")
    assert host.module("conductor_image", name="three", state="absent")["changed"]
    host.run("rm", "-r", "/run/two")


def test_commands_make_a_layer_on_an_image(host, stack):
    wish = {
        "name": "four",
        "source": {"image": "three"},
        "commands": ["rm /data/hard; echo 4 > /etc/four", ["touch", "/4"]],
    }
    planned = host.module("conductor_image", check=True, **wish)
    made = host.module("conductor_image", **wish)
    assert made["actions"] == planned["actions"] == ["build image four"] and made["image"]["builder"] == "image"
    assert not host.module("conductor_image", **wish)["changed"]
    assert "values of commands" in host.module("conductor_image", fails=True, **{**wish, "commands": ["true"]})["msg"]
    assert (
        "values of source" in host.module("conductor_image", fails=True, **{**wish, "source": {"image": "one"}})["msg"]
    )
    layer = host.run("find", f"{IMAGES}/four/rootfs", "!", "-type", "d", "-printf", "%P %y\n").stdout.splitlines()
    assert sorted(layer) == ["4 f", "data/hard c", "etc/four f"], "nothing else, not even what it needed for a while"
    host.module("conductor_container", name="new", image="four", command=SLEEP)
    assert inside(host, "new", "cat /etc/four /data/moved/one; ls /data") == "4\n1\n2\nmoved\nold"


def test_digest_identifies_the_inputs(host, stack):
    host.module("conductor_container", name="work", image="three", command=SLEEP)
    host.module("conductor_container", name="work", state="stopped")
    sums = [f"sha256:{digit * 64}" for digit in "12"]
    made = host.module("conductor_image", name="four", source={"container": "work", "digest": sums[0]})
    assert made["image"]["recipe"]["source"] == {
        "container": "work", "digest": sums[0], "archive": None, "checksum": None, "image": None,
    }  # fmt: skip
    host.module("conductor_container", name="work", state="absent")
    for container in ("work", "elsewhere"):
        assert not host.module(
            "conductor_image", name="four", source={"container": container, "digest": sums[0]}
        )["changed"]  # fmt: skip
    host.module("conductor_container", name="work", image="three", state="present")
    host.run("tee", f"{CONTAINERS}/work/container.json", stdin="{")
    assert not host.module("conductor_image", name="four", source={"container": "work", "digest": sums[0]})["changed"]
    host.module("conductor_container", name="work", state="absent", force=True)
    told = host.module("conductor_image", name="four", source={"container": "work", "digest": sums[1]}, fails=True)
    assert "built with other values of source" in told["msg"]
    host.module("conductor_container", name="work", image="three", state="present")
    again = host.module("conductor_image", name="four", source={"container": "work", "digest": sums[1]}, force=True)
    assert again["changed"] and again["image"]["recipe"]["source"]["digest"] == sums[1]


def test_container_of_a_layer_is_restarted_by_its_policy(host, stack):
    host.module("conductor_container", name="new", image="three", command=SLEEP, restart_policy="always")
    first = host.module("conductor_container_info", name=["new"])["containers"][0]["pid"]
    host.run("kill", "-9", str(first))

    def other():
        now = host.module("conductor_container_info", name=["new"])["containers"][0]
        return now["state"] == "running" and now["pid"] != first

    until(other, "it is started again")
    assert inside(host, "new", LOOK) == stack


def test_containers_may_use_an_image_while_another_is_made_on_it(host, stack):
    """The one lock that all three want is held together by those that only need the image to stay."""
    commands = ["sleep 12345 || true"]
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(host.module, "conductor_image", name="four", source={"image": "three"}, commands=commands)
        until(lambda: host.run("pgrep", "-x", "-f", "sleep 12345", check=False).stdout, "the command runs")
        host.module("conductor_container", name="new", image="three", command=SLEEP, lock_timeout=0.1)
        told = host.module("conductor_image", name="three", state="absent", lock_timeout=0.1, fails=True)["msg"]
        assert "image-three is locked by process" in told
        host.run("pkill", "-x", "-f", "sleep 12345")
        assert build.result()["changed"]
    assert host.run("ls", "-A", "/run/conductor/locks").stdout == ""


def test_teardown_removes_an_image_before_its_base(host, stack, tmp_path):
    controller = Controller(tmp_path)
    controller.inventory["here"] = {"ansible_connection": "local", "ansible_python_interpreter": PYTHON}
    stacks = [{"name": name, "images": [{"name": name}]} for name in ("one", "two", "three")]
    variables = json.dumps({"conductor_stacks": stacks, "conductor_teardown_images": True})
    controller.run("ansible-playbook", "conductor.containers.teardown", "-e", variables, on=host)
    assert [one["name"] for one in info(host)] == ["debian"]


@spread(5)
def test_next_run_converges_after_death_at_any_step(bare_host, stride):
    image(bare_host, source=make_runnable_archive(bare_host))
    source = dict.fromkeys(["archive", "checksum", "container", "digest"])
    wish = {"name": "golden", "source": {**source, "image": "small"}}
    step = 0
    while dies(bare_host, step, "image", **wish):
        bare_host.module("conductor_image", **wish)
        assert entries(bare_host) == ["golden", "small"]
        assert bare_host.run("ls", "-A", f"{IMAGES}/golden").stdout.split() == ["image.json", "rootfs"]
        bare_host.module("conductor_image", name="golden", state="absent")
        step += stride
    assert step > 8
    assert bare_host.run("grep", "-c", "golden", "/proc/self/mountinfo", check=False).stdout == "0\n"
