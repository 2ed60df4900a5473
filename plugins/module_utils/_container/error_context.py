# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that say which container they are about."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from .._errors import ConductorError, EffectFailed


@contextlib.contextmanager
def about_container(name: str) -> Iterator[None]:
    """Have each error of the block be a ConductorError that names the container that it is about."""
    try:
        yield
    except ConductorError as error:
        # The same error goes on: what else it carries, like `may_come`, must not be lost.
        if not re.search(rf"\b{re.escape(name)}\b", error.message):
            error.message = f"container {name}: {error.message}"
        raise
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise EffectFailed(f"container {name}: {error.strerror or error}{where}") from error
