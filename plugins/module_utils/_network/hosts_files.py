# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content of the files in a container that name hosts and name servers. Changes nothing."""

from __future__ import annotations

from .._engine.settings import Settings
from .stages import has_network


def inside_files(settings: Settings, name: str, hostname: str, root_fd: int) -> dict[str, bytes]:
    """Return the content of /etc/hosts for container `name`, and of /etc/resolv.conf if its network manages that file.

    `root_fd` is the container's root directory.
    """
    from .._kernel.files.within_root import read_files
    from .plan import hosts_files as plan

    if not has_network(settings, name):
        return plan.inside_files(None, name, hostname, read_files(root_fd, [plan.HOSTS], problems={}))
    # It costs more than the rest of a start without a network.
    from .observe import observe_specs

    view = observe_specs(settings, [name])
    own = view.containers.get(name)
    if own and own.spec and own.spec.peers:
        view = observe_specs(settings, [name, *(entry.peer for entry in own.spec.peers)])
    # A file that cannot be read cannot be written either; the write reports it.
    present = read_files(root_fd, [plan.HOSTS, plan.RESOLV], problems={})
    return plan.inside_files(view, name, hostname, present)
