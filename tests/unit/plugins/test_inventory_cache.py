"""The cache of the inventory plugin. ssh is a program of the test's, which answers as the hosts would."""

import json
import os
import subprocess

import pytest
from ansible_core import BIN

WEB = {
    "name": "web", "image": "debian", "state": "running", "labels": {}, "addresses": [], "hostname": "web",
    "init": False, "restart_policy": "no", "memory": 0, "cpus": 0.5,
}  # fmt: skip
SOURCE = {
    "plugin": "conductor.containers.conductor", "hosts": ["alpha", "beta"],
    "cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": "cache", "cache_timeout": 3600,
}  # fmt: skip
# A host answers if the file with its answer exists.
SSH = """#!/bin/sh
case "$*" in
  *alpha*) echo alpha >> asked; exec cat alpha.json ;;
  *beta*) echo beta >> asked; exec cat beta.json ;;
esac
"""


@pytest.fixture
def directory(tmp_path):
    """A directory with an inventory, in which alpha answers and beta does not."""
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    way = {"ansible_ssh_executable": str(tmp_path / "ssh")}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"alpha": way, "beta": way}}}))
    (tmp_path / "z.conductor.yml").write_text(json.dumps(SOURCE))
    answer(tmp_path, "alpha")
    return tmp_path


def answer(directory, name):
    """Let the host `name` answer from now on."""
    (directory / f"{name}.json").write_text(json.dumps({"containers": [WEB]}))


def age(directory, name, seconds):
    """Let the host `name` have answered earlier by so many seconds."""
    (path,) = (directory / "cache").iterdir()
    cached = json.loads(path.read_text())
    # ansible-core 2.19 and later wrap the content.
    content = json.loads(cached["__payload__"]) if "__payload__" in cached else cached
    content[name]["time"] -= seconds
    wrapped = {**cached, "__payload__": json.dumps(content)} if "__payload__" in cached else content
    path.write_text(json.dumps(wrapped))


def ask(directory, *options):
    """Return the listed containers, and the hosts that were asked for them."""
    (directory / "asked").write_text("")
    printed = subprocess.run(
        [BIN / "ansible-inventory", "-i", "hosts.json", "-i", "z.conductor.yml", "--list", *options],
        cwd=directory, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True,
        env={**os.environ, "ANSIBLE_HOME": str(directory / "home"), "LC_ALL": "C.UTF-8"},
    ).stdout  # fmt: skip
    containers = json.loads(printed).get("conductor", {}).get("hosts", [])
    return sorted(containers), sorted(set((directory / "asked").read_text().split()))


def test_host_that_did_not_answer_is_asked_again(directory):
    assert ask(directory) == (["web.alpha"], ["alpha", "beta"])
    assert ask(directory) == (["web.alpha"], ["beta"])
    answer(directory, "beta")
    assert ask(directory) == (["web.alpha", "web.beta"], ["beta"])
    assert ask(directory) == (["web.alpha", "web.beta"], [])
    (directory / "beta.json").unlink()
    assert ask(directory, "--flush-cache") == (["web.alpha", "web.beta"], ["alpha", "beta"])


def test_answer_expires_although_another_host_answered_later(directory):
    ask(directory)
    age(directory, "alpha", 3000)
    answer(directory, "beta")
    assert ask(directory) == (["web.alpha", "web.beta"], ["beta"])
    age(directory, "alpha", 601)
    assert ask(directory) == (["web.alpha", "web.beta"], ["alpha"])
    assert ask(directory) == (["web.alpha", "web.beta"], [])


def test_answer_that_is_kept_does_not_become_newer(directory):
    ask(directory)
    age(directory, "alpha", 3000)
    (directory / "alpha.json").unlink()
    answer(directory, "beta")
    assert ask(directory, "--flush-cache") == (["web.alpha", "web.beta"], ["alpha", "beta"])
    age(directory, "alpha", 601)
    assert ask(directory) == (["web.beta"], ["alpha"])


def test_answer_does_not_expire_without_a_timeout(directory):
    (directory / "z.conductor.yml").write_text(json.dumps({**SOURCE, "hosts": ["alpha"], "cache_timeout": 0}))
    ask(directory)
    age(directory, "alpha", 10_000)
    assert ask(directory) == (["web.alpha"], [])
