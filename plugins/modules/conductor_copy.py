#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_copy
short_description: Copy files and directories into or out of a container
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Copies a file or a directory tree into a container, or out of it to the managed host. The container can be running
    or stopped.
  - In a running container, paths are those that its processes see, including mounts. In a stopped container nothing is
    mounted, so that paths are those of its root file system.
  - Each file is written atomically, to a temporary file that is then renamed. A symlink at the target is replaced, not
    followed. Symlinks in a path inside do not lead out of the container.
  - Symlinks in a directory are copied as symlinks. Within a copied directory, symlinks are not followed on either side.
  - No file is deleted. Other files in a directory at O(dest) are kept, and a directory that exists keeps its owner and
    mode.
  - If the source contains anything but files, directories and symlinks, for instance a socket or a device, the task
    fails before it copies anything.
  - For tasks beyond copying, use other modules with the connection plugin of this collection in a running container.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of the container.
    type: str
    required: true
  direction:
    description: Whether to copy into the container, V(in), or out of it, V(out).
    type: str
    default: in
    choices:
      - in
      - out
  src:
    description:
      - File or directory to copy. A trailing C(/) means the content of a directory, without the
        directory itself.
      - With O(direction=in), a path on the controller. A relative path is searched for as by M(ansible.builtin.copy).
      - With O(direction=in) and O(remote_src=true), an absolute path on the managed host.
      - With O(direction=out), an absolute path inside.
    type: str
  content:
    description:
      - Content of the file. Requires O(direction=in).
      - Mutually exclusive with O(src).
    type: str
  remote_src:
    description: Whether O(src) is on the managed host instead of the controller. Ignored with O(direction=out).
    type: bool
    default: false
  dest:
    description:
      - Absolute path of the target, inside with O(direction=in), on the managed host with O(direction=out).
      - If it ends with C(/), a file is copied into that directory, under its own name.
      - A directory is always copied into O(dest), under its own name. If O(src) ends with C(/),
        its content is copied into O(dest), which is created if it is missing.
      - The parent directory of the target must exist.
    type: str
    required: true
  owner:
    description:
      - Owner of the copied files and directories, a name or a number. With O(direction=in) a name
        is looked up in the container's C(/etc/passwd).
      - Defaults to V(root) inside. With O(direction=out), defaults to the owner of an existing
        file, else V(root).
    type: str
  group:
    description:
      - Group of the copied files and directories, a name or a number. With O(direction=in) a name
        is looked up in the container's C(/etc/group).
      - Defaults to V(root) inside. With O(direction=out), defaults to the group of an existing
        file, else V(root).
    type: str
  mode:
    description:
      - Permission bits of files, an octal number in quotes.
      - Defaults to V(0644) for O(content), else to the mode of O(src), or of each file in it, without
        the setuid, setgid and sticky bits.
      - With O(direction=out), defaults to the mode of an existing file, without these bits, else
        V(0600). The mode of a file inside is never used.
    type: raw
  directory_mode:
    description:
      - Permission bits of created directories, an octal number in quotes. Existing directories
        keep theirs.
      - Defaults to the mode of each directory in O(src), without the setuid, setgid and sticky
        bits. With O(direction=out), defaults to V(0700).
    type: raw
notes:
  - A file whose owner, group or mode differs is written anew, too.
  - In diff mode the result contains the text of both files, up to 104448 bytes. For a directory, it contains the first
    files up to that size. If they are secret, set C(no_log).
  - A symlink that was copied out of a container can point anywhere on the managed host. This module does not follow it
    within a directory that it copies, but other programs may.
  - A directory on the controller is sent as an archive, which C(tar) unpacks on the managed host. A directory of more
    than 262143 files is refused.
seealso:
  - module: conductor.containers.conductor_container
  - module: conductor.containers.conductor_exec
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Copy a file of the controller
  conductor.containers.conductor_copy:
    container: web
    src: nginx.conf
    dest: /etc/nginx/

- name: Copy the content of the directory site on the controller
  conductor.containers.conductor_copy:
    container: web
    src: site/
    dest: /var/www/html
    owner: www-data
    directory_mode: "0755"

- name: Write a text to a file of a user of the container
  conductor.containers.conductor_copy:
    container: web
    content: "{{ token }}\n"
    dest: /etc/token
    owner: www-data
    mode: "0400"
  no_log: true

- name: Copy a file of the managed host
  conductor.containers.conductor_copy:
    container: web
    src: /srv/shared/logo.png
    remote_src: true
    dest: /var/www/html/logo.png

- name: Copy a file out of a running or stopped container
  conductor.containers.conductor_copy:
    container: db
    direction: out
    src: /var/lib/db/dump.sql
    dest: /srv/backups/

- name: Copy the container's directory /etc/db/conf to /srv/backups/conf
  conductor.containers.conductor_copy:
    container: db
    direction: out
    src: /etc/db/conf
    dest: /srv/backups
"""

RETURN = r"""
actions:
  description:
    - Actions that were done, or in check mode would be done.
    - The copy of a directory is one action, which counts the directories, files and symlinks that it writes.
  returned: success
  type: list
  elements: str
  sample: ["copy /srv/shared/logo.png to web:/var/www/html/logo.png"]
container:
  description: Name of the container.
  returned: success
  type: str
src:
  description: File or directory that was copied. Null with O(content).
  returned: success
  type: str
target:
  description: Path of the copy. It includes the name of the source if it was copied into the directory O(dest).
  returned: success
  type: str
size:
  description:
    - Size of the file, or of all files in the directory, in bytes.
    - Null in check mode if an earlier task of the play would create the source.
  returned: success
  type: int
checksum:
  description:
    - SHA-256 of the file.
    - Null in check mode if the sizes differ already, or if an earlier task of the play would create the container.
  returned: success, for a file
  type: str
mode:
  description: Permission bits of the target.
  returned: success, for a file
  type: str
  sample: "0644"
uid:
  description:
    - Numeric owner of the target, inside with O(direction=in), on the managed host with O(direction=out).
    - Null in check mode if an earlier task of the play would create the container.
  returned: success, for a file
  type: int
gid:
  description:
    - Numeric group of the target, inside with O(direction=in), on the managed host with O(direction=out).
    - Null in check mode if an earlier task of the play would create the container.
  returned: success, for a file
  type: int
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module

# Generated by script/generate, from module_utils/_container/copy/request.py.
ARGUMENT_SPEC = {
    "container": {"type": "str", "required": True},
    "direction": {"type": "str", "default": "in", "choices": ["in", "out"]},
    "src": {"type": "str"},
    "content": {"type": "str", "no_log": True},
    "remote_src": {"type": "bool", "default": False},
    "dest": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "directory_mode": {"type": "raw"},
}
# End of the generated part.


def main() -> None:
    run_module(
        ARGUMENT_SPEC,
        "_container.copy.use_case:CopyCase",
        mutually_exclusive=[("src", "content")],
    )


if __name__ == "__main__":
    main()
