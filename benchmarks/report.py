"""What a benchmark prints: medians, and their ratios, which alone compare between machines."""

from __future__ import annotations

import statistics


def show(title: str, times: dict[str, list[float]], against: str) -> None:
    """Print the median of each list of `times` (seconds), and how much it is of that of `against`."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{title} (median of {len(times[against])}):")
    for name, median in medians.items():
        print(f"  {name:20} {median * 1000:8.1f} ms   {median / medians[against]:.2f} of {against}")
