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
  - An option that is not given keeps its value in the container, or gets its default if the container is created.
  - Networks are configured by M(conductor.containers.conductor_network). Without one a container has only a loopback
    interface.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
attributes:
  idempotent:
    support: partial
    details: ["Not with O(state=restarted), and O(state=started) starts a command that has exited."]
options:
  name:
    description: Name of the container, 1 to 63 letters, digits, C(-), C(_) and C(.).
    type: str
    required: true
  state:
    description:
      - V(present) creates the container. A container that exists stays running or stopped.
      - V(started) also starts it. If its command has exited, it is started again, with its data.
      - V(restarted) starts it, and stops it before that if it runs, each time.
      - V(stopped) stops it and keeps its data.
      - V(absent) stops it and deletes it with its data.
    type: str
    default: started
    choices:
      - present
      - started
      - restarted
      - stopped
      - absent
  image:
    description: Name of the image. Required to create a container.
    type: str
  command:
    description:
      - 'Command of the first process: a list of the program and its arguments, or a string that
        is split like a shell command. No shell runs it.'
      - Defaults to V(/bin/bash), which waits for input, so that the container runs until it is
        stopped.
      - The first process of a container has to wait for processes that others leave behind, and
        gets no signal that it does not handle. If a program does neither, let C(tini --), of the
        package C(tini) in the image, run it, as C(docker run --init) does.
    type: raw
  init:
    description:
      - Boot the image's C(/sbin/init), as a rule systemd, as the first process. Mutually exclusive
        with O(command). A Debian image has one with the packages C(systemd-sysv) and C(dbus).
      - A change sets O(command) and O(stop_signal) to their defaults unless they are given. For
        a command in place of the init of a container, give V(false), too.
      - The task fails with the last lines of the log if it exits within a second.
      - C(/run), C(/run/lock) and C(/tmp) are then of type tmpfs, and the container's cgroup is
        writable.
      - 'Unless O(userns=host), the container is a machine of its own: services can use the sandbox
        of systemd, see O(capabilities), C(/proc/sys) is writable for what belongs to the container,
        the first start is a first boot with a new machine id and new ssh host keys, C(reboot) inside
        restarts the container, and C(poweroff) stops it, whatever O(restart_policy) is.'
    type: bool
  env:
    description:
      - 'Environment variables of the command. Values must be strings: quote numbers and booleans.'
      - Values are hidden in the host's log, in the diff and in C(invocation). As with docker, they
        are part of RV(container), and root on the host can read them.
    type: dict
  working_dir:
    description: Working directory of the command. Defaults to V(/).
    type: str
  user:
    description:
      - User of the command, by name or number, and optionally its group, V(USER:GROUP). Defaults
        to V(root).
      - They are looked up in the container's C(/etc/passwd) and C(/etc/group). Numbers must be
        in its range of ids, see O(userns).
    type: str
  groups:
    description:
      - Further groups of the command, by name or number, as with C(docker run --group-add).
      - The given groups replace all present ones.
    type: list
    elements: str
  hostname:
    description: Host name inside. Defaults to the container's name, with C(-) in place of C(_).
      With O(init) and that default, a name that is set inside stays.
    type: str
  timezone:
    description: Time zone, such as V(Europe/Berlin), that each start writes to C(/etc/localtime)
      and C(/etc/timezone) inside. V(host) is that of the host. V('') leaves the files alone.
    type: str
  mounts:
    description: Mounts besides the root file system.
    type: list
    elements: dict
    suboptions:
      type:
        description: V(bind) shows a file or directory of the host. V(tmpfs) is an empty file system
          in memory.
        type: str
        default: bind
        choices:
          - bind
          - tmpfs
      source:
        description: Absolute path of the host's file or directory, without symlinks. Only for V(bind).
        type: str
      target:
        description:
          - Absolute path inside. A missing directory or file is created.
          - Symlinks of the container's root file system, as of a merged C(/usr), are followed within
            it. Symlinks in another mount are refused.
        type: str
        required: true
      read_only:
        description: Whether the mount is read-only.
        type: bool
        default: false
      mode:
        description: Access rights of a V(tmpfs), like V('0750'). Defaults to V('1777').
        type: str
      idmap:
        description:
          - Whether ids inside stand for the same ids on the host, in this mount. Only for V(bind).
          - With V(false), files of the host's users belong to C(nobody) inside, and files written
            there belong to the container's range of ids on the host.
          - Defaults to V(true).
        type: bool
      propagation:
        description:
          - Whether file systems that the host mounts or unmounts below O(mounts[].source) later
            are mounted and unmounted inside, too. Only for V(bind).
          - 'With V(private) they are not. With V(slave) they are, by the host''s own options: without
            the container''s range of ids, and writable, even if O(mounts[].read_only=true). With
            V(shared) what is mounted there inside appears on the host, too, which requires O(userns=host)
            and the capability C(SYS_ADMIN).'
          - Both require that the host's mount is shared, as systemd makes all of them. They are
            C(rslave) and C(rshared) of C(docker run).
          - Defaults to V(private).
        type: str
        choices:
          - private
          - slave
          - shared
      size:
        description: Maximum size of a V(tmpfs), like V(64m). Defaults to half of the host's memory.
        type: str
  userns:
    description:
      - 'User namespace, see C(user_namespaces(7\)): the ids that the container''s users have on
        the host.'
      - V(auto) gives it a range of 65536 ids of its own, so that root inside is an unprivileged
        user of the host. The range comes from the ids of the user V(conductor) in C(/etc/subuid)
        and C(/etc/subgid) if it has any, else from 524288 up. It is free again when the container
        is removed.
      - 'V(host) gives it no user namespace: root inside is root on the host, within its capabilities.'
      - A dictionary with C(base) and C(size) (default 65536) selects the range. It must not overlap
        the range of another container, or of a user in C(/etc/subuid) or C(/etc/subgid).
      - A change requires O(recreate). Defaults to V(auto).
    type: raw
  dev:
    description:
      - V(private) is a C(/dev) with the standard nodes only.
      - V(host) shows the host's C(/dev) with all devices, which takes away much of the isolation.
        Devices that only the host's root may use require O(userns=host), too.
      - Defaults to V(private).
    type: str
    choices:
      - private
      - host
  devices:
    description:
      - Devices of the host that the container may use, as V(/dev/NAME), V(/dev/NAME:/dev/INSIDE)
        or V(/dev/NAME:/dev/INSIDE:rwm). C(r), C(w) and C(m) allow to read, write and create it.
      - Their nodes belong to root inside, with the mode of the host's node. A symlink, like those
        in C(/dev/disk/by-id), is followed at each start.
      - Other devices cannot be used, except for the standard ones, C(net/tun) among them, and its
        terminals. Standard ones may be listed without an effect. With O(dev=host) or O(privileged=true)
        all can be used.
      - Mutually exclusive with O(dev=host).
    type: list
    elements: str
  read_only:
    description: Whether the root file system is read-only. Mounts are not affected.
    type: bool
  capabilities:
    description:
      - Changes to the capabilities that processes inside can have at most, see C(capabilities(7\)).
        V(ALL) stands for all of them.
      - The default set is docker's without C(MKNOD).
      - 'With O(init) and a user namespace it has what systemd and services of a machine need, too:
        C(DAC_READ_SEARCH), C(IPC_LOCK), C(IPC_OWNER), C(LEASE), C(LINUX_IMMUTABLE), C(NET_ADMIN),
        C(NET_BROADCAST), C(SYS_ADMIN), C(SYS_BOOT), C(SYS_NICE), C(SYS_PTRACE), C(SYS_RESOURCE)
        and C(SYS_TTY_CONFIG).'
    type: dict
    suboptions:
      add:
        description: Capabilities to add.
        type: list
        elements: str
      drop:
        description: Capabilities to drop.
        type: list
        elements: str
  privileged:
    description:
      - Give the container all capabilities, a writable C(/sys), and all of C(/proc).
      - The capabilities apply to what belongs to the container. With O(userns=host) root inside
        is root on the host.
      - Even then C(/proc/sys) is read-only, except for settings of the container's namespaces like
        C(net) and C(kernel/shmmax). To make it writable, give C(/proc/sys) or a file in it as source
        and target in O(mounts).
    type: bool
  seccomp:
    description:
      - Filter for system calls of processes inside.
      - V(default) is docker's default profile, which depends on the capabilities of the container.
        It refuses, for instance, keyrings, C(bpf), C(userfaultfd), C(perf_event_open), kernel modules
        and new namespaces. With O(privileged=true) it sets no filter, as with docker.
      - V(unconfined) sets no filter.
      - An absolute path is a profile on the managed host, in docker's JSON format. It is read when
        the container is started, so a changed file applies from the next start by this module.
      - System calls that are newer than the profile fail with C(ENOSYS), where others fail with
        the profile's error, so that programs fall back to an older call.
      - Filters are compiled by C(libseccomp.so.2) of the Debian package C(libseccomp2). A profile
        that allows other calls by default must not deny a call that this library does not know.
      - Defaults to V(default).
    type: str
  no_new_privileges:
    description: Whether programs with the setuid bit, like C(sudo), and file capabilities give
      no privileges. See C(PR_SET_NO_NEW_PRIVS(2const\)). Defaults to V(false).
    type: bool
  memory:
    description:
      - Memory limit, like V(512m). V(0) is no limit. Defaults to V(0).
      - If the processes of a running container use more, the task fails and the old limit stays.
    type: str
  memory_swap:
    description: Limit of memory and swap together, like V(1g), at least O(memory). V(unlimited)
      is no limit. V(0) allows no swap. Without O(memory), swap has no limit. Defaults to V(0).
    type: str
  cpus:
    description: CPU limit in CPUs, like V(1.5), at least V(0.01). V(0) is no limit. Defaults to
      V(0).
    type: float
  cpuset:
    description: Numbers of the CPUs that processes may use, like V(0-2,5). V('') is all of them.
      Defaults to V('').
    type: str
  pids:
    description: Maximum number of processes and threads. V(0) is no limit. Defaults to V(2048).
    type: int
  ulimits:
    description:
      - Resource limits of each process, see C(getrlimit(2\)), as V(NAME:SOFT:HARD) or V(NAME:BOTH),
        with V(unlimited) for no limit.
      - Names are C(as), C(core), C(cpu), C(data), C(fsize), C(memlock), C(msgqueue), C(nice), C(nofile),
        C(nproc), C(rss), C(rtprio), C(rttime), C(sigpending) and C(stack). Units are those of the
        kernel, as a rule bytes.
      - The other limits do not depend on the user that runs the module. They are those that the
        kernel gives the first process of a machine, with C(nofile:1024:524288) and C(core:1), or
        as near to that as root on the host may go.
      - With C(core:1) the kernel writes no core dump, and does not run the program in the host's
        C(kernel.core_pattern), which would be root on the host. V(core:unlimited) allows both.
    type: list
    elements: str
  oom_score_adj:
    description:
      - Preference of the kernel's OOM killer, from V(-1000), never, to V(1000), first. See C(proc(5\)).
      - Less than V(0) requires the capability C(SYS_RESOURCE) on the host. Defaults to V(0).
    type: int
  sysctls:
    description:
      - 'Kernel settings for the container, see C(sysctl(8\)): those of its network, like V(net.core.somaxconn),
        and C(fs.mqueue.*), C(kernel.msg*), C(kernel.sem) and C(kernel.shm*).'
      - The given settings replace all present ones.
    type: dict
  shm_size:
    description: Size of C(/dev/shm), like V(1g). Defaults to V(64m).
    type: str
  stop_signal:
    description:
      - Signal that asks the first process to exit, by name or number. Defaults to V(SIGTERM), with
        O(init) to V(SIGRTMIN+3).
      - A first process that does not handle it is killed at once, since the kernel would not deliver
        it.
      - It is also sent when the host shuts down in order; other processes inside get C(SIGTERM)
        then.
    type: str
  stop_timeout:
    description: Seconds after the stop signal after which the container is killed. Defaults to
      V(10).
    type: float
  restart_policy:
    description:
      - Whether the container is started again if its command exits.
      - V(on-failure) does so if the exit status is not 0, at most O(restart_retries) times.
      - V(always) and V(unless-stopped) do so at every exit. They differ only when the host boots,
        see O(autostart). A container that a task stopped is not started again before.
      - The pause before a start is 0.1 seconds at first and is doubled each time, up to a minute.
        After a run of 10 seconds pauses and retries begin anew. A start that fails is tried again
        in the same way.
      - Defaults to V(no).
    type: str
    choices:
      - 'no'
      - on-failure
      - always
      - unless-stopped
  restart_retries:
    description: Maximum number of restarts by V(on-failure). V(0) is no limit. Defaults to V(0).
    type: int
  autostart:
    description:
      - 'Whether the container is started when the host boots, if it was running before: after a
        reboot, or after a power cut.'
      - A container that a task or the host command stopped stays stopped, except with O(restart_policy=always),
        as with docker. A container that has never run is not started.
      - Requires role P(conductor.containers.host#role) on the host, which installs C(conductor.service).
      - Defaults to V(true) with O(restart_policy=always) and O(restart_policy=unless-stopped),
        else to V(false).
    type: bool
  labels:
    description:
      - Labels, texts by name. P(conductor.containers.conductor#inventory) makes groups of them;
        they have no other effect.
      - The given labels replace all present ones.
    type: dict
  restart:
    description:
      - Allow to restart a running container if a changed option requires it. It keeps its data,
        network and peers. Without it, the task fails and says which options differ.
      - Changes of O(memory), O(memory_swap), O(cpus), O(cpuset), O(pids), O(stop_signal), O(stop_timeout),
        O(restart_policy), O(restart_retries), O(autostart) and O(labels) take effect at once. All
        others require a restart, or O(recreate).
    type: bool
    default: false
  recreate:
    description: Allow to create the container anew if O(image) or O(userns) changes. All data in
      its root file system is lost. Its mounts, network and peers stay.
    type: bool
    default: false
  force:
    description: With O(state=absent), remove the container even if its C(container.json) is damaged
      or missing.
    type: bool
    default: false
  detach:
    description:
      - With O(state=started) or O(state=restarted), V(false) waits until the command has exited,
        and returns its exit status and output in RV(rc) and RV(stdout). The task fails if the exit
        status is not 0. Other tasks can stop the container meanwhile.
      - Requires O(restart_policy=no). Mutually exclusive with O(wait). In check mode nothing is
        run.
    type: bool
    default: true
  wait:
    description:
      - 'Command that is run inside again and again until it exits with 0: a list of the program
        and its arguments, or a string that is split like a shell command.'
      - Requires O(state=started) or O(state=restarted). In check mode nothing is waited for.
    type: raw
  network:
    description:
      - Network of the container, with the options of M(conductor.containers.conductor_network).
        V({}) connects it to its host. It exists before the command is started.
      - If it is not set, a network that the container has stays as it is.
    type: dict
  peers:
    description:
      - Containers that this one may call, each a name, or a dictionary with the keys V(peer) and
        V(ports), which defaults to every port.
      - 'The list is complete: other peers that this container may call are removed. If it is not
        set, they stay.'
    type: list
    elements: raw
  wait_timeout:
    description: Seconds after which O(wait) gives up and the task fails.
    type: float
    default: 60
seealso:
  - module: conductor.containers.conductor_exec
  - module: conductor.containers.conductor_network
  - module: conductor.containers.conductor_container_info
"""

EXAMPLES = r"""
- name: Create a container with a waiting shell
  conductor.containers.conductor_container:
    name: box
    image: debian

- name: Create a web server with limits that is restarted if it fails
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

- name: Create a container whose port 8080 is port 8000 of the host
  conductor.containers.conductor_container:
    name: shop
    image: debian
    network:
      expose: [8080-8000]

- name: Create a container that may call another one, on one port
  conductor.containers.conductor_container:
    name: client
    image: debian
    network: {}
    peers:
      - peer: shop
        direction: to
        ports: [8080/tcp]

- name: Create a container with stricter isolation than the default
  conductor.containers.conductor_container:
    name: parser
    image: debian
    command: [/usr/bin/parser]
    user: nobody
    seccomp: /etc/conductor/parser-seccomp.json
    no_new_privileges: true
    capabilities:
      drop: [ALL]

- name: Build an image with an init
  conductor.containers.conductor_image:
    name: system
    suite: trixie
    packages: [systemd-sysv, dbus]

- name: Create a container that boots systemd
  conductor.containers.conductor_container:
    name: system
    image: system
    init: true

- name: Create a container that can mount FUSE file systems
  conductor.containers.conductor_container:
    name: fuse
    image: debian
    devices: [/dev/fuse]

- name: Run a job and wait until it has exited
  conductor.containers.conductor_container:
    name: job
    image: debian
    command: [/usr/bin/python3, -c, "print(6 * 7)"]
    detach: false
  register: job

- name: Stop a container and keep its data
  conductor.containers.conductor_container:
    name: web
    state: stopped

- name: Remove a container and its data
  conductor.containers.conductor_container:
    name: web
    state: absent
"""

RETURN = r"""
actions:
  description: Actions that were done, in order. In check mode, actions that would be done.
  returned: success
  type: list
  elements: str
  sample: [create container web from image debian, start container web]
rc:
  description: Exit status of the command. Null in check mode.
  returned: success, or if the command failed, with O(detach=false)
  type: int
  sample: 0
stdout:
  description: Standard output and error of the command in this run, at most the last MiB. Null in check mode.
  returned: success, or if the command failed, with O(detach=false)
  type: str
network:
  description: The container's network, as in RV(conductor.containers.conductor_network#module:network).
  returned: success, with O(network) or O(peers), unless O(state=absent)
  type: dict
  sample: {ipv4: 10.87.0.2, internet: false}
container:
  description: The container after the task. Null if it does not exist.
  returned: success, or if the command failed with O(detach=false)
  type: dict
  contains:
    name:
      description: Name of the container. The other options of the container are also included, under their own names.
      type: str
      returned: always
    id:
      description: Unique id of the container. A new container of the same name gets another id.
      type: str
      returned: always
    ids:
      description: Range of the host's ids that its users have, C(base) and C(size). Null with O(userns=host).
      type: dict
      returned: always
      sample: {"base": 524288, "size": 65536}
    state:
      description: One of V(created), V(running), V(restarting), V(exited), V(stopped).
      type: str
      returned: always
    pid:
      description: Process id of the first process on the host. Null if the container does not run.
      type: int
      returned: always
    started_at:
      description: Time of the last start, in UTC.
      type: str
      returned: always
    finished_at:
      description: Time at which its command exited, in UTC. Null while the container runs.
      type: str
      returned: always
    exit_code:
      description:
        - Exit status of its command, or 128 plus the number of the signal that ended it. Null if it is not known.
      type: int
      returned: always
    oom_killed:
      description: Whether the OOM killer killed a process inside during the last run. Null while the container runs.
      type: bool
      returned: always
    restarts:
      description: Number of restarts by its restart policy.
      type: int
      returned: always
    addresses:
      description: Its IPv4 and IPv6 addresses.
      type: list
      elements: str
      returned: always
    network_namespace:
      description: Path of its network namespace, which C(ip netns) lists. Null if the container does not run.
      type: str
      returned: always
    directory:
      description: Directory of the container on the host.
      type: str
      returned: always
    rootfs:
      description: Directory on the host at which its root file system is mounted while it runs.
      type: str
      returned: always
    log_path:
      description: Path of the log file, which has the output of the command.
      type: str
      returned: always
    log:
      description: The end of the log, with control characters escaped.
      type: str
      returned: always
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module

# Generated by script/generate, from module_utils/_container/spec.
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "started", "choices": ["present", "started", "restarted", "stopped", "absent"]},
    "image": {"type": "str"},
    "command": {"type": "raw"},
    "init": {"type": "bool"},
    "env": {"type": "dict"},
    "working_dir": {"type": "str"},
    "user": {"type": "str"},
    "groups": {"type": "list", "elements": "str"},
    "hostname": {"type": "str"},
    "timezone": {"type": "str"},
    "mounts": {
        "type": "list",
        "elements": "dict",
        "options": {
            "type": {"type": "str", "default": "bind", "choices": ["bind", "tmpfs"]},
            "source": {"type": "str"},
            "target": {"type": "str", "required": True},
            "read_only": {"type": "bool", "default": False},
            "mode": {"type": "str"},
            "idmap": {"type": "bool"},
            "propagation": {
                "type": "str",
                "choices": ["private", "slave", "shared"],
            },
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
    "cpuset": {"type": "str"},
    "pids": {"type": "int"},
    "ulimits": {"type": "list", "elements": "str"},
    "oom_score_adj": {"type": "int"},
    "sysctls": {"type": "dict"},
    "shm_size": {"type": "str"},
    "stop_signal": {"type": "str"},
    "stop_timeout": {"type": "float"},
    "restart_policy": {"type": "str", "choices": ["no", "on-failure", "always", "unless-stopped"]},
    "restart_retries": {"type": "int"},
    "autostart": {"type": "bool"},
    "labels": {"type": "dict"},
    "restart": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "detach": {"type": "bool", "default": True},
    "wait": {"type": "raw"},
    "network": {"type": "dict"},
    "peers": {"type": "list", "elements": "raw"},
    "wait_timeout": {"type": "float", "default": 60},
}
# End of the generated part.


def main() -> None:
    run_module(ARGUMENT_SPEC, "_stack.build_container_case:build")


if __name__ == "__main__":
    main()
