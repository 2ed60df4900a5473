"""The code blocks of docs/ and of all README.md files of the tree, and the tests that execute them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from testhost import ROOT

# File, language and first line of a block.
Key = tuple[str, str, str]
BLOCK = re.compile(r"^ *(```+|~~~+) *(\S*)[^\n]*\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[Key, str]]:
    """All blocks with their texts. Hidden directories, such as caches and the .venv, are left out."""
    found = []
    for file in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("[!.]*/**/README.md"))]:
        for _fence, language, text in BLOCK.findall(file.read_text()):
            found.append(((str(file.relative_to(ROOT)), language, text.partition("\n")[0]), text))
    return found


def block(*key: str) -> str:
    """Text of one block. Raises ValueError if there is not exactly one."""
    (text,) = (text for found, text in blocks() if found == key)
    return text


class Executed:
    """Decorator of a test that executes one block; collects the keys of these blocks.

    The fixture `text` of the test gets the key as its parameter.
    """

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def __call__(self, *key: str) -> Callable:
        self.keys.append(key)
        return pytest.mark.parametrize("text", [pytest.param(key, id=key[0])], indirect=True)
