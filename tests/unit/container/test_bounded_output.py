"""Bounded parts of endless output."""

from ansible_collections.conductor.containers.plugins.module_utils._container.exec.bounded_output import Head, Tail
from hypothesis import given
from hypothesis import strategies as st

STREAM = st.lists(st.binary(min_size=1, max_size=9), max_size=20)


@given(STREAM, st.integers(1, 60))
def test_first_and_last_bytes_are_kept_and_truncation_is_reported(pieces, limit):
    first, last = Head(limit), Tail(limit)
    for piece in pieces:
        first.add(piece)
        last.add(piece)
    whole = b"".join(pieces)
    assert first.content == whole[:limit] and last.content == whole[-limit:]
    assert first.truncated == last.truncated == (len(whole) > limit)
