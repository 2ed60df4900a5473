"""Building an image, next to mmdebstrap alone, and making a container of an image, next to a copy of its files.

Both builds are of the same suite and packages, into directories of the same file system, by a process of its own; both
download from the archives that this machine's apt uses. A container is made by a run of conductor_container on a test
host, and the copy by `cp -a` into the same file system.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import peers
from comparison import Comparison
from options import Options
from turns import seconds, take_turns

SUITE, PACKAGES = "trixie", ["iproute2", "procps"]
IMAGES = "/var/lib/conductor/images"


def measure(options: Options) -> Iterator[Comparison]:
    """Build a few times, for that takes long; then make containers."""
    with tempfile.TemporaryDirectory(dir=peers.ARCHIVES) as directory:
        contestants = {
            "conductor_image": lambda: {"build": seconds_to_build(Path(directory), ours)},
            "mmdebstrap": lambda: {"build": seconds_to_build(Path(directory), bare)},
        }
        taken = take_turns(max(1, options.rounds // 3), contestants, warm_up=0)
    yield Comparison("Build of an image", "s", "conductor_image", taken["build"])
    yield instances(options.rounds)


def seconds_to_build(directory: Path, build) -> float:
    """How long `build` takes; what it has built is removed after that."""
    taken = seconds(lambda: build(directory))
    shutil.rmtree(directory / "image", ignore_errors=True)
    return taken


def ours(directory: Path) -> None:
    """Run conductor_image. Raises RuntimeError."""
    from image_cache import build_on_this_machine

    build_on_this_machine(directory, "image", suite=SUITE, packages=PACKAGES)


def bare(directory: Path) -> None:
    """Run mmdebstrap with the same sources. Raises RuntimeError."""
    from ansible_collections.conductor.containers.plugins.module_utils._build import bootstrap
    from ansible_collections.conductor.containers.plugins.module_utils._image.spec.recipe import Recipe

    recipe = bootstrap.with_host_defaults(Recipe(suite=SUITE, packages=tuple(PACKAGES)))
    command = mmdebstrap_command(recipe, str(directory / "image"), bootstrap.sources_list(recipe))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap: {done.stderr.strip()[-400:]}")


def mmdebstrap_command(recipe, target: str, lines: list[str]) -> list[str]:
    """Return what builds `recipe` in the directory `target` without us; `lines` are of sources.list(5)."""
    return [
        "mmdebstrap", "--mode=root", "--format=directory", f"--variant={recipe.variant}",
        f"--architectures={recipe.architecture}", f"--components={','.join(recipe.components)}",
        f"--include={','.join(recipe.packages)}", recipe.suite, target, *lines,
    ]  # fmt: skip


def instances(rounds: int) -> Comparison:
    """Make a container of the tests' image, and copy its files."""
    from image_cache import mount_image, test_image
    from testhost import Host

    with Host(size="4g") as host:
        mount_image(host, test_image())

        def container() -> dict[str, float]:
            taken = seconds(lambda: host.module("conductor_container", name="box", image="debian"))
            host.module("conductor_container", name="box", state="absent")
            return {"instance": taken}

        def copy() -> dict[str, float]:
            target = "/var/lib/conductor/copy"
            taken = seconds(lambda: host.run("cp", "-a", f"{IMAGES}/debian/rootfs", target))
            host.run("rm", "-rf", target)
            return {"instance": taken}

        taken = take_turns(rounds, {"conductor_container": container, "cp -a": copy})
    return Comparison("A container of an image", "s", "conductor_container", taken["instance"])
