"""The nftables.service drop-in of role host restores exposed ports after `systemctl restart` or `reload nftables`."""

import re
from pathlib import Path

import pytest
from netbox import HOST4, Box, is_refused, reaches, serve

TEMPLATE = Path(__file__).parents[3] / "roles/host/templates/nftables.conf.j2"


@pytest.mark.parametrize("when", ["ExecStartPost", "ExecReload"])
def test_drop_in_command_restores_exposed_ports(bare_host, when):
    box = Box(bare_host, "web")
    serve(box, 8080)
    bare_host.module("conductor_command")
    box.network(expose=["8080-80"])
    bare_host.run("nft", "flush", "ruleset")
    assert is_refused(bare_host.outside, HOST4, 80)
    # systemd.service(5): with "-" a failure does not make the service fail.
    command = re.search(rf"^{when}=-(/.+)$", TEMPLATE.read_text(), re.M)[1].split()
    bare_host.run(*command)
    assert reaches(bare_host.outside, HOST4, 80)
