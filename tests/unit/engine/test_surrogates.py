"""Texts with half of a character of UTF-16, which cannot be encoded."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli.stack_file import read_stack_file
from ansible_collections.conductor.containers.plugins.module_utils._engine.surrogates import (
    find_surrogate,
    without_surrogates,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput

HALF = "a\ud800"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"env": {"A": HALF}}, "env.A"),
        ({"env": {HALF: "x"}}, "env"),
        ({HALF: "x"}, "a key"),
        ({"containers": {"web": {"command": ["echo", HALF]}}}, "containers.web.command[1]"),
        ({"a": ["\udcff"]}, "a[0]"),
        ({"a": "\U0001f600 \u00e9", "b": [1, None, True, 1.5]}, None),
    ],
)
def test_the_first_one_is_named(value, path):
    assert find_surrogate(value) == path


def test_a_replacement_stands_for_each():
    value = {"a\ud800": ["\udcff\udce9x", ("\ud800",)], "b": {"c": "\U0001f600\u00e9"}, "d": 1}
    assert without_surrogates(value) == {
        "a\ufffd": ["\ufffd\ufffdx", ["\ufffd"]], "b": {"c": "\U0001f600\u00e9"}, "d": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"name": "a", "containers": {"web": {"env": {"A": "\\ud800"}}}}'),
        ("a.yml", 'name: a\nservices: {web: {image: debian, environment: {A: "\\ud800"}}}'),
    ],
)
def test_file_of_a_stack_has_none(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"\.A has half of a character \(a surrogate such as \\ud800\)\. Correct"):
        read_stack_file(str(file), None)
