"""Removal of password prompts from a command's output."""

from types import SimpleNamespace

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils.become_prompts import without_prompt


@pytest.mark.parametrize(
    ("prompt", "expected", "data", "left"),
    [
        ("[sudo] password:", True, b"lecture\n[sudo] password: \nerror: [sudo] password:", b"error: [sudo] password:"),
        (b"Password:", True, b"Password: ", b""),
        ("Password:", True, b"error\n", b"error\n"),
        ("Password:", False, b"Password: error\n", b"Password: error\n"),
        ("", True, b" error\n", b" error\n"),
        (None, True, b" error\n", b" error\n"),
        (True, True, b" error\n", b" error\n"),
    ],
)
def test_prompt_and_text_before_it_are_removed(prompt, expected, data, left):
    become = SimpleNamespace(prompt=prompt, expect_prompt=lambda: expected)
    assert without_prompt(become, data) == left
