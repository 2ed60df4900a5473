# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the host. Precedence: option of the module, /etc/conductor/conductor.json, default."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from .._errors import Damaged, InvalidInput
from .._kernel.path_text import resolve
from . import paths
from .json_files import read_object
from .typed_values import find_problem, nullable, number, text

_CHOICES = {"forwarding": ("enable", "require"), "firewall": ("report", "accept")}


@dataclass(frozen=True)
class Settings:
    """Directories on this host, the timeout for locks (seconds), and the integration of container networks."""

    image_dir: str = paths.IMAGE_DIR
    container_dir: str = paths.CONTAINER_DIR
    lock_timeout: float = 60.0
    uplink: str | None = None
    pool4: str = "10.87.0.0/16"
    pool6: str = "fd87:c04d:c70::/64"
    forwarding: str = "enable"
    firewall: str = "report"

    @classmethod
    def load(cls, params: dict[str, Any], config_file: str = paths.CONFIG_FILE) -> Settings:
        """Return the settings of this host, overridden by the module's `params`. Raises InvalidInput, Damaged."""
        names = [field.name for field in fields(cls)]
        values = _read_config(config_file, names)
        values.update({name: params[name] for name in names if params.get(name) is not None})
        settings = cls(**values)
        for name in ("image_dir", "container_dir"):
            if not paths.is_absolute(getattr(settings, name)):
                raise InvalidInput(f"{name} {getattr(settings, name)!r} is not an absolute path")
        # The kernel reports mount points by their resolved paths.
        settings = replace(
            settings, image_dir=resolve(settings.image_dir), container_dir=resolve(settings.container_dir)
        )
        for name, choices in _CHOICES.items():
            if getattr(settings, name) not in choices:
                raise InvalidInput(
                    f"{name} {getattr(settings, name)!r} is not one of {', '.join(choices)}", f"correct {config_file}"
                )
        return settings


_KINDS = {**dict.fromkeys((field.name for field in fields(Settings)), text), "lock_timeout": number(0, 1e6)}
_KINDS["uplink"] = nullable(text)


def _read_config(path: str, known: list[str]) -> dict[str, Any]:
    remedy = "correct it, or run role conductor.containers.host"
    values = read_object(path, remedy)
    if values is None:
        return {}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise Damaged(f"{path} has unknown settings: {', '.join(unknown)}", f"use only {', '.join(known)}")
    problem = find_problem(values, _KINDS)
    if problem:
        raise Damaged(f"{path} is damaged ({problem})", remedy)
    return values
