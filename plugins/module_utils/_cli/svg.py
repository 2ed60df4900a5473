# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A graph as an image, made by Graphviz."""

from __future__ import annotations

from .._errors import HostNotCapable
from .._kernel.run_program import find_program, run

# Seconds.
_LONGEST = 120


def render_svg(graph: str) -> str:
    """Return `graph`, in the language of Graphviz, as an SVG document (dot(1)).

    Raises HostNotCapable if Graphviz is not installed, EffectFailed if it fails.
    """
    program = find_program("dot")
    if program is None:
        raise HostNotCapable(
            "the program dot is missing", "run apt-get install graphviz, or choose --format mermaid or dot"
        )
    return run([program, "-Tsvg"], stdin=graph.encode(errors="replace"), timeout=_LONGEST).decode().rstrip("\n")
