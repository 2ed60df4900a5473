"""`conductor rename`: another name for a stopped container, which keeps its data, address and peers."""

import json

import pytest
from host_command import actions

SLEEP = ["--", "/bin/sleep", "infinity"]


def box(command, name="box"):
    command("run", "--internet", "debian", name, *SLEEP)
    command("stop", "--keep", name)


def test_everything_of_it_stays(command):
    host = command.host
    command("run", "-e", "A=1", "debian", "box", *SLEEP)
    host.module("conductor_exec", container="box", argv=["sh", "-c", "echo mine >/root/file"])
    command("stop", "--keep", "box")
    before = command.json("inspect", "box")["containers"][0]
    steps = ["rename container box to web", "store the new name of container web"]
    assert actions(command("rename", "--check", "box", "web")) == [f"would {step}" for step in steps]
    assert actions(command("rename", "box", "web")) == steps
    after = command.json("inspect", "web")["containers"][0]
    assert after["hostname"] == "web"
    paths = ("name", "hostname", "directory", "rootfs", "log_path")
    assert {**after, **{key: before[key] for key in paths}} == before
    command("start", "web")
    told = host.module("conductor_exec", container="web", argv=["sh", "-c", "cat /root/file; hostname; echo $A"])
    assert told["stdout_lines"][:2] == ["mine", "web"]
    assert host.run("ls", "/var/lib/conductor/containers").stdout.split() == ["web"]


def test_a_host_name_that_was_chosen_stays(command):
    command.host.module("conductor_container", name="box", image="debian", hostname="db.example", state="present")
    command("rename", "box", "web")
    assert command.json("inspect", "web")["containers"][0]["hostname"] == "db.example"


def test_peers_reach_it_by_its_new_name(command):
    host = command.host
    box(command)
    command("run", "--internet", "debian", "client", *SLEEP)
    command("peer", "add", "client", "box")
    before = host.module("conductor_network_info")["networks"]
    command("rename", "box", "web")
    after = host.module("conductor_network_info")["networks"]
    links = {one.pop("link") for one in (*before, *after)}
    by_name = [sorted(json.dumps(one).replace('"web"', '"box"') for one in found) for found in (before, after)]
    assert by_name[0] == by_name[1] and len(links) == 3, "only its name, and that of its link, are others"
    command("start", "web")
    known = host.module("conductor_exec", container="client", argv=["getent", "hosts", "web"])["stdout"]
    (address,) = ((one["ipv4"], one["ipv6"]) for one in after if one["container"] == "web")
    assert known.split()[0] in address
    # Its name server does not answer either.
    look = ["env", "RES_OPTIONS=timeout:1 attempts:1", "getent", "hosts", "box"]
    gone = host.module("conductor_exec", container="client", argv=look, fails=True)
    assert gone["rc"] == 2
    # Nothing listens there; a packet that the firewall drops has no answer.
    call = ["timeout", "20", "bash", "-c", "</dev/tcp/web/9"]
    assert "refused" in host.module("conductor_exec", container="client", argv=call, fails=True)["stderr"]


@pytest.mark.parametrize("check", [["--check"], []])
def test_what_cannot_be_renamed_is_an_error_before_any_change(command, check):
    box(command)
    box(command, "web")
    told = command("rename", *check, "box", "web", status=4).stderr
    assert "container web exists" in told
    assert "does not exist" in command("rename", *check, "other", "third", status=3).stderr
    assert "has this name" in command("rename", *check, "box", "box", status=5).stderr
    command("start", "box")
    assert "conductor stop --keep box first" in command("rename", *check, "box", "third", status=4).stderr
    assert set(command.host.run("ls", "/var/lib/conductor/containers").stdout.split()) == {"box", "web"}


def test_a_container_of_a_stack_is_renamed_in_the_stack(command):
    one = {"image": "debian", "command": ["/bin/sleep", "infinity"]}
    command.host.module("conductor_stack", name="shop", containers={"web": one}, state="stopped")
    told = command("rename", "web", "box", status=4).stderr
    assert "container web is of the stack shop" in told


def test_a_killed_run_is_finished_by_the_next(command):
    host = command.host
    box(command)
    command("run", "--internet", "debian", "client", *SLEEP)
    command("peer", "add", "client", "box")
    # As it is after the death of a run between its first step and its second.
    path = "/var/lib/conductor/containers/box/container.json"
    half = {**json.loads(host.run("cat", path).stdout), "renamed_to": "web"}
    host.run("sh", "-c", f"cat >{path} && mv /var/lib/conductor/containers/box /var/lib/conductor/containers/web",
             stdin=json.dumps(half))  # fmt: skip
    assert [one["name"] for one in command.json("ps")["containers"]] == ["client", "web"]
    done = actions(command("rename", "box", "web"))
    assert "rename container box to web" not in done and "write the network of client" in done
    networks = {one["container"]: one for one in host.module("conductor_network_info")["networks"]}
    assert [peer["peer"] for peer in networks["client"]["peers"]] == ["web"]
    assert "does not exist" in command("rename", "box", "web", status=3).stderr
