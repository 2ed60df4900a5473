#!/usr/bin/env python3
"""Main program of script/bench: runs benchmarks one after the other, and writes what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/integration/support"), str(ROOT / ".venv/collections")]

import command  # noqa: E402
import deployment  # noqa: E402
import image  # noqa: E402
import memory  # noqa: E402
import peers  # noqa: E402
import scenario  # noqa: E402
import start  # noqa: E402
import traffic  # noqa: E402
from chart import chart  # noqa: E402
from comparison import Comparison  # noqa: E402
from facts import machine_facts  # noqa: E402
from options import RESULTS, Options, parse  # noqa: E402
from report import Result, document, readme_section, result_of, show, with_section  # noqa: E402

# In the order of the README.
BENCHMARKS: dict[str, Callable[[Options], Iterator[Comparison]]] = {
    "start": start.measure,
    "command": command.measure,
    "deployment": deployment.measure,
    "traffic": traffic.measure,
    "image": image.measure,
    "memory": memory.measure,
    "molecule": scenario.measure,
}


def main(argv: list[str]) -> int:
    """Measure and write; 1 if a benchmark failed, after the others have run."""
    options, arguments = parse(list(BENCHMARKS), argv)
    if arguments.list:
        print("\n".join(BENCHMARKS))
        return 0
    failed = []
    if arguments.benchmarks or not arguments.readme:
        peers.install()
        for name in arguments.benchmarks or BENCHMARKS:
            facts = machine_facts(peer_versions())
            try:
                write(arguments.output, Result(name, facts, run(name, options)))
            except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
                print(f"bench: {name}: {error}", file=sys.stderr)
                failed.append(name)
    if arguments.readme:
        results = read_results(RESULTS)
        for result in results:
            write(RESULTS, result)
        readme = ROOT / "README.md"
        readme.write_text(with_section(readme.read_text(), readme_section(results)))
    return 1 if failed else 0


def run(name: str, options: Options) -> list[Comparison]:
    """All comparisons of one benchmark; each is printed as it comes."""
    comparisons = []
    for comparison in BENCHMARKS[name](options):
        show(comparison)
        comparisons.append(comparison)
    return comparisons


def peer_versions() -> dict[str, str]:
    """Versions of the programs that a test host with all peers has."""
    from testhost import Host

    with Host() as host:
        peers.add_to(host)
        return peers.versions(host)


def write(directory: Path, result: Result) -> None:
    """Write JSON, Markdown and plots of `result`."""
    directory.mkdir(parents=True, exist_ok=True)
    for suffix, content in {
        "json": json.dumps(result.to_json(), indent=1, ensure_ascii=False) + "\n",
        "md": document(result),
        "svg": chart(result.comparisons),
    }.items():
        (directory / f"{result.benchmark}.{suffix}").write_text(content, encoding="utf-8")


def read_results(directory: Path) -> list[Result]:
    """All results in `directory`, in the order of BENCHMARKS."""
    paths = [directory / f"{name}.json" for name in BENCHMARKS]
    return [result_of(json.loads(path.read_text(encoding="utf-8"))) for path in paths if path.exists()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
