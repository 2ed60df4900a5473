# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images and containers, which are valid in paths, host names and messages."""

from __future__ import annotations

import re

from .._errors import InvalidInput

# Labels of the containers of a stack: its name, and the key of the entry that describes the container.
STACK_LABEL, SERVICE_LABEL = "conductor.stack", "conductor.service"
# 63 is the limit of one DNS label (RFC 1035, 2.3.4), and a container's name is its default host name.
_NAME = re.compile(r"[a-z0-9A-Z](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")


def parse_name(value: object, option: str) -> str:
    """Return `value` as a name of an image or container. Raises InvalidInput, which names the `option`."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value:
        raise InvalidInput(
            f"{option} {value!r} is not a valid name",
            "use 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends and no '..'",
        )
    return value
