"""Whole numbers in texts of others: digits that int() does not know, and more of them than it converts."""

import argparse

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli.arguments.values import lines, since
from ansible_collections.conductor.containers.plugins.module_utils._cli.parser import make_parser
from ansible_collections.conductor.containers.plugins.module_utils._container.plan.id_ranges import (
    IdsView,
    choose_ids,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.signals import parse_signal
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.ulimits import parse_ulimits
from ansible_collections.conductor.containers.plugins.module_utils._engine.decimal_number import decimal_number
from ansible_collections.conductor.containers.plugins.module_utils._engine.sizes import parse_size
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput

# The first is a digit that is not decimal, the second one of another script.
WRONG = ["\u00b2", "\u0663", "9" * 400, "9" * 5000]
wrong = pytest.mark.parametrize("text", WRONG, ids=["superscript", "arabic", "400 digits", "5000 digits"])


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("99", 99), ("100", None), ("0" * 5000, None)])
def test_numbers_below_a_limit(text, number):
    assert decimal_number(text, 100) == number


@wrong
@pytest.mark.parametrize(
    "parse",
    [
        lambda text: parse_signal(text, "stop_signal"),
        lambda text: parse_size(text, "memory"),
        lambda text: parse_size(f"{text}m", "memory"),
        lambda text: parse_ulimits([f"nofile:{text}"], "ulimits"),
    ],
    ids=["signal", "size", "size with a unit", "ulimit"],
)
def test_options_refuse_them(parse, text):
    with pytest.raises(InvalidInput):
        parse(text)


@wrong
@pytest.mark.parametrize("parse", [lines, since, lambda text: since(f"{text}d")], ids=["lines", "date", "duration"])
def test_arguments_refuse_them(parse, text):
    with pytest.raises(argparse.ArgumentTypeError):
        parse(text)


@wrong
def test_lines_of_subuid_with_them_are_ignored(text):
    lines_of_others = f"alice:{text}:65536\nalice:65536:{text}\n"
    assert choose_ids("auto", IdsView(lines_of_others, lines_of_others)) == choose_ids("auto", IdsView())


@wrong
def test_width_of_the_terminal_is_not_one_of_them(text, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    usual = make_parser(["ps"])[0].format_help()
    monkeypatch.setenv("COLUMNS", text)
    assert make_parser(["ps"])[0].format_help() == usual
