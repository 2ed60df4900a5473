"""The verbs of every day: options of run, several containers, signals, files, processes, and what they print."""

import json
import subprocess

import pytest
from host_command import PROGRAM, actions, at, held_lock, wait_for_lock
from waiting import until


def containers(command):
    """The facts of all containers, by name."""
    return {one["name"]: one for one in command.json("ps")["containers"]}


def test_options_of_run_are_those_of_the_module(command):
    host = command.host
    host.run("mkdir", "-p", "/run/data")
    options = [
        "-e",
        "A=1",
        "-e",
        "B=x y",
        "-v",
        "/run/data:/data:ro,noidmap",
        "-m",
        "64m",
        "-p",
        "8080:80",
        "--restart",
        "always",
    ]
    command("run", *options, "debian", "web", "--", "/bin/sleep", "infinity")
    same = {
        "env": {"A": "1", "B": "x y"},
        "mounts": [{"source": "/run/data", "target": "/data", "read_only": True, "idmap": False}],
        "memory": "64m",
        "restart_policy": "always",
        "network": {"expose": ["80-8080"]},
    }
    assert not host.module("conductor_container", name="web", **same)["changed"]
    assert command("port", "web").stdout == "80/tcp -> *:8080\n"
    assert actions(command("run", *options, "debian", "web")) == ["it is already running"]
    assert "remove the network of web" in actions(command("network", "rm", "web"))
    assert command("port", "web").stdout == ""
    command("stop", "web")
    host.run("rm", "-r", "/run/data")


def test_create_does_not_start(command):
    assert (
        actions(command("create", "debian", "box", "--", "/bin/sleep", "infinity"))[-1]
        == "create container box from image debian"
    )
    assert containers(command)["box"]["state"] == "created"


def test_command_replaces_the_init_of_a_container(command):
    command("create", "--init", "debian", "box")
    booted = containers(command)["box"]
    assert actions(command("create", "debian", "box")) == ["it exists already"]
    command("create", "debian", "box", "--", "/bin/sleep", "infinity")
    box = containers(command)["box"]
    assert (booted["init"], box["init"], box["command"]) == (True, False, ["/bin/sleep", "infinity"])
    assert booted["stop_signal"] != box["stop_signal"]
    refused = command("create", "--init", "debian", "box", "--", "/bin/sleep", "infinity", status=5)
    assert "command and init are mutually exclusive" in refused.stderr


def test_several_containers_of_which_one_fails(command):
    for name in ("a", "b"):
        command("run", "debian", name)
    done = command("stop", "--keep", "a", "nobody", "b", status=3)
    assert "container nobody does not exist" in done.stderr and done.stdout.count("stop container") == 2
    assert {one["state"] for one in containers(command).values()} == {"stopped"}
    told = json.loads(command("--json", "start", "a", "nobody", status=3).stdout)["results"]
    assert told["a"]["changed"] and told["nobody"]["failed"]
    before = containers(command)["a"]["pid"]
    command("restart", "a", "b")
    after = containers(command)
    assert {one["state"] for one in after.values()} == {"running"} and after["a"]["pid"] != before
    assert "container a is running. Run conductor stop --keep a" in command("rm", "a", status=4).stderr
    command("stop", "--keep", "b")
    assert actions(command("rm", "b"))[-1] == "remove container b"
    command("rm", "-f", "a")
    assert containers(command) == {}


def test_networks_of_several_containers_are_removed(box):
    box("run", "debian", "web")
    for name in ("box", "web"):
        box("network", "add", name)
    done = box.json("network", "rm", "box", "nobody", "web")["results"]
    assert {name: one["changed"] for name, one in done.items()} == {"box": True, "nobody": False, "web": True}
    assert box.json("info")["networks"] == []


def test_kill_sends_a_signal(command):
    command(
        "run", "debian", "box", "--", "/bin/sh", "-c", "trap 'echo told' HUP; echo ready; while :; do sleep 0.1; done"
    )
    until(lambda: command("logs", "box").stdout == "ready\n", "the trap is set")
    assert actions(command("kill", "-s", "HUP", "box")) == ["send signal 1 to container box"]
    until(lambda: command("logs", "box").stdout == "ready\ntold\n", "it has got it")
    command("kill", "box")
    until(lambda: containers(command)["box"]["state"] == "exited", "it has ended")
    assert containers(command)["box"]["exit_code"] == 137
    assert "Run conductor start box" in command("kill", "box", status=4).stderr
    assert "'NO' is not a signal" in command("kill", "-s", "NO", "box", status=5).stderr


def test_cp_copies_in_and_out(box):
    host = box.host
    host.run("sh", "-c", "mkdir -p /run/test/d; echo in > /run/test/file; echo deep > /run/test/d/deep")
    box("cp", "/run/test/file", "box:/root/")
    box("cp", "/run/test/d", "box:/root")
    assert box("exec", "box", "--", "cat", "/root/file", "/root/d/deep").stdout == "in\ndeep\n"
    box("exec", "box", "--", "sh", "-c", "echo out > /root/file")
    host.run("sh", "-c", f"cd /run/test && {PROGRAM} cp box:/root/file . && {PROGRAM} cp box:/root/d/ copied")
    assert host.run("cat", "/run/test/file", "/run/test/copied/deep").stdout == "out\ndeep\n"
    assert "must be NAME:PATH" in box("cp", "/run/test/file", "/run/other", status=5).stderr
    assert "must be NAME:PATH" in box("cp", "a:/x", "b:/x", status=5).stderr
    host.run("rm", "-r", "/run/test")


def test_what_runs_and_what_it_uses(box):
    facts = json.loads(box("inspect", "box").stdout)["containers"]
    assert facts[0]["name"] == "box" and facts[0] == {**containers(box)["box"], "usage": facts[0]["usage"]}
    lines = box("top", "box").stdout.splitlines()
    assert lines[0].split()[:2] == ["PID", "USER"] and "/bin/bash" in lines[1]
    rows = [line.split() for line in box("stats").stdout.splitlines()]
    assert rows[0][:2] == ["NAME", "MEMORY"] and [row[0] for row in rows[1:]] == ["box"]
    assert box("ps", "-q").stdout == "box\n"
    assert box("ps", "--format", r"{name}\t{state}").stdout == "box\trunning\n"
    assert box("ps", "--format", "{name}{error}").stdout == "box\n"
    assert "no fact 'nothing'" in box("ps", "--format", "{nothing}", status=5).stderr


def test_stats_of_named_containers(box):
    for name in ("web", "db"):
        box("run", "debian", name)
    assert [line.split()[0] for line in box("stats", "web", "box").stdout.splitlines()] == ["NAME", "web", "box"]
    assert [one["name"] for one in box.json("stats", "db")["containers"]] == ["db"]


def test_a_damaged_container_does_not_hide_the_others_in_lines_of_a_format(command):
    for name in ("a", "broken", "c"):
        command("create", "debian", name)
    command.host.run("tee", "/var/lib/conductor/containers/broken/container.json", stdin="{}")
    done = command("ps", "--format", "{name} {image} {state} {pid}")
    assert done.stdout == "a debian created \nbroken  damaged \nc debian created \n"
    assert done.stderr.startswith("conductor: broken: /var/lib") and done.stderr.count("\n") == 1
    assert "container.json is damaged" in command("ps", "--format", "{error}").stdout
    wrong = command("ps", "--format", "{name} {nothing}", status=5)
    assert wrong.stdout == "" and "no fact 'nothing'" in wrong.stderr


def test_results_before_an_interrupt_are_printed_into_a_pipe(command):
    for name in ("a", "box"):
        command("create", "debian", name)
    with held_lock(command.host, "container-box"):
        running = command.host.popen(
            PROGRAM, "rm", "a", "box", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        until(lambda: list(containers(command)) == ["box"], "the first one is removed")
        command.host.run("kill", "-INT", wait_for_lock(command.host, f"{PROGRAM} rm a box"))
        assert running.communicate(timeout=20) == ("remove container a\n", "")
    assert running.returncode == 130


def test_logs_can_begin_with_the_last_lines(command):
    command("run", "debian", "box", "--", "/bin/sh", "-c", "seq 1 30000; exec sleep infinity")
    until(lambda: command("logs", "box").stdout.endswith("30000\n"), "it has printed")
    assert command("logs", "--tail", "3", "box").stdout == "29998\n29999\n30000\n"
    assert len(command("logs", "-n", "20000", "box").stdout.splitlines()) == 20000
    assert command("logs", "-n", "40000", "box").stdout == command("logs", "box").stdout
    assert command("logs", "-n", "0", "box").stdout == ""


@pytest.mark.parametrize("answer", ["n", "y"])
def test_stop_asks_on_a_terminal(command, answer):
    command("run", "debian", "box")
    shell = command.terminal()
    shell.sendline("conductor stop box")
    shell.expect_exact("Delete box with all data? [y/N] ")
    said = at(shell, answer)
    assert ("remove container box" in said) == (answer == "y") and ("nothing was deleted" in said) == (answer == "n")
    assert (containers(command) == {}) == (answer == "y")
    shell.close(force=True)


def test_stop_does_not_ask_without_a_terminal_or_with_yes(command):
    command("run", "debian", "box")
    command("stop", "box")
    command("run", "debian", "box")
    shell = command.terminal()
    assert "remove container box" in at(shell, "conductor stop -y box")
    shell.close(force=True)
    assert containers(command) == {}


def test_images_are_exported_imported_tagged_and_removed(command):
    host = command.host
    command("image", "tag", "debian", "copy")
    assert command.json("image", "tag", "debian", "copy")["changed"] is False
    host.run("touch", "/run/copy.tar.zst")
    refused = command("image", "export", "copy", "/run/copy.tar.zst", status=4).stderr
    assert "exists and is not an export of this image. Use another path, or use --force" in refused
    command("image", "export", "copy", "/run/copy.tar.zst", "--force")
    assert command.json("image", "export", "copy", "/run/copy.tar.zst")["changed"] is False
    command("image", "import", "/run/copy.tar.zst", "other")
    assert {one["name"] for one in command.json("image", "ls")["images"]} == {"debian", "copy", "other"}
    command("run", "--rm", "other", "trial", "--", "/bin/true")
    done = command("rmi", "debian", "copy", status=4)
    assert "it is the base of copy" in done.stderr
    assert actions(done)[-1:] == ["remove image copy"]
    assert actions(command("image", "rm", "copy", "other")) == ["image copy does not exist", "remove image other"]
    host.run("rm", "-r", "/run/copy.tar.zst", "/var/lib/conductor/images/.logs")
