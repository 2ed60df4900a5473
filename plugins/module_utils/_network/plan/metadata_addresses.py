# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of cloud metadata services, which describe a machine and return its credentials.

They need no password, since only the machine's own link leads there. A container that reaches them from the host's
address would be taken for the host.
"""

from __future__ import annotations

# RFC 3927, section 7: routers never forward these addresses. Nearly all metadata services use one of them.
LINK_LOCAL4 = {"prefix": {"addr": "169.254.0.0", "len": 16}}

METADATA4: tuple[str, ...] = (
    "169.254.169.254",  # nearly all clouds
    "169.254.42.42",  # Scaleway
    "169.254.170.2",  # credentials of Amazon's container service
    "169.254.170.23",  # credentials of Amazon's Kubernetes service
    "168.63.129.16",  # Azure's agents
    "100.100.100.200",  # Alibaba
)
METADATA6: tuple[str, ...] = (
    "fd00:ec2::254",  # Amazon
    "fd00:ec2::23",  # credentials of Amazon's Kubernetes service
    "fd20:ce::254",  # Google
    "fd00:c1::a9fe:a9fe",  # Oracle
    "fd00:42::42",  # Scaleway
    "fd00:a9fe:a9fe::1",  # Linode
)
