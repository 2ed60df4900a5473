"""The verbs of the host command for stacks."""

from host_command import actions

ENTRY = {"image": "debian", "command": ["/bin/sleep", "infinity"]}


def names(result):
    return [container["name"] for container in result["containers"]]


def test_down_removes_the_containers_of_one_stack(command):
    command.host.module("conductor_stack", name="shop", containers={"web": {**ENTRY, "count": 2}})
    command("run", "debian", "other", "--", "/bin/sleep", "infinity")
    assert names(command.json("ps", "--stack", "shop")) == ["web-1", "web-2"]
    assert names(command.json("ps")) == ["other", "web-1", "web-2"]
    assert "would remove container web-1" in command("down", "shop", "--check").stdout
    assert len(names(command.json("ps", "--stack", "shop"))) == 2

    command("down", "shop")
    assert names(command.json("ps")) == ["other"]
    assert actions(command("down", "shop")) == ["stack shop has no containers"]
    assert actions(command("ps", "--stack", "shop")) == ["stack shop has no containers"]
    assert "--stack 'a b' is not a valid name" in command("ps", "--stack", "a b", status=5).stderr
