"""What script/soak takes for growth."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

sys.path.append(str(Path(__file__).parents[2] / "soak"))

import cycles


def grows(values, allowed, drifts) -> bool:
    samples = [(number * 250, {"value": value}) for number, value in enumerate(values, 8)]
    return not cycles.judge(samples, 10_000, allowed, drifts)


@pytest.mark.parametrize("every", [1, 4, 8])
def test_one_more_of_a_count_every_few_hundred_cycles_is_growth(every):
    assert grows([30 + number // every for number in range(32)], 0.5 / 10_000, False)


def test_a_count_that_stays_is_none():
    assert not grows([30] * 32, 0.5 / 10_000, False)


def test_a_page_leaked_by_each_cycle_is_seen_through_noise():
    random = Random(1)
    noisy = [60_000_000 + number * 250 * 4096 + random.randrange(200_000) for number in range(32)]
    assert grows(noisy, cycles.BYTES_A_CYCLE, True)


def test_what_others_take_and_keep_for_a_while_is_none():
    random, value, values = Random(2), 60_000_000, []
    for _ in range(32):
        value += random.randrange(-2_000_000, 2_000_000)
        values.append(value)
    assert not grows(values, cycles.BYTES_A_CYCLE, True)
