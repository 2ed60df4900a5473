# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that a controller has on a managed host, to enter its containers and to list them."""

from __future__ import annotations

import sys


def main() -> None:
    """usage: entry-HASH.pyz serve SOCKET | list"""
    verb, *arguments = sys.argv[1:]
    if verb == "serve":
        from .daemon import start

        start(*arguments)
    else:
        from .list_containers import show

        show()
