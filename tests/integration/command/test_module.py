"""The module that installs the host command, repairs and removes it."""

import os

from host_command import COMPLETION, PROGRAM, Command
from testhost import ROOT


def test_the_module_installs_repairs_and_removes(host):
    there = f"stat -c '%a %u' {PROGRAM} {COMPLETION}"
    first = host.module("conductor_command", check=True)
    assert first["changed"] and first["actions"] == [f"write {PROGRAM}", f"write {COMPLETION}"]
    assert set(first["diff"]["before"].values()) == {"absent"}
    assert host.run("sh", "-c", there, check=False).stdout == ""
    assert host.module("conductor_command")["actions"] == first["actions"]
    assert host.run("sh", "-c", there).stdout == "755 0\n644 0\n"
    assert (
        not host.module("conductor_command")["changed"] and not host.module("conductor_command", check=True)["changed"]
    )
    bundle = "/var/lib/conductor/lib/*/"
    for damage in (
        ["chmod", "700", PROGRAM],
        ["chown", "1", PROGRAM],
        ["sh", "-c", f"echo >> {PROGRAM}"],
        # Its bundle would be deleted some days after the next release comes; or it is gone already.
        ["sh", "-c", f"rm {bundle}pinned"],
        ["sh", "-c", f"rm -r {bundle}"],
    ):
        host.run(*damage)
        assert host.module("conductor_command", check=True)["actions"] == [f"write {PROGRAM}"], damage
        assert host.module("conductor_command")["changed"] and host.run("sh", "-c", there).stdout[:5] == "755 0"
    assert host.module("conductor_command", state="absent", check=True)["actions"] == [
        f"remove {PROGRAM}",
        f"remove {COMPLETION}",
    ]
    assert host.run(PROGRAM, "ps").returncode == 0
    assert host.module("conductor_command", state="absent")["changed"]
    assert not host.module("conductor_command", state="absent")["changed"]
    assert host.run("sh", "-c", there, check=False).stdout == ""


def test_payload_has_all_files_of_the_program(host):
    """Ansible's payload holds only the files that the module imports."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.venv/collections", "ANSIBLE_HOME": "/run/test"}
    ansible = [f"{ROOT}/.venv/bin/ansible", "localhost", "-c", "local", "-m", "conductor.containers.conductor_command"]
    ansible += ["-e", "ansible_python_interpreter=/usr/bin/python3", "-e", "ansible_remote_tmp=/run/test/tmp", "-a"]
    assert "CHANGED" in host.run(*ansible, "", env=environment).stdout
    assert '"changed": false' in host.run(*ansible, "", env=environment).stdout
    command = Command(host)
    command("run", "debian", "box")
    command("addnetwork", "box", "-i")
    assert command("exec", "box", "--", "hostname").stdout == "box\n"
    assert "would build image other" in command("build", "other", "--check").stdout
    assert command.json("info")["drift"] == []
    command("stop", "box")
    host.run(*ansible, "state=absent", env=environment)
    host.run("rm", "-rf", "/run/test")


def test_other_paths_are_accepted_and_other_files_are_kept(host):
    other = {"path": "/run/test/bin/conductor", "completion": "/run/test/completion"}
    assert host.module("conductor_command", **other)["path"] == other["path"]
    assert "no containers" in host.run(other["path"], "ps").stdout
    host.module("conductor_command", **other, state="absent")
    for make in ("echo '#!/bin/sh' > {}", "ln -s /etc/passwd {}", "mkdir {}", "mkfifo {}"):
        host.run("sh", "-c", make.format(other["path"]))
        for state in ("present", "absent"):
            told = host.module("conductor_command", **other, state=state, fails=True)["msg"]
            assert f"{other['path']} does not belong to the host command" in told
        host.run("rm", "-r", other["path"])
    told = host.module("conductor_command", path="bin/conductor", fails=True)["msg"]
    assert "path 'bin/conductor' is not an absolute path" in told
    host.run("rm", "-r", "/run/test")
