"""One measurement of several contestants, and what is computed of it. Pure."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field

LESS, MORE = "less", "more"


@dataclass(frozen=True)
class Comparison:
    """Measured values of each contestant, in the order of the rounds.

    `unit` is s, MiB, Gbit/s or another unit that the values are in. `against` is the contestant that ratios relate to,
    and `better` says whether LESS or MORE is better. `left_out` has the reason for each contestant without a value.
    """

    title: str
    unit: str
    against: str
    values: dict[str, list[float]]
    better: str = field(default=LESS, kw_only=True)
    left_out: dict[str, str] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if self.better not in (LESS, MORE):
            raise ValueError(f"{self.title}: invalid value of better: {self.better!r}. Use {LESS} or {MORE}.")
        if not self.values.get(self.against):
            raise ValueError(f"{self.title}: no value of {self.against}, which the others are compared with")
        if empty := [name for name, values in self.values.items() if not values]:
            raise ValueError(f"{self.title}: no value of {', '.join(empty)}")

    def rounds(self) -> int:
        """How many values the contestant with the fewest has."""
        return min(map(len, self.values.values()))

    def summaries(self) -> list[Summary]:
        """Each contestant, in the order that they were measured in."""
        reference = statistics.median(self.values[self.against])
        return [summarize(name, values, reference) for name, values in self.values.items()]

    def to_json(self) -> dict:
        """The fields, with values of six digits: more is noise."""
        values = {name: [float(f"{value:.6g}") for value in values] for name, values in self.values.items()}
        return {**asdict(self), "values": values}


@dataclass(frozen=True)
class Summary:
    """The median of a contestant, the quartiles around it, and the median's ratio to that of the reference."""

    name: str
    median: float
    low: float
    high: float
    ratio: float


def summarize(name: str, values: list[float], reference: float) -> Summary:
    """Quartiles are of the sample itself, so they never leave its range. The ratio to nothing is that of equals."""
    median = statistics.median(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [median] * 3
    ratio = median / reference if reference else (1.0 if not median else float("inf"))
    return Summary(name, median, low, high, ratio)


# The largest unit in which the number is at least one; the last one for what is smaller still.
_SCALES = {
    "s": [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")],
    "MiB": [(1.0, "MiB"), (2**-10, "KiB")],
}


def scale(unit: str, value: float) -> tuple[float, str]:
    """Return the factor and the unit to show `value`, which is in `unit`: 0.004 s as 4 ms."""
    scales = _SCALES.get(unit, [(1.0, unit)])
    return next(((factor, name) for factor, name in scales if abs(value) >= factor), scales[-1 if value else 0])


def number(value: float) -> str:
    """Three digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def quantity(unit: str, value: float) -> str:
    """Return `value` with the unit that suits its size."""
    factor, name = scale(unit, value)
    return f"{number(value / factor)} {name}"
