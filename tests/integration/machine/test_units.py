"""Services of systemd inside can use its sandbox, its directories, its activation."""

import json

import image_cache
import pytest
from probe_units import REFUSED, RUN, UNITS

BOOKWORM = {**image_cache.RECIPE, "suite": "bookworm"}
BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]


@pytest.mark.parametrize("recipe", [image_cache.RECIPE, BOOKWORM], ids=["trixie", "bookworm"])
def test_each_unit_works(bare_host, recipe):
    image_cache.mount_image(bare_host, image_cache.test_image(recipe))
    bare_host.module("conductor_container", name="system", image="debian", init=True, wait=BOOTED)
    run = ["/usr/bin/python3", "-c", RUN, json.dumps(UNITS)]
    found = json.loads(bare_host.module("conductor_exec", container="system", argv=run)["stdout"])
    assert {title: said for title, said in found.items() if said} == {}
    assert len(found) == len(UNITS)
    state = bare_host.module("conductor_exec", container="system", argv=["systemctl", "is-system-running"])
    assert state["stdout"] == "running"


def test_units_that_need_the_kernel_of_the_host_fail(bare_host):
    """docs/machine.md lists them among the differences from a virtual machine."""
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.RECIPE))
    bare_host.module("conductor_container", name="system", image="debian", init=True, wait=BOOTED)
    run = ["/usr/bin/python3", "-c", RUN, json.dumps(REFUSED)]
    found = json.loads(bare_host.module("conductor_exec", container="system", argv=run)["stdout"])
    assert all(found.values()) and found.keys() == REFUSED.keys()


LINGER = """
useradd --create-home --shell /bin/bash someone
loginctl enable-linger someone
until systemctl -q is-active user@$(id -u someone); do sleep 0.1; done
mkdir -p ~someone/.config/systemd/user
printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c "id -un > ~/ran"\\n' > ~someone/.config/systemd/user/own.service
su - someone -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user start own'
cat ~someone/ran
systemctl is-system-running
"""


def test_units_of_a_user_run_while_nobody_is_logged_in(bare_host):
    host = bare_host
    image_cache.mount_image(host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    host.module("conductor_container", name="system", image="debian", init=True, wait=BOOTED)
    argv = ["/bin/sh", "-ec", LINGER]
    done = host.module("conductor_exec", container="system", argv=argv, timeout=60)
    assert done["stdout"].splitlines()[-2:] == ["someone", "running"]
