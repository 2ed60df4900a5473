"""The command line of script/bench."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Options:
    """What every benchmark may read: how often it measures, and how many containers it deploys."""

    rounds: int
    counts: tuple[int, ...]


def parse(names: list[str], argv: list[str]) -> tuple[Options, argparse.Namespace]:
    """Return options of the benchmarks, and those of the program; ends it with a message if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Measure ours next to other tools; write JSON, Markdown and plots.",
    )
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=f"{', '.join(names)}; default: all of them")
    parser.add_argument("--list", action="store_true", help="print the names of the benchmarks, and measure nothing")
    parser.add_argument(
        "--rounds", type=_positive, default=10, metavar="N", help="values of each contestant; default: 10"
    )
    parser.add_argument(
        "--counts", type=_counts, default=(1, 10, 100), metavar="N,N", help="containers to deploy; default: 1,10,100"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIRECTORY", help="default: benchmarks/results")
    parser.add_argument(
        "--readme",
        action="store_true",
        help="write README, pages and plots of benchmarks/results; without BENCHMARK nothing is measured",
    )
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.benchmarks) - set(names):
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; choose from {', '.join(names)}")
    return Options(arguments.rounds, arguments.counts), arguments


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return int(text)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))
