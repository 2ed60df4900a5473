"""Errors of a process that is about to execute a command, which reach the module through a pipe."""

import errno
import os
import select
import subprocess
import sys

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.error_line import error_line
from ansible_collections.conductor.containers.plugins.module_utils._errors import EffectFailed


@pytest.mark.parametrize("name", ["x" * 200_000, "\U0001f600" * 5000, "\n" * 5000])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: EffectFailed(f"{name}: File name too long", "give a program"),
        lambda name: OSError(errno.ENOENT, "No such file", name),
        ValueError,
    ],
)
def test_an_error_of_any_length_is_one_line_that_a_pipe_takes_at_once(make, name):
    line = error_line(make(name))
    assert 0 < len(line) <= select.PIPE_BUF and b"\n" not in line
    line.decode()


def test_the_remedy_of_a_long_error_is_kept():
    line = error_line(EffectFailed(f"{'x' * 200_000}: File name too long", "give a program")).decode()
    assert line.startswith("xxx") and line.endswith("xxx: File name too long. Give a program.")


def test_nothing_is_imported_for_an_error():
    """The process has entered the container: a module would be a file of the container."""
    code = f"""
import sys
from {error_line.__module__} import error_line
from {EffectFailed.__module__} import EffectFailed
class Refuse:
    def find_spec(self, name, path=None, target=None):
        raise SystemExit(f"{{name}} is imported")
sys.meta_path[:] = [Refuse()]
for text in "\\n \\x1b \\x9b \\u202e \\udcff \\U000e0001 \\u00e4".split(" "):
    for error in (EffectFailed(text), OSError(2, "No such file", text), OSError(2, "No", b"\\xff"), ValueError(text)):
        error_line(error)
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_a_short_error_is_unchanged():
    assert error_line(EffectFailed("/no/\u00e4: No such file", "give a program")).decode() == (
        "/no/\u00e4: No such file. Give a program."
    )
    assert error_line(OSError(errno.ENOENT, "No such file", "a\nb")) == b"No such file (a\\nb)"
