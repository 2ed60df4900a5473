"""Run a benchmark on a test host that has the peers, an image and the host command, in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import peers
import podman
from comparison import Comparison

SUPPORT = Path(__file__).parents[1] / "tests/integration/support"


def measure_on_host(program: str, rounds: int) -> Iterator[Comparison]:
    """Run the file `program` with the number of rounds, and yield the comparisons that it prints as JSON.

    Raises RuntimeError if it fails.
    """
    from image_cache import mount_image, test_image
    from testhost import Host, module_environment

    with Host() as host:
        peers.add_to(host)
        podman.configure(host)
        mount_image(host, test_image())
        host.module("conductor_command")
        environment = module_environment()
        environment["PYTHONPATH"] += f":{SUPPORT}"
        done = host.run(sys.executable, program, str(rounds), env=environment, check=False, timeout=1800)
        if done.returncode:
            raise RuntimeError(f"{Path(program).stem}: {done.stderr.strip()}")
        for fields in json.loads(done.stdout.splitlines()[-1]):
            yield Comparison(**fields)
