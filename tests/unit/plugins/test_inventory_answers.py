"""Hostile answers of a managed host to the inventory plugin: one warning each, and other hosts are untouched.

ssh is a program of the test's, which answers as the host would. All cases are read by one process of Ansible's.
"""

import json
import os
import subprocess

import pytest
import yaml
from ansible_core import PYTHON

pytestmark = pytest.mark.core

WEB = {
    "name": "web", "image": "debian", "state": "running", "labels": {"tier": "front"}, "addresses": ["10.88.0.2"],
    "hostname": "web", "init": False, "restart_policy": "no", "memory": 0, "cpus": 0.5,
}  # fmt: skip
# Reads each case (its options and what the host says), and prints the hosts and warnings that come of it.
PROGRAM = """
import json, os, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.utils.display import Display
init_plugin_loader()
said, told = {}, []
Display.warning = lambda self, msg, *_, **__: told.append(msg)
class Encoder(json.JSONEncoder):
    def default(self, value):
        return dict(value) if hasattr(value, "keys") else str(value)
for name in json.load(open("cases.json")):
    os.environ["CASE"] = name
    told.clear()
    inventory = InventoryManager(DataLoader(), ["hosts.yml", f"{name}/z.conductor.yml"])
    hosts = {host.name: [sorted(group.name for group in host.get_groups()), host.vars] for host in
             inventory.get_hosts("all")}
    said[name] = [hosts, list(told), inventory.groups["conductor"].vars if "conductor" in inventory.groups else {}]
print(json.dumps(said, cls=Encoder))
"""
SSH = """#!/bin/sh
case "$*" in
  *good.example*) exec cat good.json ;;
  *evil.example*) exec sh "$CASE/answer" ;;
esac
"""
FOR_EVIL = "{{{{ '{}' if managed_host == 'evil.example' else 'web.good.example' }}}}"
BY_LABEL = "{{ labels.n | default('web.good.example') }}"
LOCAL = {"good.example": {}, "evil.example": {}, "db": {"secret": "of the db"}, "db.evil.example": {"port": 1}}


def of(*containers, **more):
    """An answer with these containers."""
    return json.dumps({"containers": list(containers), **more}).encode()


def web(**changes):
    """An answer with a container that has these facts, or not those that are None."""
    return of({key: value for key, value in {**WEB, **changes}.items() if value is not None})


# By name: what the host answers (bytes; as text, a script), and options of the plugin.
CASES = {
    "nothing": b"",
    "no JSON": b"hello",
    "half of an answer": web()[:-9],
    "more than an answer": web() + web(),
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "no containers": b"{}",
    "a number for containers": b'{"containers": 7}',
    "an object for containers": b'{"containers": {"web": {}}}',
    "null for containers": b'{"containers": null}',
    "containers twice": b'{"containers": [], "containers": []}',
    "a container that is null": of(None),
    "a container that is a string": of("web"),
    "a container that is a list": of([["name", "web"]]),
    "no name": web(name=None),
    "a number as name": web(name=1),
    "an empty name": web(name=""),
    "a path as name": web(name="../../etc"),
    "a template as name": web(name="{{ lookup('pipe', 'touch PWNED') }}"),
    "an escape as name": web(name="\x1b]0;gotcha\x07"),
    "a line end in the name": web(name="web\n"),
    "a name of a mebibyte": web(name="x" * (1 << 20)),
    "digits that are not ASCII": web(name="\u0661"),
    "a pattern as name": web(name="*"),
    "no state": web(state=None),
    "a state that is unknown": web(state="haunted"),
    "a list as state": web(state=["running"]),
    "a number as image": web(image=5),
    "a path as image": web(image="a/b"),
    "a string as labels": web(labels="tier"),
    "a list as labels": web(labels=["tier"]),
    "a number as label": web(labels={"tier": 1}),
    "an object as label": web(labels={"tier": {"a": "b"}}),
    "a label without a name": web(labels={"": "x"}),
    "a label of a mebibyte": web(labels={"tier": "x" * (1 << 20)}),
    "the name of a label of a mebibyte": web(labels={"x" * (1 << 20): "x"}),
    "an escape as the name of a label": web(labels={"\x1b[2J": "x"}),
    "100,000 labels": web(labels={f"l{number}": "" for number in range(100_000)}),
    "100,000 containers": of(*({"name": f"c{number}", "state": "running"} for number in range(100_000))),
    "half a character": b'{"containers": [{"name": "web", "state": "running", "labels": {"a": "\\ud800"}}]}',
    "bytes that are no text": web().replace(b"front", b"\xff\xfe"),
    "UTF-16": web().decode().encode("utf-16"),
    "NaN": web(cpus=float("nan")),
    "Infinity": web(cpus=float("inf")),
    "a negative number": web(memory=-1),
    "a number of 5,000 digits": web().replace(b'"memory": 0', b'"memory": ' + b"9" * 5000),
    "a number of 4,000 digits": web().replace(b'"memory": 0', b'"memory": ' + b"9" * 4000),
    "a text as number": web(memory="1g"),
    "true as number": web(memory=True),
    "a text as init": web(init="yes"),
    "addresses that are none": web(addresses=["-oProxyCommand=touch PWNED"]),
    "an address with a scope": web(addresses=["fe80::1%$(touch PWNED)"]),
    "a string as addresses": web(addresses="10.0.0.1"),
    "10,000 addresses": web(addresses=["10.0.0.1"] * 10_000),
    "a host name that is none": web(hostname="a b"),
    "a restart policy that is none": web(restart_policy="\x1b[0m"),
    "a number as error": web(state="damaged", error=1),
    "100,000 levels": b'{"containers": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 levels of objects": b'{"containers": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}",
    "levels below a label": web(labels={"a": json.loads("[" * 400 + "]" * 400)}),
    "17 MiB": of(WEB, more="x" * (17 << 20)),
    "17 MiB of blanks": b" " * (17 << 20) + web(),
    "NUL": b"\0" * 100,
    "without end": "yes",
    "without end of line": "exec tr '\\0' x </dev/zero",
    "a byte a second": "while :; do printf ' '; sleep 1; done",
    "no end of the connection": "cat good.json; exec sleep 1000",
    "an answer and a failure": "cat good.json; exit 3",
    "a failure with escapes": "printf '\\033[2Jgotcha\\n\\n\\033]0;x\\007' >&2; exit 3",
    "a failure without end": "yes >&2",
    "killed": "kill -9 $$",
    "the name of a host": (web(), {"name": FOR_EVIL.format("db")}),
    "the name of the other host": (web(), {"name": FOR_EVIL.format("good.example")}),
    "the name of a host by its own": web(name="db"),
    "the other host's container": (web(), {"name": FOR_EVIL.format("web.good.example")}),
    "the name all": (web(name="all"), {"name": "{{ name }}"}),
    "the name ungrouped": (web(name="ungrouped"), {"name": "{{ name }}"}),
    "the name localhost": (web(name="localhost"), {"name": "{{ name }}"}),
    "the name 127.0.0.1": (web(name="127.0.0.1"), {"name": "{{ name }}"}),
    "the name of a group": (web(name="fleet"), {"name": "{{ name }}"}),
    "the name of our group": (web(name="conductor"), {"name": "{{ name }}"}),
    "the name of a group to come": (web(name="conductor_state_running"), {"name": "{{ name }}"}),
    "a name by a label": (web(labels={"n": "a b"}), {"name": BY_LABEL}),
    "a template by a label": (
        web(labels={"n": "{{ lookup('pipe', 'touch PWNED') }}"}),
        {"name": BY_LABEL},
    ),
    "a path by a label": (web(labels={"n": "../../x"}), {"name": BY_LABEL}),
    "a name of 300 by a label": (web(labels={"n": "x" * 300}), {"name": BY_LABEL}),
    "no label for the name": (web(labels={}), {"name": "{{ labels.tier ~ '.' ~ managed_host }}"}),
    "no label for a group": (
        web(labels={}),
        {"keyed_groups": [{"key": "conductor_facts.labels.tier", "prefix": "tier"}], "strict": True},
    ),
    "a group with the name of a host": (
        web(labels={"tier": "db"}),
        {"keyed_groups": [{"key": "conductor_facts.labels.tier", "prefix": "", "separator": ""}]},
    ),
}  # fmt: skip


def options_of(name):
    return CASES[name][1] if isinstance(CASES[name], tuple) else {}


@pytest.fixture(scope="session")
def answers(tmp_path_factory):
    """What Ansible makes of each case: hosts with groups and variables, warnings, and the group's variables."""
    directory = tmp_path_factory.mktemp("answers")
    ssh = directory / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    (directory / "good.json").write_bytes(of(WEB))
    variables = {"ansible_ssh_executable": str(ssh), "ansible_python_interpreter": "/usr/bin/python3"}
    hosts = {"all": {"vars": variables, "children": {"fleet": {"hosts": LOCAL}}}}
    (directory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    cases = {**CASES, "a good answer": of({**WEB, "name": "shop"})}
    for name, case in cases.items():
        said, options = case if isinstance(case, tuple) else (case, {})
        (directory / name).mkdir()
        (directory / name / "said").write_bytes(said if isinstance(said, bytes) else b"")
        script = f"cat '{name}/said'" if isinstance(said, bytes) else said
        (directory / name / "answer").write_text(script)
        source = {"plugin": "conductor.containers.conductor", "hosts": ["good.example", "evil.example"], "timeout": 3}
        (directory / name / "z.conductor.yml").write_text(yaml.safe_dump({**source, **options}))
    (directory / "cases.json").write_text(json.dumps(list(cases)))
    done = subprocess.run([PYTHON, "-c", PROGRAM], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert not list(directory.rglob("PWNED"))
    return json.loads(done.stdout)


def test_valid_answer_is_listed_without_warnings(answers):
    hosts, warnings, _ = answers["a good answer"]
    assert set(hosts) == {*LOCAL, "web.good.example", "shop.evil.example"} and warnings == []


@pytest.mark.parametrize("name", CASES)
def test_hostile_answer_is_one_warning(answers, name):
    hosts, warnings, of_the_group = answers[name]
    (warning,) = warnings
    assert "evil.example" in warning and warning.isprintable() and len(warning) < 1200
    # Whose containers are named by an option may have another name.
    ours = {host for host, (_, variables) in hosts.items() if variables.get("managed_host") == "good.example"}
    theirs = {host for host, (_, variables) in hosts.items() if variables.get("managed_host") == "evil.example"}
    assert theirs == set() and of_the_group == {}
    for host, variables in LOCAL.items():
        assert {**hosts[host][1], **variables} == hosts[host][1] and hosts[host][0] == ["all", "fleet"]
        assert "conductor_container" not in hosts[host][1]
    if "name" not in options_of(name):
        assert ours == {"web.good.example"} and hosts["web.good.example"][1]["conductor_facts"] == WEB


def test_timeout_is_independent_of_ssh():
    """Its option with the same name is the limit to connect."""
    program = """
import json
from ansible import constants as C
from ansible.plugins.loader import init_plugin_loader, inventory_loader
init_plugin_loader()
plugin = inventory_loader.get("conductor.containers.conductor")
plugin.set_options(direct={"hosts": ["x"], "plugin": "conductor.containers.conductor"})
print(plugin.get_option("timeout"))
"""
    environment = {**os.environ, "ANSIBLE_TIMEOUT": "7", "ANSIBLE_SSH_TIMEOUT": "7"}
    done = subprocess.run([PYTHON, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) == 30
