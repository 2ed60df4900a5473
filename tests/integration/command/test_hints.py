"""Hints of errors: commands that are about the container or image of the error, in whatever text it comes."""

import json
import re

from host_command import actions
from model_values import link_of

STATE = "/var/lib/conductor"
ENTRY = {"image": "debian", "command": "sleep 1000"}
MODULE_WORDS = re.compile(r"\bconductor_\w+|\bstate=|(?:force|prune|restart)(?:=|: )true")


def told(done):
    """The error output, which has no words of modules."""
    assert not MODULE_WORDS.search(done.stderr), done.stderr
    return done.stderr


def up(command, tmp_path, containers, status=0):
    file = tmp_path / "shop.json"
    file.write_text(json.dumps({"containers": containers}))
    return told(command("up", "--name", "shop", str(file), status=status))


def test_missing_objects_are_named(command, tmp_path):
    assert "Run conductor build nope, or correct the name." in told(command("run", "nope", "box", status=3))
    assert "Run conductor build nope." in told(command("image", "tag", "nope", "copy", status=3))
    assert "Run conductor build nope" in up(command, tmp_path, {"web": {"image": "nope"}}, status=3)
    command("run", "debian", "web")
    command("addnetwork", "web", "--internet")
    assert "Run conductor run IMAGE db." in told(command("peer", "web", "db", status=3))
    command("run", "debian", "db")
    assert "Run conductor network add db first." in told(command("peer", "web", "db", status=4))
    command.host.run("rm", "-r", f"{STATE}/images/.logs", check=False)


def test_warnings_name_options_of_the_verb(command, tmp_path):
    up(command, tmp_path, {"web": ENTRY, "db": ENTRY})
    assert "db are not listed any more. Use --prune to remove them" in up(command, tmp_path, {"web": ENTRY})
    assert "Use --restart" in up(command, tmp_path, {"web": {**ENTRY, "command": "sleep 2"}, "db": ENTRY}, status=4)
    command("down", "shop")


def test_damaged_objects_are_named_in_every_text(command, tmp_path):
    host = command.host
    for name in ("db", "web"):
        command("create", "debian", name)
        command("addnetwork", name)
    host.run("tee", f"{STATE}/containers/db/container.json", stdin='{"version": 1, "name": "db"}')
    remedy = "or run conductor rm --force db."
    assert remedy in told(command("ps"))
    for argv in (
        ["info", "db"],
        ["inspect", "db"],
        ["start", "db"],
        ["exec", "db", "--", "true"],
        ["logs", "--json", "db"],
    ):
        assert remedy in told(command(*argv, status=7)), argv
    host.run("tee", f"{STATE}/containers/db/network.json", stdin='{"version": 1}')
    told(command("addnetwork", "db", status=7))
    told(command("peer", "web", "db", status=7))
    assert remedy in up(command, tmp_path, {"web": ENTRY, "db": ENTRY}, status=7)
    assert actions(command("rm", "--force", "db"))[-1] == "remove container db"
    command("image", "tag", "debian", "copy")
    host.run("tee", f"{STATE}/images/copy/image.json", stdin='{"version": 1, "name": "copy"}')
    for argv in (["run", "copy", "box"], ["rmi", "copy"]):
        assert "Run conductor rmi --force copy." in told(command(*argv, status=7)), argv
    assert actions(command("rmi", "--force", "copy"))[-1] == "remove image copy"
    host.run("rm", "-r", f"{STATE}/images/.logs", check=False)


def test_damaged_network_is_named(command):
    command("create", "debian", "web")
    command("addnetwork", "web")
    command.host.run("tee", f"{STATE}/containers/web/network.json", stdin='{"version": 1}')
    assert "and run conductor network add web again" in told(command("start", "web", status=7))
    for argv in (["port", "web"], ["graph"]):
        assert f"conductor: web: {STATE}/containers/web/network.json is damaged" in told(command(*argv)), argv


def test_left_link_is_a_warning_of_port(box):
    link = link_of("box")
    box.host.run("ip", "link", "add", link, "type", "veth", "peer", "name", "other")
    done = box("port", "box")
    assert done.stdout == "" and told(done) == f"conductor: box: link {link} should not exist\n"
    assert box.json("port", "box") == {"expose": []}
    box.host.run("ip", "link", "delete", link)
