#!/usr/bin/env python3
"""How often one run reads each of our files and runs nft: counts, which are the same on every machine.

usage: benchmarks/observation.py     as root; on a host of namespaces with three containers, two of them with a network

No other firewall is there: each of its tables that filters what is forwarded costs one more run of nft.

Each run is a process of its own that has nothing loaded, as a module's is. Counted by Python's audit events: "open" and
"subprocess.Popen" (https://docs.python.org/3/library/audit_events.html), until the run has its result.
"""

from __future__ import annotations

import collections
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/integration/support"), str(ROOT / ".venv/collections")]

FILES = ("container.json", "network.json", "image.json", "conductor.json")
SLEEP = ["/bin/sleep", "infinity"]
# A title, and a module with its parameters; each finds what the one before has left.
RUNS = [
    ("start with a network", ("container", {"name": "web", "state": "started"})),
    ("started, no change", ("container", {"name": "web", "state": "started"})),
    ("network, no change", ("network", {"container": "web", "expose": ["80-8080"]})),
    ("peer, no change", ("peer", {"container": "web", "peer": "db"})),
    ("stop with a network", ("container", {"name": "web", "state": "stopped"})),
    ("remove with a network", ("container", {"name": "web", "state": "absent"})),
]


def main() -> None:
    """Build the test host, do each run on it, print the table."""
    from image_cache import mount_image, test_image
    from testhost import PYTHON, Host, module_environment

    with Host() as host:
        mount_image(host, test_image())
        host.run("nft", "flush", "ruleset")
        for name in ("web", "db", "lone"):
            state = "started" if name == "db" else "present"
            host.module("conductor_container", name=name, image="debian", command=SLEEP, state=state)
        host.module("conductor_network", container="web", expose=["80-8080"])
        host.module("conductor_network", container="db")
        host.module("conductor_peer", container="web", peer="db")
        print(f"{'':24}" + "".join(f"{title:>16}" for title in (*FILES, "nft runs", "other files", "modules")))
        for title, (module, params) in RUNS:
            done = host.run(
                PYTHON, __file__, "--count", module, json.dumps(params), env=module_environment(), timeout=60
            )
            counts = json.loads(done.stdout.splitlines()[-1])
            print(f"{title:24}" + "".join(f"{counts[key]:16d}" for key in (*FILES, "nft", "other", "modules")))


def count(module: str, params: dict) -> None:
    """Be the module; then say what was counted, as one line of JSON."""
    counts: collections.Counter = collections.Counter()
    main_process = os.getpid()

    def hook(event: str, arguments: tuple) -> None:
        if os.getpid() != main_process:
            return
        if event == "open" and isinstance(arguments[0], str):
            name = os.path.basename(arguments[0])
            counts[name if name in FILES else "code" if name.endswith((".py", ".pyc", ".so")) else "other"] += 1
        elif event == "subprocess.Popen":
            counts[os.path.basename(os.fsdecode(arguments[0]))] += 1

    sys.addaudithook(hook)
    base = "ansible_collections.conductor.containers.plugins"
    from importlib import import_module

    from ansible.module_utils import basic

    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    try:
        import_module(f"{base}.modules.conductor_{module}").main()
    except SystemExit as end:
        if end.code:
            raise
    ours = sum(name.startswith(f"{base}.module_utils") for name in sys.modules)
    keys = (*FILES, "nft", "other")
    print(json.dumps({**{key: counts[key] for key in keys}, "modules": ours}))


if __name__ == "__main__":
    count(sys.argv[2], json.loads(sys.argv[3])) if sys.argv[1:2] == ["--count"] else main()
