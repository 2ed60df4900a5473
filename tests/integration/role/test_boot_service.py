"""The commands of conductor.service and of the init script of role host start and stop the containers of a host."""

import re
from pathlib import Path

TEMPLATES = Path(__file__).parents[3] / "roles/host/templates"
WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"], "restart_policy": "unless-stopped"}


def test_commands_of_the_service_and_of_the_init_script(command):
    host = command.host
    host.module("conductor_container", **WEB)
    service = (TEMPLATES / "conductor.service.j2").read_text()
    script = (TEMPLATES / "conductor.init.j2").read_text()
    for stop, start in (
        (
            re.search("^ExecStop=(.+)$", service, re.M)[1].split(),
            re.search("^ExecStart=(.+)$", service, re.M)[1].split(),
        ),
        (["sh", "-c", script, "conductor", "stop"], ["sh", "-c", script, "conductor", "start"]),
    ):
        assert host.run(*stop).stdout == "web stopped\n"
        assert host.run(*start).stdout == "web started\n"
    assert not host.module("conductor_container", **WEB)["changed"]


def test_autostart_without_a_service_is_a_warning(host):
    made = host.module("conductor_container", **WEB, state="present")
    assert "nothing starts it when the host boots, in spite of restart_policy=unless-stopped" in str(made["warnings"])
    assert "warnings" not in host.module("conductor_container", name="web", state="started")
    assert "warnings" not in host.module("conductor_container", **WEB, autostart=False)
    stack = {"name": "shop", "containers": {"db": {"image": "debian", "autostart": True}}, "state": "present"}
    assert "container db: nothing starts it" in str(host.module("conductor_stack", **stack)["warnings"])
