"""Values of --since."""

import argparse
import datetime
import time

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli.arguments.values import since


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("10m", 600), ("1h30m", 5400), ("2d", 172800)])
def test_durations_end_now(text, seconds, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1e6)
    assert since(text) == 1e6 - seconds


def test_dates():
    utc = datetime.timezone.utc
    assert since("2026-11-29T12:00:00Z") == datetime.datetime(2026, 11, 29, 12, tzinfo=utc).timestamp()
    assert since("2026-11-29T12:00+01:00") == datetime.datetime(2026, 11, 29, 11, tzinfo=utc).timestamp()
    assert since("2026-11-29") == datetime.datetime(2026, 11, 29).timestamp()
    assert since("1700000000.5") == 1700000000.5


@pytest.mark.parametrize("text", ["", "yesterday", "10", "m", "-5m", "5 m", "2026-13-01"])
def test_others_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="neither a duration"):
        since(text)
