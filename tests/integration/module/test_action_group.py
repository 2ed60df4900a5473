"""Every module of the action group accepts the module_defaults of README."""

import pytest
import yaml
from controller import Controller
from testhost import PYTHON, ROOT

MEMBERS = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["conductor"]
SETTINGS = {"image_dir": "/var/lib/conductor/images", "container_dir": "/var/lib/conductor/containers"}
# What each needs to do anything, or to say what is wrong with it.
OPTIONS = {
    "conductor_container": {"name": "box", "state": "absent"},
    "conductor_copy": {"container": "box", "content": "x", "dest": "/x"},
    "conductor_exec": {"container": "box", "argv": ["/bin/true"]},
    "conductor_image": {"name": "none", "state": "absent"},
    "conductor_network": {"container": "box", "state": "absent"},
    "conductor_peer": {"container": "box", "peer": "other", "state": "absent"},
    "conductor_stack": {"name": "shop", "state": "absent"},
    "conductor_target": {"container": "box"},
}


@pytest.mark.core
def test_settings_of_all_modules_as_defaults_of_their_group(bare_host, tmp_path):
    controller = Controller(tmp_path)
    controller.inventory["alpha"] = {"ansible_connection": "local", "ansible_python_interpreter": PYTHON}
    tasks = [{f"conductor.containers.{name}": OPTIONS.get(name, {}), "ignore_errors": True} for name in MEMBERS]
    defaults = [{"group/conductor.containers.conductor": {**SETTINGS, "lock_timeout": 300}}]
    printed = controller.playbook(*tasks, hosts="alpha", module_defaults=defaults, on=bare_host)
    assert "nsupported parameter" not in printed and "ot supported" not in printed, printed
    assert f"ok={len(MEMBERS)}" in printed
