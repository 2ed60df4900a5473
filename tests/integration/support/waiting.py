"""Waiting for a condition, with a deadline instead of a guess."""

import time


def until(condition, what: str, seconds: float = 15.0):
    """The first true value of `condition()`; fails the test, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")
