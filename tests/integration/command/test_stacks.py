"""The verbs of the host command for stacks."""

import json
from xml.etree import ElementTree

import pexpect
from host_command import PROGRAM, actions

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


COMPOSE = """
name: shop
services:
  web:
    image: debian
    command: ${COMMAND}
    depends_on: [db]
    networks: [inner]
  db:
    image: debian
    command: [sleep, infinity]
    networks: [inner]
networks: {inner: {internal: true}}
"""


def test_up_starts_the_stack_of_a_file_in_json_or_yaml(command, tmp_path):
    options, compose = tmp_path / "shop.json", tmp_path / "compose.yml"
    options.write_text(json.dumps({"name": "shop", "containers": {"web": ENTRY, "db": {**ENTRY, "expose": ["80-80"]}}}))
    assert "would start container web" in command("up", str(options), "--check").stdout
    assert names(command.json("ps")) == []
    command("up", str(options))
    assert [c["state"] for c in command.json("ps", "--stack", "shop")["containers"]] == ["running", "running"]
    assert actions(command("up", str(options))) == ["stack shop is up to date"]

    (tmp_path / ".env").write_text("COMMAND=sleep 1000\n")
    compose.write_text(COMPOSE)
    assert "Use --restart to restart it" in command("up", str(compose), status=4).stderr
    command("up", str(compose), "--restart")
    assert command.json("info", "web")["containers"][0]["command"] == ["sleep", "1000"]
    assert command.json("info", "web")["networks"][0]["peers"] == [{"peer": "db", "ports": []}]
    assert "  n1 --> n0" in command("graph").stdout.splitlines()

    compose.write_text(COMPOSE.replace("image: debian", "imag: debian"))
    assert f"{compose}:5: services.web.imag" in command("up", str(compose), status=5).stderr
    options.write_text('{"containers": {}}')
    assert (
        "the stack has no name. Set name in the file, or give --name." in command("up", str(options), status=5).stderr
    )
    command("down", "shop")


def test_up_and_down_show_their_progress_on_a_terminal(command, tmp_path):
    options = tmp_path / "shop.json"
    options.write_text(json.dumps({"name": "shop", "containers": {"web": ENTRY}}))

    def on_terminal(*argv):
        """What it prints to the terminal and to standard output."""
        output = "/run/test-output"
        run = command.spawn("sh", "-c", f'"$@" > {output}', "sh", PROGRAM, *argv)
        run.expect(pexpect.EOF)
        run.close()
        assert run.exitstatus == 0, run.before
        printed = command.host.run("cat", output).stdout
        command.host.run("rm", output)
        return [line.partition(" ")[2] for line in run.before.splitlines()], printed

    shown, printed = on_terminal("up", str(options))
    assert shown[1:-1] == printed.splitlines() and "start container web" in shown and shown[0].startswith("begin: ")
    shown, printed = on_terminal("down", "shop", "--json")
    assert shown[-1] == f"end: {len(shown) - 2} done, 0 failed"
    assert json.loads(printed)["actions"] == shown[1:-1]
    assert command("up", str(options)).stderr == "", "it is no terminal"
    run = command.spawn(PROGRAM, "up", str(options))
    run.expect(pexpect.EOF)
    assert run.before.splitlines() == ["stack shop is up to date"]
    run = command.spawn(PROGRAM, "down", "shop")
    run.expect(pexpect.EOF)
    assert run.before.count("stop container web") == 1, "one terminal shows each action once"


def test_graph_is_an_image_if_graphviz_is_installed(command):
    peers = {"web": {**ENTRY, "peers": ["db"], "expose": ["80-8080"]}, "db": ENTRY}
    command.host.module("conductor_stack", name="shop", containers=peers)
    image = ElementTree.fromstring(command("graph", "--format", "svg").stdout)
    assert image.tag == "{http://www.w3.org/2000/svg}svg"
    assert {"web", "db", "clients of the host"} <= {text.strip() for text in image.itertext()}
    assert command.json("graph", "--format", "svg")["graph"].startswith("<?xml")
    # No execute permission, as if it were not installed. In the mount namespace of the test host only.
    command.host.run("mount", "--bind", "/dev/null", "/usr/bin/dot")
    error = command("graph", "--format", "svg", status=6).stderr
    assert "the program dot is missing. Run apt-get install graphviz, or choose --format mermaid or dot." in error
    command.host.run("umount", "/usr/bin/dot")
    command("down", "shop")
