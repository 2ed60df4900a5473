"""What benchmarks report: text for the terminal, JSON, and Markdown. Pure, except for show()."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comparison import LESS, Comparison, quantity

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


def show(comparison: Comparison) -> None:
    """Print it, with the ratios, which alone compare between machines."""
    print(text(comparison), flush=True)


def text(comparison: Comparison) -> str:
    """Return lines for the terminal."""
    lines = [f"{comparison.title} ({_rounds(comparison)}):"]
    for one in comparison.summaries():
        spread = f"{quantity(comparison.unit, one.low)} to {quantity(comparison.unit, one.high)}"
        median = quantity(comparison.unit, one.median)
        lines.append(f"  {one.name:28} {median:>12} ({spread})   {one.ratio:.2f} of {comparison.against}")
    lines += [f"  without {name}: {reason}" for name, reason in comparison.left_out.items()]
    return "\n".join(lines)


def table(comparisons: list[Comparison]) -> str:
    """Return one Markdown table: a row for each contestant of each comparison."""
    lines = ["| Measurement | Contestant | Median | Quartiles | Ratio |", "|---|---|---|---|---|"]
    for comparison in comparisons:
        for number, one in enumerate(comparison.summaries()):
            title = f"{comparison.title}, {comparison.better} is better" if number == 0 else ""
            spread = f"{quantity(comparison.unit, one.low)} to {quantity(comparison.unit, one.high)}"
            name, ratio = one.name, f"{one.ratio:.2f}"
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
        describe(result),
        "\n".join(sorted(left_out)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def describe(result: Result) -> str:
    """Return a paragraph about the machine, the versions and the rounds."""
    facts = result.facts
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    machine = f"{facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}, {facts['distribution']}"
    counts = sorted({comparison.rounds() for comparison in result.comparisons})
    rounds = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    shared = "" if facts["quiet"] else f" The machine was shared: its load was {facts['load']:.1f} before the start."
    return f"Measured on {facts['date']} in rounds that alternate ({rounds}): {machine}; {versions}.{shared}"


def readme_section(results: list[Result]) -> str:
    """Return the block of README between its marks: a short table with the ratios, and the plots."""
    lines = ["| Measurement | conductor | Others, as multiples of it |", "|---|---|---|"]
    for comparison in (comparison for result in results for comparison in result.comparisons):
        summaries = comparison.summaries()
        ours = next(one for one in summaries if one.name == comparison.against)
        others = ", ".join(f"{one.name} {one.ratio:.2f}" for one in summaries if one is not ours)
        more = "" if comparison.better == LESS else ", more is better"
        lines.append(f"| {comparison.title}{more} | {quantity(comparison.unit, ours.median)} | {others} |")
    plots = [f"![{one.benchmark}](benchmarks/results/{one.benchmark}.svg)" for one in results]
    machines = dict.fromkeys(describe(one) for one in results)
    return "\n\n".join([BEGIN, "\n".join(lines), "\n".join(plots), "\n\n".join(machines), END])


def with_section(readme: str, section: str) -> str:
    """Return the text `readme` with `section` between the marks. Raises ValueError if the marks are missing."""
    block = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    changed, count = block.subn(lambda _: section, readme)
    if count != 1:
        raise ValueError(f"README: {count} blocks of results. Keep exactly one pair of {BEGIN} and {END}.")
    return changed


def _rounds(comparison: Comparison) -> str:
    rounds = comparison.rounds()
    return "one round" if rounds == 1 else f"median and quartiles of {rounds}"
