"""Every verb of the host command is run by an integration test."""

import ast
from pathlib import Path

from ansible_collections.conductor.containers.plugins.module_utils._cli import parser

VERBS = parser.make_parser()[1]
INTEGRATION = Path(__file__).parents[2] / "integration"
# The fixtures of the host command.
FIXTURES = {"command", "box"}


def command_lines(file):
    """The arguments of each run of the host command: in calls of its fixtures, and in tables (lists of lists)."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            called = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            if isinstance(called, ast.Name) and called.id in FIXTURES:
                yield node.args
        elif isinstance(node, ast.List):
            yield from (row.elts for row in node.elts if isinstance(row, ast.List))


def verb_of(arguments):
    """The verb at the begin of the arguments, as the program reads it."""
    words = [str(getattr(argument, "value", "")) for argument in arguments[:2]]
    pair = " ".join(words)
    return pair if pair in VERBS else pair.partition(" ")[0]


def test_every_verb_is_run():
    files = [*INTEGRATION.glob("command/test_*.py"), *INTEGRATION.glob("stack/test_*.py")]
    run = {verb_of(arguments) for file in files for arguments in command_lines(file)}
    assert VERBS.keys() - run == set()
