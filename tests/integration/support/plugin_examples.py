"""The EXAMPLES of the plugins of all kinds, and the tests that execute them."""

from __future__ import annotations

from collections.abc import Callable

import yaml
from ansible_core import ROOT

BEGIN, END = 'EXAMPLES = r"""', '"""'


def plugins() -> list[str]:
    """Plugins with EXAMPLES, like `modules/conductor_image`."""
    files = sorted((ROOT / "plugins").glob("*/*.py"))
    return [f"{file.parent.name}/{file.stem}" for file in files if "EXAMPLES = " in file.read_text()]


def example_text(plugin: str) -> str:
    """The EXAMPLES of a plugin, with their comments."""
    return (ROOT / "plugins" / f"{plugin}.py").read_text().partition(BEGIN)[2].partition(END)[0]


def examples(plugin: str) -> list[dict]:
    """Tasks or plays of the EXAMPLES of a plugin."""
    return yaml.safe_load(example_text(plugin))


class Executed:
    """Decorator of a test that executes all examples of some plugins; collects the names of these."""

    def __init__(self) -> None:
        self.plugins: list[str] = []

    def __call__(self, *plugins: str) -> Callable:
        self.plugins.extend(plugins)
        return lambda test: test
