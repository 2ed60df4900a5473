#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_copy
short_description: Copy files and directories into a container, or out of it
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Copies a file, or a directory with all below it, into a container, or out of it onto its managed host. The container
    may run, or be stopped.
  - In a container that runs, files are where those inside see them, also in what is mounted there. In one that is
    stopped nothing is mounted, so that it is the container's own root that is meant.
  - Each file is written whole or not at all, under another name that is then renamed. A link there is replaced and not
    followed, and no link on the way leads out of the container.
  - Links in a directory are copied as links. Below a directory that is copied no link is followed, on neither side.
  - Nothing is deleted. What else is in a directory at O(dest) stays, and a directory that is there keeps its owner and
    mode.
  - What is no file, directory or link, as a socket or a device, is an error before anything is copied.
  - For more than files, use other modules with the connection plugin of this collection, in a container that runs.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of the container.
    type: str
    required: true
  direction:
    description: Whether it goes into the container or out of it.
    type: str
    choices: [in, out]
    default: in
  src:
    description:
      - The file or directory to copy. With C(/) at its end it is what is in a directory, without the directory itself.
      - With O(direction=in) it is on the controller; a relative path is looked for as by M(ansible.builtin.copy).
      - With O(direction=in) and O(remote_src=true) it is on the managed host, an absolute path.
      - With O(direction=out) an absolute path inside.
    type: str
  content:
    description: What the file shall have in it, instead of O(src), with O(direction=in).
    type: str
  remote_src:
    description: Whether O(src) is on the managed host already. It has no meaning with O(direction=out).
    type: bool
    default: false
  dest:
    description:
      - Where it goes, an absolute path; inside with O(direction=in), on the managed host with O(direction=out).
      - Where it ends with C(/), a file goes into that directory, under its own name.
      - A directory always goes into O(dest), under its own name. Where O(src) ends with C(/) it becomes O(dest), which
        is made where it is missing.
      - The directory that it goes into must exist.
    type: str
    required: true
  owner:
    description:
      - Whose the file is, and all that is made where a directory is copied; a name or a number, by the container's own
        C(/etc/passwd) with O(direction=in).
      - Default is V(root) inside. With O(direction=out) it is who has the file there already, else V(root).
    type: str
  group:
    description:
      - The group of the file, and of all that is made where a directory is copied; a name or a number, by the
        container's own C(/etc/group) with O(direction=in).
      - Default is V(root) inside. With O(direction=out) it is the group of the file there already, else V(root).
    type: str
  mode:
    description:
      - Permission bits of files, an octal number in quotes.
      - Default is V(0644) for O(content), else those of O(src), or of each file in it, without setuid and the like.
      - With O(direction=out) the default is that of the file there already, without setuid and the like, else V(0600).
        It is never taken from inside.
    type: raw
  directory_mode:
    description:
      - Permission bits of directories that are made, an octal number in quotes. Those that are there keep theirs.
      - Default is those of each directory in O(src), without setgid and the like. With O(direction=out) it is V(0700).
    type: raw
notes:
  - A file whose owner, group or mode differs is written anew, too.
  - In diff mode the result has the text of both files in it, up to 104448 bytes; of the files of a directory those that
    come first. Where that is secret, say C(no_log).
  - A link that came out of a container may lead anywhere on the managed host. Below a directory that it copies this
    module does not follow it; others may.
  - A directory of the controller is packed on its way, and unpacked by C(tar) on the managed host. A directory of more
    than 262143 files is refused.
seealso:
  - module: conductor.containers.conductor_container
  - module: conductor.containers.conductor_exec
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: A file of the controller
  conductor.containers.conductor_copy:
    container: web
    src: nginx.conf
    dest: /etc/nginx/

- name: What is in the directory site of the controller
  conductor.containers.conductor_copy:
    container: web
    src: site/
    dest: /var/www/html
    owner: www-data
    directory_mode: "0755"

- name: A text, for a user of the container
  conductor.containers.conductor_copy:
    container: web
    content: "{{ token }}\n"
    dest: /etc/token
    owner: www-data
    mode: "0400"
  no_log: true

- name: A file that is on the managed host already
  conductor.containers.conductor_copy:
    container: web
    src: /srv/shared/logo.png
    remote_src: true
    dest: /var/www/html/logo.png

- name: What a container has made, also when it is stopped
  conductor.containers.conductor_copy:
    container: db
    direction: out
    src: /var/lib/db/dump.sql
    dest: /srv/backups/

- name: The directory /srv/backups/conf, with all that is in the container's /etc/db/conf
  conductor.containers.conductor_copy:
    container: db
    direction: out
    src: /etc/db/conf
    dest: /srv/backups
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done. A directory is one action, which counts what is made.
  returned: success
  type: list
  elements: str
  sample: ["copy /srv/shared/logo.png to web:/var/www/html/logo.png"]
container:
  description: Name of the container.
  returned: success
  type: str
src:
  description: The file or directory that was copied. Null with O(content).
  returned: success
  type: str
target:
  description: Where it is now, with its own name where O(dest) is the directory that it is in.
  returned: success
  type: str
size:
  description: Bytes of the file, or of all files in the directory.
  returned: success
  type: int
checksum:
  description: SHA-256 of the file. Null in check mode where sizes alone tell a difference.
  returned: success, for a file
  type: str
mode:
  description: Permission bits of the target.
  returned: success, for a file
  type: str
  sample: "0644"
uid:
  description: Owner of the target, as its side has it.
  returned: success, for a file
  type: int
gid:
  description: Group of the target, as its side has it.
  returned: success, for a file
  type: int
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
            "container": {"type": "str", "required": True},
            "direction": {"type": "str", "choices": ["in", "out"], "default": "in"},
            "src": {"type": "str"},
            # Not for the host's log. The action plugin makes a file of it, so that the result's text is not masked.
            "content": {"type": "str", "no_log": True},
            # For the action plugin: what arrives here is a path of the managed host.
            "remote_src": {"type": "bool", "default": False},
            "dest": {"type": "str", "required": True},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "raw"},
            "directory_mode": {"type": "raw"},
        },
        "_container.copy.use_case:CopyCase",
        mutually_exclusive=[("src", "content")],
    )


if __name__ == "__main__":
    main()
