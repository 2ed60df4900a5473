# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main program of a bundle: commands for processes that outlive a module, and for requests of a controller."""

from __future__ import annotations

import sys


def main() -> None:
    """usage: BUNDLE supervise | serve SOCKET | list | install HASH

    `install` is for a bundle in a zip file.
    """
    # Each verb imports only what it needs, as the supervisor stays in memory as long as a container runs.
    verb, *arguments = sys.argv[1:]
    if verb == "supervise":
        from .._container.supervisor.supervise import supervise

        supervise()
    elif verb == "serve":
        from .daemon import start_agent

        start_agent(*arguments)
    elif verb == "list":
        from .list_containers import print_containers

        print_containers()
    elif verb == "install":
        from .._engine.bundle import install
        from .._errors import LockTimeout

        try:
            install(arguments[0], sys.argv[0])
        except (LockTimeout, OSError, ValueError) as error:
            sys.exit(f"conductor: cannot install the bundle: {error}")
    else:
        sys.exit(f"unknown verb {verb!r}")
