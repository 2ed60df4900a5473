"""No descriptor is inherited by an executed program.

Descriptors of Python are close-on-exec by default (PEP 446), and no code changes that. System calls by ctypes set the
flag for it.
"""

import ast
import os
from pathlib import Path

from ansible_collections.conductor.containers.plugins.module_utils._kernel import syscalls as libc

PLUGINS = Path(__file__).parents[3] / "plugins"


def calls(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


def test_no_descriptor_is_made_inheritable():
    for path in PLUGINS.rglob("*.py"):
        for name, call in calls(path):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert "pass_fds" not in given and given.get("close_fds", "True") == "True", path
            assert given.get("inheritable", "False") == "False", path
            if name == "set_inheritable":
                assert ast.unparse(call.args[1]) == "False", path


def test_descriptors_of_calls_by_ctypes_are_close_on_exec(tmp_path):
    root = os.open(tmp_path, os.O_RDONLY)
    opened = libc.openat2(root, ".", os.O_PATH, libc.RESOLVE_BENEATH)
    try:
        assert not os.get_inheritable(opened)
    finally:
        os.close(opened)
        os.close(root)
