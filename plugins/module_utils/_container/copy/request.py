# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_copy as users write them. use_case.py parses them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine.option import Option

MODULE_OPTIONS: Mapping[str, Option] = {
    "container": Option("str", ("Name of the container.",), required=True),
    "direction": Option(
        "str",
        ("Whether to copy into the container, V(in), or out of it, V(out).",),
        choices=("in", "out"),
        default="in",
    ),
    "src": Option(
        "str",
        (
            "File or directory to copy. A trailing C(/) means the content of a directory, without the "
            "directory itself.",
            "With O(direction=in), a path on the controller. A relative path is searched for as by "
            "M(ansible.builtin.copy).",
            "With O(direction=in) and O(remote_src=true), an absolute path on the managed host.",
            "With O(direction=out), an absolute path inside.",
        ),
    ),
    # Kept out of the host's log. The action plugin writes it to a file, so that the result is not masked.
    "content": Option(
        "str",
        (
            "Content of the file. Requires O(direction=in).",
            "Mutually exclusive with O(src).",
        ),
        no_log=True,
    ),
    # For the action plugin, which passes a path of the managed host as src.
    "remote_src": Option(
        "bool",
        ("Whether O(src) is on the managed host instead of the controller. Ignored with O(direction=out).",),
        default=False,
    ),
    "dest": Option(
        "str",
        (
            "Absolute path of the target, inside with O(direction=in), on the managed host with O(direction=out).",
            "If it ends with C(/), a file is copied into that directory, under its own name.",
            "A directory is always copied into O(dest), under its own name. If O(src) ends with C(/), its "
            "content is copied into O(dest), which is created if it is missing.",
            "The parent directory of the target must exist.",
        ),
        required=True,
    ),
    "owner": Option(
        "str",
        (
            "Owner of the copied files and directories, a name or a number. With O(direction=in) a name is "
            "looked up in the container's C(/etc/passwd).",
            "Defaults to V(root) inside. With O(direction=out), defaults to the owner of an existing file, "
            "else V(root).",
        ),
    ),
    "group": Option(
        "str",
        (
            "Group of the copied files and directories, a name or a number. With O(direction=in) a name is "
            "looked up in the container's C(/etc/group).",
            "Defaults to V(root) inside. With O(direction=out), defaults to the group of an existing file, "
            "else V(root).",
        ),
    ),
    "mode": Option(
        "raw",
        (
            "Permission bits of files, an octal number in quotes.",
            "Defaults to V(0644) for O(content), else to the mode of O(src), or of each file in it, without "
            "the setuid, setgid and sticky bits.",
            "With O(direction=out), defaults to the mode of an existing file, without these bits, else "
            "V(0600). The mode of a file inside is never used.",
        ),
    ),
    "directory_mode": Option(
        "raw",
        (
            "Permission bits of created directories, an octal number in quotes. Existing directories keep theirs.",
            "Defaults to the mode of each directory in O(src), without the setuid, setgid and sticky bits. "
            "With O(direction=out), defaults to V(0700).",
        ),
    ),
}
