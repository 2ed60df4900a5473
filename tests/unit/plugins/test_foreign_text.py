"""Text of hosts and containers is bounded, and safe for a terminal."""

import inspect
import os
import subprocess
import sys

import pytest
from ansible_collections.conductor.containers.plugins.filter.status_table import status_table
from ansible_collections.conductor.containers.plugins.module_utils import _errors
from ansible_collections.conductor.containers.plugins.module_utils._engine import run_use_case as run
from ansible_collections.conductor.containers.plugins.module_utils._errors import one_line, printable
from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client as stream
from ansible_collections.conductor.containers.plugins.plugin_utils.missing_python import find_missing_python
from ansible_collections.conductor.containers.plugins.plugin_utils.open_agent import parse_admission

# Clears the screen, sets the title, moves back over printed text, changes the text direction.
HOSTILE = "\x1b[2J\x1b]0;x\x07\r\b\x7f\x9b1m\u202e\udc9b\u2028\0"


def test_terminal_control_characters_are_escaped():
    assert printable(HOSTILE).isprintable() and printable(HOSTILE).isascii()
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"
    assert printable("caf\u00e9 \u65e5\u672c") == "caf\u00e9 \u65e5\u672c"


def test_text_in_a_message_is_one_line_of_limited_length():
    assert (
        one_line(f"  a\n b{HOSTILE}").startswith("a b\\x1b[2J")
        and one_line(HOSTILE.encode("utf-8", "replace")).isprintable()
    )
    assert len(one_line("x" * 10_000_000)) == 1000 and len(one_line(b"\x1b" * 10_000_000, 100)) == 100


@pytest.mark.parametrize(("said", "missing"), [
    (b"/bin/sh: 1: /usr/bin/python3: not found\n", b"/usr/bin/python3"),
    (b"bash: line 1: /opt/python3.13: No such file or directory", b"/opt/python3.13"),
    (b"x" * 10_000_000 + b" /usr/bin/python3: not found", b"/usr/bin/python3"),
    (b"/bin/sh: 1: perl: not found", None), (b"", None),
], ids=["dash", "bash", "long", "perl", "empty"])  # fmt: skip
def test_missing_python_is_found_in_what_a_shell_says(said, missing):
    assert find_missing_python(said) == missing


def test_search_for_a_missing_python_costs_little_whatever_processes_inside_write():
    """In a child, since one regular expression is not interrupted."""
    code = f"import sys; sys.path.insert(0, {os.path.dirname(inspect.getfile(find_missing_python))!r})\n"
    code += "from missing_python import find_missing_python as find\n"
    code += "assert find(b'x' * 10_000_000) is find(b'python' * 2_000_000) is find(b'python3.' * 1_000_000) is None"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_status_table_is_escaped():
    one = {"name": f"web{HOSTILE}", "state": f"running\n{HOSTILE}", "image": HOSTILE, "addresses": [HOSTILE]}
    networks = [{"container": one["name"], "drift": [HOSTILE], "peers": [{"peer": HOSTILE}]}]
    assert all(line.isprintable() for line in status_table([one], networks))


def test_diffs_and_errors_of_modules_are_escaped():
    diff = [{"before": f"a\n{HOSTILE}", "after_header": HOSTILE, "after": {"name": HOSTILE}}]
    (told,) = run.escape_diff(diff)
    assert told["before"].startswith("a\n\\x1b") and told["after_header"].isprintable()
    assert run.escape_text(f"file {HOSTILE}").isprintable()


@pytest.mark.parametrize("data", [
    b"9" + bytes(4), b"1" + b"\xff" * 4, b"1" + (1 << 21).to_bytes(4, "big"), b"." + (1 << 15).to_bytes(4, "big"),
    b"HTTP/1.1 400 Bad Request",
], ids=repr)  # fmt: skip
def test_invalid_frames_are_errors(data):
    with pytest.raises(OSError, match="invalid answer from the agent"):
        stream.ReceivedFrames().add(data)


@pytest.mark.parametrize("end", ["", "x", "-1", "1e3", "\u0661", "1234", " 1"])
def test_invalid_status_is_an_error(end):
    received = stream.ReceivedFrames()
    received.add(b"." + len(end.encode()).to_bytes(4, "big") + end.encode())
    with pytest.raises(stream.ConnectionLost, match="invalid answer from the agent"):
        received.outcome()


@pytest.mark.parametrize("told", [
    b"", b"secret /run/conductor/admitted/ab-1", b"0" * 64 + b" /run/conductor/admitted/../x-1",
    b"0" * 64 + b" /etc/passwd", b"0" * 64 + b" /run/conductor/admitted/ab-1:22",
    b"0" * 63 + b" /run/conductor/admitted/ab-1",
    b"0" * 64 + b" /run/conductor/admitted/ab-1 -oProxyCommand=x",
])  # fmt: skip
def test_invalid_secret_or_socket_is_refused(told):
    assert parse_admission(told) is None
    good = b"0" * 64 + b" /run/conductor/admitted/ab-1"
    admitted = ("0" * 64, "/run/conductor/admitted/ab-1")
    assert parse_admission(b"welcome, 7\n" + good) == parse_admission(good + b"\n") == admitted


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (_errors.InvalidInput("memory 'x' is not a size"), "web: memory 'x' is not a size"),
        (_errors.InvalidInput("container web: no"), "container web: no"),
        (_errors.InvalidInput("web-2 is taken"), "web: web-2 is taken"),
        (_errors.Damaged("/etc/conductor/conductor.json is damaged"), "/etc/conductor/conductor.json is damaged"),
    ],
)
def test_error_of_a_task_names_its_container(error, message):
    _errors.name_in_message(error, "web")
    assert error.message == message
    for invalid in (["a", "list"], "", "new line\n", "a/b", None):
        _errors.name_in_message(error, invalid)
    assert error.message == message
