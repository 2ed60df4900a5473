"""What benchmarks report: text for the terminal, JSON, and Markdown. Pure, except for show()."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from comparison import LESS, Comparison, Summary, quantity

VALUES = "[benchmarks/results](benchmarks/results) has all values and their quartiles."
BEGIN, END = "<!-- results of script/bench -->", "<!-- end of the results -->"


@dataclass(frozen=True)
class Result:
    """What one benchmark measured on one machine. `facts` are those of facts.py."""

    benchmark: str
    facts: dict
    comparisons: list[Comparison]

    def to_json(self) -> dict:
        """What json.dump() takes."""
        comparisons = [comparison.to_json() for comparison in self.comparisons]
        return {"benchmark": self.benchmark, "facts": self.facts, "comparisons": comparisons}


def result_of(data: dict) -> Result:
    """Return the Result that to_json() made `data` of."""
    return Result(data["benchmark"], data["facts"], [Comparison(**fields) for fields in data["comparisons"]])


def shown_ratio(one: Summary) -> str:
    """Return the ratio, "-" for a multiple of nothing."""
    return f"{one.ratio:.2f}" if math.isfinite(one.ratio) else "-"


def show(comparison: Comparison) -> None:
    """Print it, with the ratios, which alone compare between machines."""
    print(text(comparison), flush=True)


def text(comparison: Comparison) -> str:
    """Return lines for the terminal."""
    lines = [f"{comparison.title} ({_rounds(comparison)}):"]
    for one in comparison.summaries():
        median = quantity(comparison.unit, one.median)
        lines.append(
            f"  {one.name:28} {median:>12} ({_spread(comparison, one)})   {shown_ratio(one)} of {comparison.against}"
        )
    lines += [f"  without {name}: {reason}" for name, reason in comparison.left_out.items()]
    return "\n".join(lines)


def table(comparisons: list[Comparison]) -> str:
    """Return one Markdown table: a row for each contestant of each comparison."""
    lines = ["| Measurement | Contestant | Median | Quartiles | Ratio |", "|---|---|---|---|---|"]
    for comparison in comparisons:
        for number, one in enumerate(comparison.summaries()):
            title = f"{comparison.title}, {comparison.better} is better" if number == 0 else ""
            spread = _spread(comparison, one)
            name, ratio = one.name, shown_ratio(one)
            if name == comparison.against:
                name, ratio = f"**{name}**", "**1**"
            lines.append(f"| {title} | {name} | {quantity(comparison.unit, one.median)} | {spread} | {ratio} |")
    return "\n".join(lines)


def document(result: Result) -> str:
    """Return the Markdown page of one benchmark."""
    left_out = {
        f"- {name} is left out: {reason}"
        for comparison in result.comparisons
        for name, reason in comparison.left_out.items()
    }
    parts = [
        f"# {result.benchmark.capitalize()}",
        f"![{result.benchmark}]({result.benchmark}.svg)",
        table(result.comparisons),
        describe([result]),
        "\n".join(sorted(left_out)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def describe(results: list[Result]) -> str:
    """Return a paragraph for each machine: what it is, its programs, when and how often was measured there."""
    machines: dict[str, list[Result]] = {}
    for result in results:
        machines.setdefault(_machine(result.facts), []).append(result)
    return "\n\n".join(_described(machine, measured) for machine, measured in machines.items())


def _machine(facts: dict) -> str:
    machine = f"{facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}, {facts['distribution']}"
    return f"{machine}; " + ", ".join(f"{name} {version}" for name, version in facts["versions"].items())


def _described(machine: str, results: list[Result]) -> str:
    dates = _range([result.facts["date"] for result in results])
    rounds = _range([comparison.rounds() for result in results for comparison in result.comparisons])
    loads = [result.facts["load"] for result in results if not result.facts["quiet"]]
    shared = f" Other programs used the machine, too: its load was {_range(loads)} before." if loads else ""
    return f"Measured on {dates} in rounds that alternate ({rounds}): {machine}.{shared}"


def _range(values: list) -> str:
    return " to ".join(dict.fromkeys((str(min(values)), str(max(values)))))


def readme_section(results: list[Result]) -> str:
    """Return the block of README between its marks: a short table with the ratios, and the plots."""
    if not results:
        return "\n\n".join([BEGIN, "No results are published yet: run `script/bench`.", END])
    lines = ["| Measurement | Reference | Others, as multiples of it |", "|---|---|---|"]
    for comparison in (comparison for result in results for comparison in result.comparisons):
        summaries = comparison.summaries()
        reference = next(one for one in summaries if one.name == comparison.against)
        # No number is a multiple of nothing.
        others = ", ".join(
            f"{one.name} {shown_ratio(one) if math.isfinite(one.ratio) else quantity(comparison.unit, one.median)}"
            for one in summaries
            if one is not reference
        )
        more = "" if comparison.better == LESS else ", more is better"
        median = quantity(comparison.unit, reference.median)
        lines.append(f"| {comparison.title}{more} | {reference.name} {median} | {others} |")
    plots = [f"![{one.benchmark}](benchmarks/results/{one.benchmark}.svg)" for one in results]
    return "\n\n".join([BEGIN, "\n".join(lines), "\n".join(plots), describe(results), VALUES, END])


def with_section(readme: str, section: str) -> str:
    """Return the text `readme` with `section` between the marks. Raises ValueError if the marks are missing."""
    block = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    changed, count = block.subn(lambda _: section, readme)
    if count != 1:
        raise ValueError(f"README: {count} blocks of results. Keep exactly one pair of {BEGIN} and {END}.")
    return changed


def _spread(comparison: Comparison, one: Summary) -> str:
    if comparison.rounds() == 1:
        return "one round"
    return f"{quantity(comparison.unit, one.low)} to {quantity(comparison.unit, one.high)}"


def _rounds(comparison: Comparison) -> str:
    rounds = comparison.rounds()
    return "one round" if rounds == 1 else f"median and quartiles of {rounds}"
