# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths on a managed host."""

from __future__ import annotations

import os
from dataclasses import dataclass

# Cleared by a reboot, after which pids, locks and sockets are invalid anyway.
RUN_DIR = "/run/conductor"
LOCK_DIR = "/run/conductor/locks"
# Sockets for users without root, which need access to this directory.
ADMITTED_DIR = "/run/conductor/admitted"
NETNS_DIR = "/run/netns"
# ip-netns(8) uses the same directory; the prefix prevents clashes with names of other programs.
NETNS_PREFIX = "conductor-"

IMAGE_DIR = "/var/lib/conductor/images"
CONTAINER_DIR = "/var/lib/conductor/containers"
LIBRARY_DIR = "/var/lib/conductor/lib"
# Cgroups of the processes that outlive a module. No container's name begins with a dot.
SUPERVISOR_CGROUP = "conductor/.supervisor"
AGENTS_CGROUP = "conductor/.entry"
# Role host installs one of these: the service, or the init script of a host without systemd.
BOOT_SERVICES = ("/etc/systemd/system/conductor.service", "/etc/init.d/conductor")
CONFIG_FILE = "/etc/conductor/conductor.json"

# Entries of image_dir and container_dir that begin with a dot are incomplete, while they are created or deleted.
STAGING_PREFIX = "."
# Prefix of containers in which commands of images run, never used by a user's container. Their ids, addresses, links
# and firewall elements are in use.
BUILD_PREFIX = ".build-"


def owner_of(path: str) -> str:
    """Return the name of the container or image whose state file `path` is: that of the file's directory."""
    return path.rpartition("/")[0].rpartition("/")[2]


def is_absolute(path: str) -> bool:
    """Return whether `path` begins with / and has no NUL, for which Python raises ValueError."""
    return path.startswith("/") and "\0" not in path


@dataclass(frozen=True)
class ImagePaths:
    """The files of one image."""

    directory: str

    @classmethod
    def of(cls, image_dir: str, name: str) -> ImagePaths:
        return cls(os.path.join(image_dir, name))

    @property
    def spec(self) -> str:
        return os.path.join(self.directory, "image.json")

    @property
    def rootfs(self) -> str:
        """The root file system; of an image with a base image, only the changes."""
        return os.path.join(self.directory, "rootfs")

    @property
    def work(self) -> str:
        """The work directory of overlayfs while the image is built."""
        return os.path.join(self.directory, "work")


@dataclass(frozen=True)
class ContainerPaths:
    """The files of one container; `name` also names its run state and network namespace."""

    directory: str
    name: str

    @classmethod
    def of(cls, container_dir: str, name: str) -> ContainerPaths:
        return cls(os.path.join(container_dir, name), name)

    @property
    def spec(self) -> str:
        return os.path.join(self.directory, "container.json")

    @property
    def network(self) -> str:
        return os.path.join(self.directory, "network.json")

    @property
    def exit(self) -> str:
        return os.path.join(self.directory, "exit.json")

    @property
    def upper(self) -> str:
        return os.path.join(self.directory, "upper")

    @property
    def work(self) -> str:
        return os.path.join(self.directory, "work")

    @property
    def lower(self) -> str:
        return os.path.join(self.directory, "lower")

    @property
    def rootfs(self) -> str:
        return os.path.join(self.directory, "rootfs")

    @property
    def log(self) -> str:
        return os.path.join(self.directory, "console.log")

    @property
    def log_times(self) -> str:
        """Sizes of the log, each with its time."""
        return os.path.join(self.directory, "console.times")

    @property
    def hostname(self) -> str:
        """The host name that the last start wrote inside, of a machine."""
        return os.path.join(self.directory, "hostname")

    @property
    def run_state(self) -> str:
        return os.path.join(RUN_DIR, "containers", f"{self.name}.json")

    @property
    def netns(self) -> str:
        return os.path.join(NETNS_DIR, NETNS_PREFIX + self.name)
