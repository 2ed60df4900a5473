"""The Debian images that the tests share: built once by conductor_image, kept in a folder that git ignores."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
from pathlib import Path

from testhost import PYTHON, ROOT, Host, module_environment

RECIPE = {"suite": "trixie", "packages": ["iproute2", "procps", "python3", "systemd-sysv", "dbus", "curl"]}

# One that has a whole archive of packages in /debs, to be installed where there is no mirror.
SERVICES = "openssh-server postgresql nginx"
# What a playbook needs inside, or installs.
TOOLS = "python3-apt sudo cron git nginx-light"
ARCHIVE_RECIPE = {
    **RECIPE,
    "packages": [*RECIPE["packages"], "apt-utils"],
    "commands": [
        "apt-get update",
        f"apt-get install --yes --download-only --no-install-recommends {SERVICES} {TOOLS}",
        "mkdir /debs; mv /var/cache/apt/archives/*.deb /debs; cd /debs; apt-ftparchive packages . > Packages",
    ],
}
# One of a machine with a unit for first boots, and one that is disabled.
MACHINE_RECIPE = {
    **RECIPE,
    "packages": [
        *RECIPE["packages"],
        "openssh-server",
        "dbus-user-session",
        "rsync",
        "iptables",
        "nftables",
        "sudo",
        "python3-apt",
    ],
    "commands": [
        "printf '[Unit]\\nConditionFirstBoot=yes\\n[Service]\\nType=oneshot\\nExecStart=/bin/touch /first\\n"
        "[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/first.service",
        "systemctl enable first.service; systemctl disable rsync.service",
        "systemctl enable systemd-networkd.service",
    ],
}
OWN_DIRECTORIES = """
mount -t tmpfs tmpfs /run
for name in etc var/lib; do
  mkdir -p /run/changed/$name/upper /run/changed/$name/work
  mount -t overlay -o lowerdir=/$name,upperdir=/run/changed/$name/upper,workdir=/run/changed/$name/work overlay /$name
done
"""


def test_image(recipe: dict = RECIPE) -> Path:
    """Directory with image.json and rootfs/, built on this machine unless it is there."""
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
    directory = ROOT / ".cache" / "images"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / key / "image.json").exists():
            build_on_this_machine(directory, key, **recipe)
    return directory / key


def build_on_this_machine(directory: Path, name: str, **recipe) -> dict:
    """Result of conductor_image where there is a mirror: a test host has none.

    It runs in a mount namespace of its own, where what is written to /run, /etc and /var/lib is not the machine's.
    """
    arguments = {"ANSIBLE_MODULE_ARGS": {"name": name, "image_dir": str(directory), **recipe}}
    module = f"{PYTHON} -m ansible_collections.conductor.containers.plugins.modules.conductor_image"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f"{OWN_DIRECTORIES}exec {module}"],
        input=json.dumps(arguments), capture_output=True, text=True, env=module_environment(), check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"image {name} could not be built: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def mount_recipe(host: Host, recipe: dict) -> None:
    """Give `host` the image that conductor_image builds with the options `recipe`: a test host has no mirror."""
    options = dict(recipe)
    name = options.pop("name")
    mount_image(host, test_image(options), name)


def mount_image(host: Host, cached: Path, name: str = "debian") -> None:
    """Give `host` the cached image under `name`, without a copy."""
    directory = f"/var/lib/conductor/images/{name}"
    host.run("mkdir", "-p", f"{directory}/rootfs")
    spec = json.loads((cached / "image.json").read_text())
    host.run("tee", f"{directory}/image.json", stdin=json.dumps({**spec, "name": name}))
    host.run("mount", "--bind", str(cached / "rootfs"), f"{directory}/rootfs")
    host.run("mount", "-o", "remount,bind,ro", f"{directory}/rootfs")
