# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that name the container that they are about."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from .._errors import ConductorError, EffectFailed


@contextlib.contextmanager
def about_container(name: str) -> Iterator[None]:
    """Turn errors of the block into ConductorError, each with the name of the container in its message."""
    try:
        yield
    except ConductorError as error:
        # The same object is raised again, so that its other attributes, like `is_pending`, are kept.
        if not re.search(rf"\b{re.escape(name)}\b", error.message):
            error.message = f"container {name}: {error.message}"
        raise
    except OSError as error:
        path = f" ({error.filename})" if error.filename else ""
        raise EffectFailed(f"container {name}: {error.strerror or error}{path}") from error
