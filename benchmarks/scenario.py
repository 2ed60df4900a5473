"""A scenario of molecule: create, converge, idempotence and destroy, with containers of ours and of podman's driver.

The role is that of molecule/machines: a service with a sandbox of systemd. Both have the same root file system, and
find their image on the host.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import peers
import podman
import yaml
from comparison import Comparison
from options import Options
from turns import seconds, take_turns

ROOT = Path(__file__).parents[1]
OURS, PODMAN = "conductor.containers, playbook molecule_create", "podman, driver of molecule-plugins"
IMAGE = "localhost/debian"
DRIVER = "molecule-plugins[podman]==25.*"
SEQUENCE = ["create", "converge", "idempotence", "destroy"]
_PLATFORM = {"name": "instance", "image": IMAGE, "command": "/sbin/init", "pre_build_image": True, "systemd": "always"}
_PODMAN = {
    "driver": {"name": "podman"},
    # systemd finds its own cgroup of version 2 there, on a host that has both versions, too.
    "platforms": [
        {
            **_PLATFORM,
            "cgroupns": "private",
            # Without it, services with a sandbox do not start.
            "privileged": True,
            "volumes": ["/sys/fs/cgroup/unified:/sys/fs/cgroup:rw"],
        }
    ],
}


def measure(options: Options) -> Iterator[Comparison]:
    """Run the scenario by both, in turns."""
    from image_cache import mount_image, test_image
    from testhost import Host

    plugins = _driver()
    with Host(size="8g") as host, tempfile.TemporaryDirectory() as directory:
        peers.add_to(host)
        podman.configure(host)
        mount_image(host, test_image())
        host.run("nft", "flush", "ruleset")
        reason = podman.import_image(host, "/var/lib/conductor/images/debian/rootfs", IMAGE)
        projects = _write_projects(Path(directory))
        left_out = {PODMAN: reason} if reason else {}
        for name, project in projects.items():
            if name not in left_out and (failure := _test(host, project, plugins)):
                left_out[name] = failure
        contestants = {
            name: lambda project=project: {"test": seconds(lambda: _succeed(host, project, plugins))}
            for name, project in projects.items()
            if name not in left_out
        }
        taken = take_turns(options.rounds, contestants)["test"]
        yield Comparison("create, converge, idempotence and destroy of a scenario", "s", OURS, taken, left_out=left_out)


def _write_projects(directory: Path) -> dict[str, Path]:
    """Write the scenario for both; return the directories to run molecule in."""
    source = ROOT / "molecule/machines"
    settings = yaml.safe_load((source / "molecule.yml").read_text())
    settings["scenario"] = {"test_sequence": SEQUENCE}
    settings["provisioner"] = {"name": "ansible"}
    [play] = yaml.safe_load((source / "converge.yml").read_text())
    # podman mounts /etc/hostname, so that the name cannot be set there.
    play["tasks"] = [task for task in play["tasks"] if "ansible.builtin.hostname" not in task]
    found = {}
    for name, own in ((OURS, {}), (PODMAN, _PODMAN)):
        scenario = directory / str(len(found)) / "molecule/default"
        scenario.mkdir(parents=True)
        (scenario / "converge.yml").write_text(yaml.safe_dump([play]))
        for playbook in ("create.yml", "destroy.yml") if name == OURS else ():
            shutil.copy(source / playbook, scenario)
        (scenario / "molecule.yml").write_text(yaml.safe_dump({**settings, **own}))
        found[name] = scenario.parents[1]
    return found


def _driver() -> Path:
    """Directory with the packages of podman's driver, which are downloaded unless they are there."""
    place = peers.COLLECTIONS / "molecule"
    if not place.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), DRIVER]
        subprocess.run(pip, check=True)
    return place


def _test(host, project: Path, plugins: Path) -> str:
    """Run the scenario; return why it failed, "" if it did not."""
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.venv/collections:{peers.COLLECTIONS}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(project / "ephemeral"),
        "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(plugins),
    }
    command = ["env", f"--chdir={project}", "molecule", "test"]
    done = host.run(*command, env=environment, check=False, timeout=900)
    return " ".join((done.stdout + done.stderr).split())[-600:] if done.returncode else ""


def _succeed(host, project: Path, plugins: Path) -> None:
    if failure := _test(host, project, plugins):
        raise RuntimeError(failure)
