"""The host command: every verb, its errors, logs and completion."""

import json
import os
import signal
import subprocess

from host_command import COMPLETION, PROGRAM, actions, held_lock, pid_of, wait_for_lock
from waiting import until

STATE = "/var/lib/conductor"
# Copies what it is to build: real ones are for ../image/test_builders.py.
BUILDER = """#!/bin/sh
for word; do case $word in /run/conductor/rootfs) mkdir -p $word/etc $word/usr/bin ;; esac; done
{end}
"""


def test_images_lists_users_of_each_image(command):
    command.host.module("conductor_image", name="above", source={"image": "debian"})
    command("run", "debian", "box")
    rows = [line.split() for line in command("images").stdout.splitlines()]
    assert rows[0] == ["NAME", "BASE", "SIZE", "CREATED", "USED", "BY"] and rows[1][:2] == ["above", "debian"]
    assert rows[2][0] == "debian" and rows[2][-3:] == ["box", "above", "(image)"]
    command("rmi", "above")
    command.host.run("rm", "-r", f"{STATE}/images/.logs")


def test_life_cycle_of_containers(command):
    # The first container of a host registers its id range in the host's files.
    assert actions(command("run", "debian", "box")) == [
        "register ids 524288 to 268959743 for the user conductor in /etc/subuid and /etc/subgid",
        "create container box from image debian",
        "start container box",
    ]
    command(
        "run",
        "debian",
        "web",
        "--",
        "/usr/bin/python3",
        "-c",
        "import time; print('a  b', flush=True); time.sleep(1e6)",
    )
    listed = [line.split() for line in command("ps").stdout.splitlines()]
    assert listed[0] == ["NAME", "STATE", "IMAGE", "ADDRESSES", "COMMAND", "SINCE"]
    assert listed[1][:5] == ["box", "running", "debian", "-", "/bin/bash"]
    assert listed[2][:5] == ["web", "running", "debian", "-", "/usr/bin/python3"]
    assert command("exec", "box", "--", "hostname").stdout == "box\n"
    assert command("exec", "box", stdin="echo $0; hostname").stdout == "/bin/bash\nbox\n"
    until(lambda: command("logs", "web").stdout == "a  b\n", "it has printed")
    assert (
        "connect box by"
        in command("addnetwork", "box", "-i", "-e", "8080-80", "--expose", "container_port=53,protocol=udp").stdout
    )
    command("addnetwork", "web")
    assert "update the firewall sets peer" in command("peer", "box", "web").stdout
    assert "box web" in command("images").stdout.splitlines()[1]
    assert "used by box, web" in command("rmi", "debian", status=4).stderr
    # box may call web, so its /etc/hosts has the names of web.
    assert actions(command("stop", "web"))[-2:] == ["remove container web", "write /etc/hosts in box"]
    assert actions(command("stop", "--keep", "box"))[0] == "stop container box"
    assert command.json("ps")["containers"][0]["state"] == "stopped"
    # The actions of a start include its changes to the host's network.
    started = actions(command("start", "box"))
    assert started[0] == "create the network namespace of container box" and started[-1] == "start container box"
    assert "block other forwarding between lan0, wan0" in started
    command("stop", "box")
    assert command("ps").stdout == "no containers; create one with: conductor run IMAGE NAME\n"
    assert command.host.run("ls", f"{STATE}/containers").stdout == ""


def test_build_and_rmi(command):
    def builder(end):
        command.host.run("tee", "/usr/local/sbin/mmdebstrap", stdin=BUILDER.format(end=end))
        command.host.run("chmod", "+x", "/usr/local/sbin/mmdebstrap")

    builder("echo no such suite >&2; exit 3")
    try:
        assert "exit status 3: no such suite" in command("build", "small", status=8).stderr
        builder("exit 0")
        assert actions(command("build", "small", "--check")) == ["would build image small"]
        assert actions(command("build", "small")) == ["build image small"]
        assert actions(command("image", "build", "small")) == ["nothing to do"]
        assert [line.split()[0] for line in command("images").stdout.splitlines()] == ["NAME", "debian", "small"]
        assert actions(command("rmi", "small")) == ["remove image small"]
        assert actions(command("rmi", "small")) == ["image small does not exist"]
        assert actions(command("image", "build", "small")) == ["build image small"]
        assert actions(command("image", "rm", "small")) == ["remove image small"]
    finally:
        command.host.run("rm", "/usr/local/sbin/mmdebstrap")
        command.host.run("rm", "-r", f"{STATE}/images/.logs")


CHANGING = [
    ["run", "debian", "other", "--", "/bin/sleep", "infinity"],
    ["addnetwork", "box", "--internet", "--expose", "8080-80"],
    ["network", "add", "other"],
    ["peer", "box", "other"],
    ["peer", "rm", "box", "other"],
    ["peer", "add", "box", "other"],
    ["stop", "--keep", "box"],
    ["start", "box"],
    ["stop", "box"],
    ["network", "rm", "other"],
]


def test_check_of_each_verb_matches_its_run_and_a_second_run_is_unchanged(box):
    for argv in CHANGING:
        before = box.host.run("sh", "-c", f"cat {STATE}/containers/*/*.json; nft list ruleset").stdout
        verb, *rest = argv
        would = json.loads(box(verb, "--json", "--check", "--diff", *rest).stdout)
        assert actions(box(verb, "--check", *rest)) == [f"would {action}" for action in would["actions"]]
        assert box.host.run("sh", "-c", f"cat {STATE}/containers/*/*.json; nft list ruleset").stdout == before
        assert would["changed"] and would["diff"]["before"] != would["diff"]["after"], argv
        done = json.loads(box("--json", *argv).stdout)
        assert (done["changed"], done["actions"]) == (True, would["actions"]), argv
        assert "diff" not in done
        again = json.loads(box("--json", *argv).stdout)
        assert (again["changed"], again["actions"]) == (False, []), argv


def test_verbs_and_modules_agree(box):
    host = box.host
    box("addnetwork", "box", "-i", "-e", "8080-80")
    box("run", "debian", "db", "--", "/bin/sleep", "infinity")
    box("addnetwork", "db")
    box("peer", "box", "db")
    for module, params in (
        ("container", {"name": "db", "image": "debian", "command": ["/bin/sleep", "infinity"]}),
        ("network", {"container": "box", "internet": True, "expose": ["8080-80"]}),
        ("peer", {"container": "box", "peer": "db"}),
    ):
        assert not host.module(f"conductor_{module}", **params)["changed"], module
    network = host.module("conductor_network_info")
    assert box.json("images")["images"] == host.module("conductor_image_info")["images"]
    told, found = box.json("ps")["containers"], host.module("conductor_container_info")["containers"]
    assert [{**one, "usage": None} for one in told] == [{**one, "usage": None} for one in found]
    info = box.json("info")
    assert {key: info[key] for key in network if key in info} == {k: v for k, v in network.items() if k in info}
    assert len(info["images"]) == 1 and len(info["containers"]) == 2 and info["networks"] == network["networks"]
    assert box.json("info", "db")["networks"] == [network["networks"][1]]
    assert box.json("logs", "db")["containers"][0]["log"] == ""


def test_info_of_the_host_and_of_one_container(box):
    box("addnetwork", "box", "-e", "8080-80")
    lines = box("info", "box").stdout.splitlines()
    shown = dict(line.split(":", 1) for line in lines)
    assert shown["exposes"].strip() == "port 8080 as the host's 80/tcp" and shown["internet"].strip() == "no"
    assert shown["state"].strip().startswith("running since 2")
    assert "1 running  box" in box("info").stdout
    assert "drift" not in box("info").stdout
    box.host.run("nft", "delete", "table", "inet", "conductor")
    assert "drift" in box("info").stdout
    assert "write the firewall table inet conductor" in actions(box("reconcile"))
    assert actions(box("reconcile")) == ["nothing to do"]
    box("stop", "--keep", "box")
    assert "state:       stopped" in box("info", "box").stdout


def test_run_starts_an_existing_container_with_its_data(command):
    command("run", "debian", "box", "--", "/bin/sh", "-c", "echo once >> /root/lives; exit 5")
    until(lambda: command.json("ps")["containers"][0]["state"] == "exited", "it has ended")
    assert "exited (5)" in command("ps").stdout
    command("run", "debian", "box")
    lives = f"{STATE}/containers/box/upper/root/lives"
    until(lambda: command.host.run("cat", lives).stdout == "once\n" * 2, "it has run twice")
    until(lambda: command.json("ps")["containers"][0]["state"] == "exited", "it has ended")
    command("run", "debian", "box", "--", "/bin/sleep", "infinity")
    assert actions(command("run", "debian", "box", "--", "/bin/sleep", "infinity")) == ["it is already running"]
    assert "Run conductor stop --keep box first" in command("run", "debian", "box", "--", "/bin/cat", status=4).stderr


def test_a_container_with_a_network_is_started_again_by_its_policy(command):
    """The supervisor runs with -S like the host command, and must find pyroute2 too."""
    host = command.host
    command("run", "debian", "box")
    command("addnetwork", "box", "--internet")
    host.module("conductor_container", name="box", restart_policy="always")
    host.run("kill", "-9", str(command.json("ps")["containers"][0]["pid"]))
    again = until(lambda: (c := command.json("ps")["containers"][0])["restarts"] == 1 and c, "it was started again")
    assert again["state"] == "running" and again["log"] == ""
    assert command.json("info")["drift"] == [] and command.json("info", "box")["networks"][0]["drift"] == []


ERRORS = [
    (2, ["exec"], "NAME"),
    (2, ["exec", "box", "ls", "-l"], "put the command after --"),
    (2, ["ps", "--", "ls"], "takes no command"),
    (2, ["logs", "-f", "--json", "box"], "mutually exclusive"),
    (2, ["frobnicate"], "invalid choice"),
    (3, ["exec", "nobody"], "container nobody does not exist"),
    (3, ["start", "nobody"], "container nobody does not exist"),
    (3, ["stop", "--keep", "nobody"], "container nobody does not exist"),
    (3, ["logs", "nobody"], "container nobody does not exist"),
    (3, ["info", "nobody"], "container nobody does not exist"),
    (3, ["stats", "box", "nobody"], "container nobody does not exist"),
    (3, ["addnetwork", "nobody"], "container nobody does not exist"),
    (3, ["run", "no-image", "other"], "image no-image does not exist"),
    (4, ["rmi", "debian"], "used by box"),
    (4, ["exec", "stopped", "--", "true"], "container stopped is not running"),
    (4, ["stats", "box", "stopped"], "container stopped is not running. Run conductor start stopped"),
    (5, ["run", "debian", "no name"], "'no name' is not a valid name"),
    (5, ["addnetwork", "box", "-e", "0-80"], "'0' is not a port"),
    (5, ["exec", "-e", "NOTHING", "box"], "is not NAME=VALUE"),
    (5, ["exec", "-u", "nobody-such", "box"], "there is no user 'nobody-such'"),
    (7, ["start", "broken"], "broken/container.json"),
    (7, ["info", "broken"], "broken/container.json"),
    (7, ["stats", "broken"], "broken/container.json"),
    (8, ["exec", "box", "--", "/no/such"], "/no/such: No such file or directory"),
    (9, ["stop", "box"], "lock"),
]


def test_each_kind_of_error_has_an_exit_status_and_one_line(box):
    host = box.host
    host.module("conductor_container", name="stopped", image="debian", state="present")
    host.module("conductor_container", name="broken", image="debian", state="present")
    host.run("tee", f"{STATE}/containers/broken/container.json", stdin='{"name": "broken"}')
    host.run("tee", "/etc/conductor/conductor.json", stdin='{"lock_timeout": 0.1}')
    with held_lock(host, "container-box"):
        for status, argv, message in ERRORS:
            done = box(*argv, status=status)
            assert (done.stdout, done.stderr.count("\n")) == ("", 1), argv
            assert done.stderr.startswith("conductor: ") and message in done.stderr, done.stderr
            if status != 2:
                told = json.loads(box("--json", *argv, status=status).stdout)
                assert told["failed"] and message in told["msg"], argv
    done = host.run("setpriv", "--reuid=65534", "--clear-groups", PROGRAM, "ps", check=False)
    assert (done.returncode, done.stderr) == (
        6,
        "conductor: root is required on the host. Run the command with sudo.\n",
    )
    assert ["broken", "damaged"] in [
        line.split()[:2] for line in box("ps").stdout.splitlines()
    ] and "broken/container.json" in box("ps").stderr
    assert actions(box("stop", "--force", "broken"))[-1] == "remove container broken"
    host.run("rm", "/etc/conductor/conductor.json")


def test_no_verb_prints_a_traceback(box):
    host = box.host
    for line, status in (
        (f"{PROGRAM} ps > /dev/full", 8),
        (f"{PROGRAM} ps >&-", 0),
        (f"{PROGRAM} exec box -- true <&- >&- 2>/dev/null", 0),
        (f"{PROGRAM} --help | true", 0),
        (f"LC_ALL=POSIX PYTHONIOENCODING=ascii {PROGRAM} exec box -- echo ü", 0),
    ):
        done = host.run("bash", "-c", line, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (status, False), (line, done.stderr)
    assert "No space left" in host.run("bash", "-c", f"{PROGRAM} ps > /dev/full", check=False).stderr


def test_interrupted_verb_is_silent_and_exits_with_130(box):
    with held_lock(box.host, "container-box"):
        # Tests that run in the background may ignore SIGINT, and child processes inherit that.
        heard = signal.signal(signal.SIGINT, signal.SIG_DFL)
        waiting = box.host.popen(PROGRAM, "stop", "box", stderr=subprocess.PIPE)
        signal.signal(signal.SIGINT, heard)
        box.host.run("kill", "-INT", wait_for_lock(box.host, f"{PROGRAM} stop box"))
        assert waiting.communicate(timeout=20)[1] == b"" and waiting.returncode == 130


# logs.


def test_logs_follow_until_the_container_has_ended(command):
    fifo = "read go < /go; echo second; exit 0"
    command("run", "debian", "box", "--", "/bin/bash", "-c", f"mkfifo /go; echo first; {fifo}")
    follow = command.host.popen(PROGRAM, "logs", "-f", "box", stdout=subprocess.PIPE)
    assert follow.stdout.readline() == b"first\n"
    # As logrotate does with it.
    log, pid = f"{STATE}/containers/box/console.log", pid_of(command.host, f"{PROGRAM} logs")
    command.host.run("truncate", "-s0", log)
    at_begin = f"for fd in /proc/{pid}/fd/*; do [ $(readlink $fd) = {log} ] && cat ${{fd/fd/fdinfo}}; done"
    until(lambda: "pos:\t0" in command.host.run("bash", "-c", at_begin).stdout, "it has seen that")
    command("exec", "box", "--", "sh", "-c", "echo > /go")
    assert (follow.communicate(timeout=20)[0], follow.returncode) == (b"second\n", 0)
    assert command("logs", "box").stdout == "second\n"


def test_logs_are_unchanged_without_a_terminal(command):
    command("run", "debian", "box", "--", "/usr/bin/printf", r"\033[31m\377\n")
    until(lambda: command.json("ps")["containers"][0]["state"] == "exited", "it has ended")
    done = subprocess.run([*command.host.enter, PROGRAM, "logs", "box"], capture_output=True, check=True)
    assert done.stdout == b"\x1b[31m\xff\n"


# completion, by the shells themselves.


def complete(host, *words):
    """The completions that bash offers for the last of `words`."""
    script = (
        f'source {COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() {{ :; }}; _conductor; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return set(host.run("bash", "-c", script, "bash", PROGRAM, *words).stdout.split())


def complete_in_zsh(host, *words):
    script = (
        "compdef() { :; }; compadd() { shift; print -l -- $@; }; _files() { print files; }; "
        f'source <({PROGRAM} completion zsh); words=("$@"); CURRENT=$#; _conductor'
    )
    return set(host.run("zsh", "-fc", script, "zsh", PROGRAM, *words).stdout.split())


def complete_in_fish(host, line):
    script = f"set -x PATH {os.path.dirname(PROGRAM)} $PATH; {PROGRAM} completion fish | source; complete -C '{line}'"
    found = host.run("fish", "--no-config", "-c", script, env={"HOME": "/run/home"}).stdout.split()
    host.run("rm", "-rf", "/run/home")
    return set(found)


def test_completion_in_other_shells(box):
    host = box.host
    assert {"exec", "addnetwork"} <= complete_in_zsh(host, "") and complete_in_zsh(host, "exec", "") == {"box"}
    assert complete_in_zsh(host, "up", "") == {"files"} and complete_in_zsh(host, "nothing", "x") == set()
    assert complete_in_fish(host, "conductor ex") == {"exec"}
    assert complete_in_fish(host, "conductor exec b") == {"box"}
    assert complete_in_fish(host, "conductor run --restart al") == {"always"}


def test_completion_knows_verbs_options_and_names(box):
    host = box.host
    box("run", "debian", "bob")
    assert {"exec", "addnetwork"} <= complete(host, "") and complete(host, "ex") == {"exec"}
    assert complete(host, "exec", "b") == {"box", "bob"} == complete(host, "peer", "box", "b")
    assert complete(host, "exec", "-u", "root", "bo") == {"box", "bob"}
    assert complete(host, "run", "d") == {"debian"} == complete(host, "rmi", "")
    assert complete(host, "run", "debian", "") == set() == complete(host, "exec", "box", "--", "b")
    assert complete(host, "stats", "box", "b") == {"box", "bob"} == complete(host, "network", "rm", "box", "b")
    assert complete(host, "image", "rm", "old", "d") == {"debian"}
    assert complete(host, "stop", "--k") == {"--keep"}
    assert complete(host, "down", "") == set() == complete(host, "ps", "--stack", "")
    for name, stack in (("box", "shop"), ("bob", "$(touch /run/expanded)")):
        host.module("conductor_container", name=name, labels={"conductor.stack": stack})
    assert complete(host, "down", "") == {"shop"} == complete(host, "ps", "--stack", "=", "sh")
    assert complete(host, "ps", "--stack", "sh") == {"shop"} == complete(host, "up", "--name", "")
    assert complete(host, "graph", "--format", "") == {"mermaid", "dot", "svg"}
    assert host.run("test", "-e", "/run/expanded", check=False).returncode == 1
    assert box("completion", "bash").stdout == host.run("cat", COMPLETION).stdout
