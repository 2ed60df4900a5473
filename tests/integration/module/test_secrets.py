"""Values of env, and stdin: in none of the places that others read, and that live longer than the module."""

import json
import socket

import pytest
from entry_server import EntryServer
from testhost import PYTHON, module_environment
from waiting import until

WISH = {"name": "box", "image": "debian", "command": ["/bin/sleep", "infinity"]}


@pytest.fixture
def syslog(host):
    """What is written to the host's /dev/log, so far."""
    path = f"/proc/{host.pid}/root/run/syslog"
    host.run("mkdir", "-p", "/run")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(path)
        log.setblocking(False)
        # Of the machine's own /dev nothing may be changed.
        host.run("sh", "-c", "mkdir /run/dev; cp -a /dev/null /dev/zero /dev/random /dev/urandom /run/dev")
        host.run(
            "sh", "-c", "ln -s /proc/self/fd /run/dev/fd; ln -s /run/syslog /run/dev/log; mount --rbind /run/dev /dev"
        )

        def read():
            lines = []
            while True:
                try:
                    lines.append(log.recv(1 << 16).decode())
                except BlockingIOError:
                    return "\n".join(lines)

        yield read
        host.run("umount", "-l", "/dev")
        host.run("rm", "-r", "/run/dev", "/run/syslog")


def test_the_log_of_the_host_has_names_and_no_values(host, syslog):
    results = [
        host.module("conductor_container", **WISH, env={"TOKEN": "very-secret"}),
        host.module("conductor_exec", container="box", argv=["true"], env={"KEY": "very-secret"}, stdin="very-secret"),
        host.module("conductor_container", **WISH, env={"TOKEN": "very-secret-2"}, restart=True),
    ]
    told = syslog()
    assert "name=box" in told and "TOKEN" in told and "KEY" in told
    assert "very-secret" not in told
    for result in results:
        result.pop("container", None)
        assert "very-secret" not in json.dumps(result)
    assert results[2]["diff"]["before"]["env"] == {"TOKEN": "(hidden)"}
    assert results[2]["diff"]["after"]["env"] == {"TOKEN": "(hidden, changed)"}
    assert list(results[1]["invocation"]["module_args"]["env"]) == ["KEY"]


def test_no_process_that_stays_has_the_environment_of_its_caller(host):
    run = [PYTHON, "-m", "ansible_collections.conductor.containers.plugins.modules.conductor_container"]
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**WISH, "restart_policy": "always"}})
    host.run(*run, stdin=arguments, env={**module_environment(), "CALLERS": "very-secret"})
    find = "grep -l very-secret /proc/[0-9]*/environ"
    assert host.run("sh", "-c", find, check=False).stdout == ""
    pid = host.module("conductor_container_info", name=["box"])["containers"][0]["pid"]
    host.run("kill", "-9", str(pid))
    until(lambda: host.module("conductor_container_info", name=["box"])["containers"][0]["restarts"] == 1, "again")
    assert host.run("sh", "-c", find, check=False).stdout == ""


def test_the_entry_server_does_not_show_what_it_was_started_with(host):
    server = EntryServer(host)
    words = f"{PYTHON} -I -S {server.program} serve {server.path_there}-2"
    host.run("sh", "-c", words, env={"CALLERS": "very-secret"})
    assert host.run("pgrep", "-f", f"serve {server.path_there}-2").stdout.strip()
    assert host.run("sh", "-c", "grep -l very-secret /proc/[0-9]*/environ", check=False).stdout == ""
    host.run("pkill", "-f", f"serve {server.path_there}-2")
    host.run("rm", f"{server.path_there}-2.lock")


def test_logs_as_json_have_no_variables(command):
    command.host.module("conductor_container", **WISH, env={"TOKEN": "very-secret"})
    assert "very-secret" not in command("logs", "box", "--json").stdout
    assert command.json("logs", "box")["containers"][0]["name"] == "box"
