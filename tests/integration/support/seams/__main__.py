"""Program of the test build: python -m seams SEAMS(JSON), then one of:

module NAME | agent SOCKET | command ARGUMENT... | python CODE
"""

import importlib
import json
import runpy
import sys

from seams import OURS, install


def main(uses: str, what: str, *arguments: str) -> None:
    """Install the seams, and be a module of Ansible, start an agent at a socket, be the host command, or run code."""
    install(json.loads(uses))
    if what == "module":
        name = f"{OURS.replace('module_utils.', 'modules.')}{arguments[0]}"
        # No file with parameters: they come on standard input.
        sys.argv[1:] = []
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    elif what == "agent":
        importlib.import_module(f"{OURS}_agent.daemon").start_agent(arguments[0])
    elif what == "python":
        exec(compile(arguments[0], "<test>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = ["conductor", *arguments]
        importlib.import_module(f"{OURS}_cli.main").main()


if __name__ == "__main__":
    main(*sys.argv[1:])
