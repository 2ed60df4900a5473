"""The part of a log since a time, by the sizes that were recorded."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.log_times import find_begin, thin_out
from hypothesis import given
from hypothesis import strategies as st

TIMES = "10.0 0\n12.0 5\n20.0 9\n"


@pytest.mark.parametrize(
    ("times", "since", "size", "begin"),
    [
        (TIMES, 9.0, 12, 0),
        (TIMES, 10.0, 12, 0),
        (TIMES, 12.0, 12, 5),
        (TIMES, 19.9, 12, 5),
        (TIMES, 20.0, 12, 9),
        (TIMES, 99.0, 12, 9),
        ("", 5.0, 12, 0),
        ("damaged\n12.0 5\n13", 12.0, 12, 5),
        (f"1.0 {'9' * 5000}\n12.0 5\n", 12.0, 12, 5),
        # Truncated, and the size since then recorded or not.
        (f"{TIMES}30.0 2\n", 20.0, 4, 0),
        (f"{TIMES}30.0 2\n", 30.0, 4, 2),
        (TIMES, 20.0, 3, 0),
        # The clock was set back.
        (f"{TIMES}11.0 11\n", 12.0, 12, 5),
    ],
)
def test_begin(times, since, size, begin):
    assert find_begin(times, since, size) == begin


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=40), st.integers(0, 99))
def test_nothing_that_was_written_since_is_left_out(writes, since):
    """`writes`: times and numbers of bytes. Of a thinned file, too."""
    lines, size, first_since = [], 0, None
    for when, number in sorted(writes):
        if when > since and first_since is None:
            first_since = size
        size += number
        lines.append(f"{when}.0 {size}")
    for kept in (lines, thin_out(lines)):
        assert find_begin("\n".join([*kept, ""]), since, size) <= (size if first_since is None else first_since)


def test_thinned_times_keep_the_newer_half():
    assert thin_out(list("abcdefgh")) == list("acefgh")
