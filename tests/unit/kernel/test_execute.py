"""Search for a program in PATH and execute it in a child, with the errors of execvp(3)."""

import errno
import os

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._kernel.execute import execute


def run(argv, **environment):
    """Return the output of the program, or number and text of the OSError."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(writer, 1)
            execute(argv, environment)
        except OSError as error:
            os.write(writer, f"{error.errno} {error.strerror}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as pipe:
        return pipe.read().decode()


@pytest.fixture
def tree(tmp_path):
    """Directories a and b: b has a program; a has files that are not executable or lack an interpreter."""
    for name, text, mode in (
        ("b/tool", "#!/bin/sh\necho from b", 0o755),
        ("a/tool", "no program", 0o644),
        ("a/lost", "#!/no/such/interpreter", 0o755),
        ("a/plain", "text", 0o644),
        ("a/text", "text", 0o755),
        ("b/\N{LATIN SMALL LETTER E WITH ACUTE}", "#!/bin/sh\necho accent", 0o755),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    return tmp_path


def test_search_skips_directories_without_an_executable_file(tree):
    assert run(["tool"], PATH=f"/no/such:{tree}/a/plain:{tree}/a:{tree}/b") == "from b\n"


def test_a_missing_program_is_enoent(tree):
    assert run(["none"], PATH=f"{tree}/a:{tree}/b") == f"{errno.ENOENT} No such file or directory"
    assert run(["none"]) == f"{errno.ENOENT} No such file or directory"


def test_eacces_takes_precedence_over_enoent(tree):
    assert run(["plain"], PATH=f"{tree}/a:{tree}/b") == f"{errno.EACCES} Permission denied"


def test_missing_interpreter_is_reported(tree):
    by_path = run([f"{tree}/a/lost"])
    assert by_path.startswith(f"{errno.ENOENT} the interpreter")
    assert run(["lost"], PATH=f"{tree}/a:{tree}/b") == by_path


def test_invalid_executable_ends_the_search(tree):
    assert run(["text"], PATH=f"{tree}/a:{tree}/b") == f"{errno.ENOEXEC} Exec format error"


def test_name_is_utf_8_and_an_empty_directory_is_the_current_one(tree, monkeypatch):
    monkeypatch.chdir(tree / "b")
    assert run(["\N{LATIN SMALL LETTER E WITH ACUTE}"], PATH="") == "accent\n"
