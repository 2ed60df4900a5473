"""Daemons of Debian's archive start and serve, and no unit fails."""

import image_cache
import pytest
from probe_services import RUN, recipe, units_of

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]


@pytest.mark.long
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
def test_each_daemon_serves(bare_host, suite):
    image_cache.mount_image(bare_host, image_cache.test_image(recipe(suite)))
    bare_host.module(
        "conductor_container", name="system", image="debian", init=True, network={}, wait=BOOTED, wait_timeout=60
    )
    said = {}
    for unit, command in units_of(suite).items():
        argv = ["/bin/bash", "-c", RUN, "bash", unit, command]
        said[unit] = bare_host.module("conductor_exec", container="system", argv=argv)["stdout"]
    assert {unit: text for unit, text in said.items() if text} == {}
