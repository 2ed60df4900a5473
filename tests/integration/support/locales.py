"""Locales in which Python's encoding of paths is not UTF-8, and modules that run in one."""

import json
import subprocess

from testhost import PYTHON, module_environment

# Python of its own accord uses UTF-8 in the locale C.
PLAIN_C = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
_SOURCE = "comment_char %\nescape_char /\nLC_CTYPE\nupper <U0041>..<U005A>\nlower <U0061>..<U007A>\nEND LC_CTYPE\n"


def latin_1(directory):
    """Variables that select a locale with ISO-8859-1, which is built in `directory`."""
    characters = "".join(f"<U{code:04X}> /x{code:02x} a character\n" for code in range(256))
    text = "<code_set_name> ISO-8859-1\n<escape_char> /\n<comment_char> %\n<mb_cur_max> 1\n"
    (directory / "charmap").write_text(f"{text}CHARMAP\n{characters}END CHARMAP\n")
    (directory / "source").write_text(_SOURCE)
    # It warns of the categories that the source does not have.
    build = ["localedef", "--no-archive", "--force", "--inputfile=source", "--charmap=charmap", "./latin-1"]
    subprocess.run(build, cwd=directory, capture_output=True, check=False)
    return {"LC_ALL": "latin-1", "LOCPATH": str(directory), "PYTHONUTF8": "0"}


def run_in(host, locale, module, **params):
    """Run a module in a locale; return the process that has ended."""
    run = [PYTHON, "-m", f"ansible_collections.conductor.containers.plugins.modules.{module}"]
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": params})
    return host.run(*run, stdin=arguments, env={**module_environment(), **locale}, check=False)


def module_in(host, locale, module, **params):
    """Return the result of a module that runs in a locale. Raises AssertionError if it fails."""
    done = run_in(host, locale, module, **params)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
