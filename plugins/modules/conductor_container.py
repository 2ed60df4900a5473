#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_container
short_description: Create, start, stop and remove Debian system containers
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Runs containers from images of M(conductor.containers.conductor_image), each with its own UTS, PID, network, mount,
    IPC and cgroup namespaces, with no daemon.
  - An option that is not given keeps what the container has, or takes its default when the container is created.
  - Networks are the matter of M(conductor.containers.conductor_network). Without one a container has a loopback only.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  name:
    description: Name of the container, 1 to 63 letters, digits, C(-), C(_) and C(.).
    type: str
    required: true
  state:
    description:
      - V(present) creates the container, and leaves a container that exists running or stopped as it is.
      - V(started) also starts it. A container whose command has ended is started again, with its data.
      - V(stopped) stops it and keeps its data.
      - V(absent) stops it and deletes it with its data.
    type: str
    choices: [present, started, stopped, absent]
    default: started
  image:
    description: Name of the image. Required to create a container.
    type: str
  command:
    description:
      - The command and its arguments, which become the container's first process. It is never given to a shell.
      - Default is V(/bin/bash), which waits for input and so stays alive until the container is stopped.
    type: list
    elements: str
  init:
    description:
      - Boot the image's C(/sbin/init), systemd as a rule, as the first process. Excludes O(command). A Debian image has
        one with the packages C(systemd-sysv) and C(dbus).
      - The task fails with the last lines of the log if it ends within a second.
      - C(/run), C(/run/lock) and C(/tmp) are then of type tmpfs, and the container's cgroup is writable.
    type: bool
  env:
    description:
      - Environment variables of the command. Values must be strings; numbers are taken as written.
      - Values are shown neither in the log of the host, nor in the diff, nor in C(invocation). As with docker, they are
        part of RV(container), and whoever is root on the host can read them.
    type: dict
  working_dir:
    description: Directory inside in which the command starts. Default is V(/).
    type: str
  user:
    description:
      - User, by name or number, and optionally group, C(USER:GROUP), of the command. Default is V(root).
      - They are looked up in the container's own C(/etc/passwd) and C(/etc/group). Numbers must be in its range of ids,
        see O(userns).
    type: str
  hostname:
    description: Host name inside. Default is the container's name.
    type: str
  mounts:
    description: What is mounted into the container besides its root file system.
    type: list
    elements: dict
    suboptions:
      type:
        description: V(bind) shows a file or directory of the host, V(tmpfs) is an empty one in memory.
        type: str
        choices: [bind, tmpfs]
        default: bind
      source:
        description: The file or directory of the host, with no link on the way. Only for V(bind).
        type: str
      target:
        description:
          - Where it is mounted inside. It is made where it is missing. Links of the container's root on the way, as of
            a merged C(/usr), are followed within that root; links in another mount are refused.
        type: str
        required: true
      read_only:
        description: Whether the container may only read it.
        type: bool
        default: false
      idmap:
        description:
          - Whether ids inside stand for the same ids on the host, in this mount only. Only for V(bind).
          - Default is V(true).
          - With V(false) files of the host's users belong to C(nobody) inside, and what is written there belongs to
            the container's range of ids outside.
        type: bool
      size:
        description: How large a V(tmpfs) may grow, like V(64m). Half of the host's memory where it is not given.
        type: str
  userns:
    description:
      - Whose ids its users have on the host, see C(user_namespaces(7\)). Root inside is then nobody outside.
      - V(auto) gives it a range of 65536 ids of its own, from those of the user V(conductor) in C(/etc/subuid) and
        C(/etc/subgid) where that is there, else from 524288 up. The range is free again when the container is removed.
      - V(host) makes its users those of the host, and root inside root of the host, within its capabilities.
      - A dictionary with C(base) and C(size) (default 65536) says which range. No two containers have the same.
      - Default is V(auto). A change needs O(recreate).
    type: raw
  dev:
    description:
      - V(private) is a C(/dev) with the standard nodes only.
      - V(host) shows the host's C(/dev), all devices included. It takes much of the isolation away.
        Devices that are for the host's root only can be used with O(userns=host) only.
      - Default is V(private).
    type: str
    choices: [private, host]
  devices:
    description:
      - Devices of the host that the container may use, as V(/dev/NAME), V(/dev/NAME:/dev/INSIDE) or
        V(/dev/NAME:/dev/INSIDE:rwm), where C(r), C(w) and C(m) allow to read, write and make it.
      - They belong to root inside, with the mode that they have on the host. A link, like those below
        C(/dev/disk/by-id), is followed at each start.
      - Besides these the container can use the standard ones only, C(net/tun) among them, and its terminals. With
        O(dev=host) or O(privileged=true) it can use all.
      - Not with O(dev=host).
    type: list
    elements: str
  read_only:
    description: Whether the root file system is read-only. Mounts are not affected.
    type: bool
  capabilities:
    description:
      - Changes to the capabilities that processes inside can have at most, see C(capabilities(7\)). V(ALL) stands for
        each.
      - The default is docker's without C(MKNOD).
    type: dict
    suboptions:
      add:
        description: Capabilities to add.
        type: list
        elements: str
      drop:
        description: Capabilities to take away.
        type: list
        elements: str
  privileged:
    description:
      - Give all capabilities, a writable C(/sys), and all of C(/proc).
      - They are capabilities over what belongs to the container. With O(userns=host) root inside is root of the host.
      - With O(userns=host), too, C(/proc/sys) is read-only but for what belongs to the namespaces of the container,
        like C(net) and C(kernel/shmmax). Name C(/proc/sys), or a file in it, as source and target in O(mounts) to make
        it writable.
    type: bool
  seccomp:
    description:
      - Which system calls processes inside may make.
      - V(default) is docker's default profile, which follows the capabilities that the container has. Refused are,
        for instance, keyrings, C(bpf), C(userfaultfd), C(perf_event_open), loading of modules and the kernel, and new
        namespaces.
      - V(unconfined) sets no filter.
      - Anything else is the absolute path of a profile on the managed host, a file in docker's JSON format. It is read
        when the container is started; a change of the file counts from the next start by this module on.
      - A call that is newer than the profile is answered C(ENOSYS) where others get an error number, so that programs
        take an older one instead.
      - Filters are made by C(libseccomp.so.2), of Debian's package C(libseccomp2).
      - With O(privileged=true), V(default) sets no filter, as with docker.
      - Default is V(default).
    type: str
  no_new_privileges:
    description:
      - Whether no program may give a process more rights than it has, like C(sudo) and others with the setuid bit. See
        C(PR_SET_NO_NEW_PRIVS(2const\)).
      - Default is V(false).
    type: bool
  memory:
    description:
      - How much memory it may use, like V(512m). V(0) is no limit. Defaults to V(0).
      - A running container keeps its limit, and the task fails, if its processes use more than that.
    type: str
  memory_swap:
    description:
      - How much memory and swap it may use together, like V(1g), at least O(memory), or V(unlimited).
      - V(0) allows no swap beyond O(memory). Defaults to V(0). Without O(memory) swap is not limited.
    type: str
  cpus:
    description: How many CPUs it may use, like V(1.5). V(0) is no limit, which is the default.
    type: float
  pids:
    description: How many processes and threads it may have. V(0) is no limit. Defaults to V(2048).
    type: int
  ulimits:
    description:
      - Limits of each process, see C(getrlimit(2\)), as V(NAME:SOFT:HARD) or V(NAME:BOTH), with V(unlimited) for none.
      - The names are C(as), C(core), C(cpu), C(data), C(fsize), C(memlock), C(msgqueue), C(nice), C(nofile), C(nproc),
        C(rss), C(rtprio), C(rttime), C(sigpending) and C(stack), the units those of the kernel, bytes as a rule.
      - What is not named does not depend on who runs the module. It is as the kernel gives it to the first process of a
        machine, with C(nofile:1024:524288) and C(core:1), or as near to that as the host's root may go.
      - With C(core:1) the kernel writes no core dump, and does not run the program that the host's
        C(kernel.core_pattern) may name, which would be root of the host. V(core:unlimited) allows both.
    type: list
    elements: str
  oom_score_adj:
    description:
      - Which processes the kernel ends first where memory is short, from V(-1000), never, to V(1000), first. See
        C(proc(5\)).
      - Less than V(0) takes the capability C(SYS_RESOURCE) on the host. Default is V(0).
    type: int
  stop_signal:
    description:
      - The signal that asks the first process to end, by name or number.
      - Default is V(SIGTERM), with O(init) V(SIGRTMIN+3).
      - A first process that does not handle it is killed at once, as the kernel would not deliver it anyway.
      - A host that shuts down in order sends it, too, and C(SIGTERM) to every process inside.
    type: str
  stop_timeout:
    description: Seconds after which a container that was asked to stop is killed. Default is V(10).
    type: float
  restart_policy:
    description:
      - Whether the container is started again when its command ends by itself.
      - V(on-failure) does so where the exit status was not 0, at most O(restart_retries) times.
      - Between two starts is a pause, at first of 0.1 seconds, which is doubled each time up to a minute. After a run
        of 10 seconds it begins anew, and so do the retries. A start that fails is tried again likewise.
      - Default is V(no).
    type: str
    choices: ["no", on-failure, always]
  restart_retries:
    description: How often V(on-failure) starts it again. V(0) is without end, which is the default.
    type: int
  labels:
    description:
      - What you want to know of it, as texts by name. They do nothing; P(conductor.containers.conductor#inventory)
        makes groups of them.
      - All of them are given at once.
    type: dict
  recreate:
    description:
      - Allow to make the container anew where a changed option asks for that. What was written to its root file system
        is lost then; its mounts, network and peers stay.
      - Changes of O(memory), O(memory_swap), O(cpus), O(pids), O(stop_signal), O(stop_timeout), O(restart_policy),
        O(restart_retries) and O(labels) apply at once and never need it. A stopped container needs it for O(image) and
        O(userns) only.
    type: bool
    default: false
  force:
    description: With O(state=absent), remove a container also where its C(container.json) is damaged or missing.
    type: bool
    default: false
  detach:
    description:
      - With O(state=started), V(false) waits until the command has ended, and returns its exit status and output in
        RV(rc) and RV(stdout). The task fails if the exit status is not 0. Others can stop the container meanwhile.
      - Requires O(restart_policy=no). Excludes O(wait). Nothing is run in check mode.
    type: bool
    default: true
  wait:
    description:
      - With O(state=started), a command and its arguments that is run inside again and again until it exits with 0.
      - Nothing is waited for in check mode.
    type: list
    elements: str
  wait_timeout:
    description: Seconds after which O(wait) gives up and the module fails.
    type: float
    default: 60
seealso:
  - module: conductor.containers.conductor_exec
  - module: conductor.containers.conductor_network
  - module: conductor.containers.conductor_container_info
"""

EXAMPLES = r"""
- name: A container with a shell that waits
  conductor.containers.conductor_container:
    name: box
    image: debian

- name: A web server with limits, started again when it fails
  conductor.containers.conductor_container:
    name: web
    image: debian
    command: [/usr/bin/python3, -m, http.server, "8080"]
    working_dir: /srv
    mounts:
      - source: /srv/www
        target: /srv
        read_only: true
    memory: 256m
    cpus: 0.5
    pids: 50
    ulimits: ["nofile:1024:16384", "core:unlimited"]
    restart_policy: on-failure
    wait: [/usr/bin/python3, -c, "import socket; socket.create_connection(('127.0.0.1', 8080))"]

- name: Tighter than the default
  conductor.containers.conductor_container:
    name: parser
    image: debian
    command: [/usr/bin/parser]
    user: nobody
    seccomp: /etc/conductor/parser-seccomp.json
    no_new_privileges: true
    capabilities:
      drop: [ALL]

- name: An image with an init
  conductor.containers.conductor_image:
    name: system
    suite: trixie
    packages: [systemd-sysv, dbus]

- name: A whole system with systemd
  conductor.containers.conductor_container:
    name: system
    image: system
    init: true

- name: One that mounts file systems by FUSE
  conductor.containers.conductor_container:
    name: fuse
    image: debian
    devices: [/dev/fuse]

- name: A job that is run to its end
  conductor.containers.conductor_container:
    name: job
    image: debian
    command: [/usr/bin/python3, -c, "print(6 * 7)"]
    detach: false
  register: job

- name: Stop it and keep its data
  conductor.containers.conductor_container:
    name: web
    state: stopped

- name: Remove it
  conductor.containers.conductor_container:
    name: web
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, step by step.
  returned: success
  type: list
  elements: str
  sample: [create container web from image debian, start container web]
rc:
  description: Exit status of the command. Null in check mode.
  returned: with O(detach=false)
  type: int
  sample: 0
stdout:
  description: What the command has written in this run to its standard output and error, at most the last MiB.
  returned: with O(detach=false)
  type: str
container:
  description: The container as it is after the module. Null where there is none.
  returned: success
  type: dict
  contains:
    name:
      description: Its name. All options of the container are there too, under their own names.
      type: str
      returned: always
    id:
      description: Identifies this container; another one of the same name has another id.
      type: str
      returned: always
    ids:
      description: The range of the host's ids that its users have, C(base) and C(size). Null with O(userns=host).
      type: dict
      returned: always
      sample: {"base": 524288, "size": 65536}
    state:
      description: One of V(created), V(running), V(restarting), V(exited), V(stopped).
      type: str
      returned: always
    pid:
      description: Process id of the first process on the host. Null where it does not run.
      type: int
      returned: always
    started_at:
      description: When it was started last, in UTC.
      type: str
      returned: always
    finished_at:
      description: When its command ended, in UTC. Null while it runs.
      type: str
      returned: always
    exit_code:
      description:
        - Exit status of its command, 128 and the signal's number where one ended it. Null where it is not known.
      type: int
      returned: always
    oom_killed:
      description: Whether the kernel ended a process of it for lack of memory, in its last life. Null while it runs.
      type: bool
      returned: always
    restarts:
      description: How often its restart policy has started it again.
      type: int
      returned: always
    addresses:
      description: Its IPv4 and IPv6 addresses.
      type: list
      elements: str
      returned: always
    network_namespace:
      description: Path of its network namespace, as C(ip netns) knows it. Null where it does not run.
      type: str
      returned: always
    directory:
      description: Where the host keeps it.
      type: str
      returned: always
    rootfs:
      description: Where its root file system is mounted on the host while it runs.
      type: str
      returned: always
    log_path:
      description: The file with all that the command has written.
      type: str
      returned: always
    log:
      description: The end of that file, with control characters escaped.
      type: str
      returned: always
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "started", "stopped", "absent"], "default": "started"},
            "image": {"type": "str"},
            "command": {"type": "list", "elements": "str"},
            "init": {"type": "bool"},
            "env": {"type": "dict"},
            "working_dir": {"type": "str"},
            "user": {"type": "str"},
            "hostname": {"type": "str"},
            "mounts": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "type": {"type": "str", "choices": ["bind", "tmpfs"], "default": "bind"},
                    "source": {"type": "str"},
                    "target": {"type": "str", "required": True},
                    "read_only": {"type": "bool", "default": False},
                    "idmap": {"type": "bool"},
                    "size": {"type": "str"},
                },
            },
            "userns": {"type": "raw"},
            "dev": {"type": "str", "choices": ["private", "host"]},
            "devices": {"type": "list", "elements": "str"},
            "read_only": {"type": "bool"},
            "capabilities": {
                "type": "dict",
                "options": {
                    "add": {"type": "list", "elements": "str"},
                    "drop": {"type": "list", "elements": "str"},
                },
            },
            "privileged": {"type": "bool"},
            "seccomp": {"type": "str"},
            "no_new_privileges": {"type": "bool"},
            "memory": {"type": "str"},
            "memory_swap": {"type": "str"},
            "cpus": {"type": "float"},
            "pids": {"type": "int"},
            "ulimits": {"type": "list", "elements": "str"},
            "oom_score_adj": {"type": "int"},
            "stop_signal": {"type": "str"},
            "stop_timeout": {"type": "float"},
            "labels": {"type": "dict"},
            "restart_policy": {"type": "str", "choices": ["no", "on-failure", "always"]},
            "restart_retries": {"type": "int"},
            "recreate": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "detach": {"type": "bool", "default": True},
            "wait": {"type": "list", "elements": "str"},
            "wait_timeout": {"type": "float", "default": 60},
        },
        "_container.use_case:ContainerCase",
    )


if __name__ == "__main__":
    main()
