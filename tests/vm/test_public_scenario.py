"""The docker scenario of a public role tests it in machines after the changes that docs/machine.md names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from testhost import Host
from uplink import DNS, uplink

ROOT = Path(__file__).parents[2]
ROLE = "geerlingguy.nginx"
DISTRO = {"bookworm": "debian12", "trixie": "debian13"}

pytestmark = pytest.mark.public


def test_the_scenario_of_a_role_passes_after_three_changes(machine, public_roles, tmp_path):
    role = tmp_path / "roles" / ROLE
    shutil.copytree(ROOT / ".cache/roles/roles" / ROLE, role)
    scenario = role / "molecule/default"
    settings = scenario / "molecule.yml"
    assert settings.read_text().count("name: docker\n") == 1
    settings.write_text(settings.read_text().replace("name: docker\n", "name: default\n"))
    for step in ("create", "destroy"):
        line = f"- ansible.builtin.import_playbook: conductor.containers.molecule_{step}\n"
        (scenario / f"{step}.yml").write_text(line)
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    with Host() as host, uplink(host):
        host.run("mount", "--bind", str(state), "/var/lib/conductor")
        host.run("sh", "-ec", f"echo nameserver {DNS} > /run/resolv; mount --bind /run/resolv /etc/resolv.conf")
        own = {"CONDUCTOR_OUTSIDE_PID": str(host.outside_pid), "MOLECULE_DISTRO": DISTRO[machine.suite]}
        path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        run = ["env", f"--chdir={role}", "molecule", "test"]
        done = host.popen(*run, env={**os.environ, **public_roles, **own, **path}, stdout=subprocess.PIPE, text=True)
        printed, _ = done.communicate()
        assert done.returncode == 0, printed
    subprocess.run(["rm", "-rf", "--one-file-system", str(state)], check=True)
