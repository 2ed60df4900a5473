# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_stack, and of one entry of its option containers, as users write them. stack.py parses them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._container.spec.container import options as container_options
from ..._container.spec.request import module_options as container_module_options
from ..._engine.option import Option
from ..._network.spec.request import IN_PLACE
from .update import OPTIONS as UPDATE

CONDITIONS = ("started", "ready", "completed")


def service_options() -> Mapping[str, Option]:
    """Options of an entry of `containers`. Those of a container have no default: not given means unchanged."""
    request = container_module_options()
    return {
        **{name: option for name, option in container_options().items() if name != "name"},
        **{name: request[name] for name in ("wait", "wait_timeout")},
        "network": Option("dict", ("Options of conductor_network.",), suboptions=IN_PLACE),
        **{name: Option(IN_PLACE[name].type, IN_PLACE[name].description, IN_PLACE[name].elements)
           for name in ("expose", "internet")},
        "peers": Option("list", ("Containers that may call each other.",), elements="raw"),
        "depends_on": Option("raw", ("Entries that are started before.",)),
        "count": Option("int", ("Number of equal containers.",)),
        "update": Option("dict", ("How changed containers are replaced.",), suboptions=UPDATE),
    }  # fmt: skip


# Options of which at most one is given.
SOURCES = ("containers", "definition", "src")
MODULE_OPTIONS: Mapping[str, Option] = {
    "name": Option("str", ("Name of the stack, 1 to 63 letters, digits, C(-), C(_) and C(.).",), required=True),
    "state": Option(
        "str",
        (
            "V(present) creates the containers and their networks. Containers that exist stay running or stopped.",
            "V(started) also starts them.",
            "V(restarted) starts them, after it has stopped them if they run, each time.",
            "V(stopped) stops them and keeps their data, and the networks of entries that have no options of one.",
            "V(absent) stops them and deletes them with their data. O(containers) can be omitted.",
        ),
        choices=("present", "started", "restarted", "stopped", "absent"),
        default="started",
    ),
    "containers": Option(
        "dict",
        (
            "The containers of the stack. Each key is the name of a container, each value has its options.",
            "An entry takes the options of M(conductor.containers.conductor_container) that describe a container, and "
            "C(wait) and C(wait_timeout), with the same meaning.",
            "C(network) is a dictionary of options of M(conductor.containers.conductor_network). C(expose) and "
            "C(internet) can also be set without it. A container without C(network), C(expose), C(internet) and "
            "C(peers) has no network.",
            "C(peers) lists the containers that this one may call: names of entries, or of other containers of the "
            "host. A dictionary has the keys V(peer), V(ports), which defaults to every port, and V(direction). "
            "V(direction) is V(to), or for another entry of the stack V(both), which allows the reverse, too. The list "
            "is complete: other peers of the container are removed.",
            "C(depends_on) is a list of entries that are started before this one, and stopped after it. A dictionary "
            "adds a condition to each: V(started), V(ready) (its C(wait) has succeeded) or V(completed) (its command "
            "has exited with 0). Defaults to V(ready) for an entry with C(wait), and to V(started) for others.",
            "C(count) is the number of equal containers, called V(NAME-1), V(NAME-2) and so on. If the key has V({n}), "
            "the number is written there instead. C(peers) and C(depends_on) name all of them by the key.",
            "C(update) is a dictionary. With it, running containers of the entry that must be restarted or created "
            "anew are replaced C(parallel) (defaults to V(1)) at a time, and each must be ready before the next ones "
            "follow. O(restart) and O(recreate) must allow the change as without it.",
            "The default C(update.order) V(stop-first) stops a container before its replacement starts. "
            "V(start-first) first starts one more container with the new options, called V(NAME-update), "
            "which must be ready. New connections from peers and to exposed ports go to it while the others are "
            "replaced, so that none is refused. Then it is removed.",
            "C(update.wait) is a command that succeeds in a container that is ready, and defaults to C(wait). Without "
            "both, a container is ready if it still runs after a second.",
            "C(update.on_failure) says what happens if a container does not become ready: V(stop) (default) leaves "
            "the others as they are, V(rollback) also gives those that were replaced their former options again.",
        ),
        default={},
    ),
    "definition": Option(
        "dict",
        (
            "The containers of the stack as a document of the Compose specification, instead of O(containers). It is "
            "a complete description: keys that it does not have get their defaults, unless O(defaults) sets them.",
            "C(image) is the name of an image of the host. C(x-conductor) of a service takes the place of C(image) and "
            "C(build). It has the C(name) of the image and options of M(conductor.containers.conductor_image) to build "
            "it. C(x-conductor.images) of the document is a list of such recipes.",
            "A container has the name of its service. With C(deploy.replicas) above 1 the containers are called "
            "V(NAME-1), V(NAME-2) and so on.",
            "Services of a common network can call each other on every port. C(ports) are V(HOST:CONTAINER), unlike "
            "in C(expose) of O(containers), and need a host port. A service can reach the Internet unless all of its "
            "networks are C(internal).",
            "C(healthcheck) is run until it succeeds after a start. The task fails after C(start_period) and "
            "C(retries) times the sum of C(interval) and C(timeout).",
            "The keys C(image), C(container_name) (the name of the service), C(command), C(entrypoint), "
            "C(environment), C(env_file), C(healthcheck), C(restart), C(depends_on), C(volumes) (bind mounts and "
            "tmpfs), C(tmpfs), C(cap_add), C(cap_drop), C(security_opt), C(privileged), C(read_only), C(devices), "
            "C(mem_limit), C(memswap_limit), C(cpus), C(cpuset), C(pids_limit), C(ulimits), C(oom_score_adj), "
            "C(sysctls), C(shm_size), C(labels), C(hostname), C(user), C(group_add), C(userns_mode=host), "
            "C(working_dir), C(stop_signal), C(stop_grace_period), C(scale), C(ports), C(expose), C(networks), C(dns), "
            "C(dns_opt), C(dns_search), C(extra_hosts), C(mac_address), C(network_mode=none), and of C(deploy) "
            "C(replicas), C(resources.limits), C(restart_policy) and C(update_config) are supported. C(attach) has no "
            "effect. All others are errors that say what to do instead.",
            "C(mode) of a tmpfs is in octal digits. Quote it, since YAML reads C(755) as a decimal number.",
            "Mutually exclusive with O(containers) and O(src).",
        ),
    ),
    "src": Option(
        "path",
        (
            "Path of a Compose file on the controller, in YAML, with the meaning of O(definition). Messages about it "
            "begin with the file and the line. A relative path is searched as for M(ansible.builtin.copy).",
            "Files in C(env_file), and C(.env) beside the file, are read on the controller. Files that are encrypted "
            "by Ansible Vault are decrypted.",
            "Mutually exclusive with O(containers) and O(definition).",
        ),
    ),
    "environment": Option(
        "dict",
        (
            "Variables for V(${NAME}) in values of O(definition) or O(src). V($$) is a dollar sign.",
            "They take precedence over those in C(.env). Variables of the controller's environment are not used.",
        ),
        default={},
    ),
    "project_directory": Option(
        "path",
        (
            "Directory of the managed host for relative paths in C(volumes) of O(definition) or O(src).",
            "Defaults to the directory of O(src). Without O(src), relative paths are errors.",
        ),
    ),
    "defaults": Option(
        "dict",
        (
            "Options for each entry of O(containers) that does not set them.",
            "C(env) and C(labels) are merged by their keys.",
        ),
        default={},
    ),
    "images": Option(
        "list",
        (
            "Images to build before, each a dictionary of options of M(conductor.containers.conductor_image).",
            "Images that exist as described are left alone.",
            "An image in use is not built again. Give a changed recipe another name, use that in O(containers), and "
            "set O(recreate=true).",
        ),
        elements="dict",
        default=[],
    ),
    "labels": Option("dict", ("Labels of all containers of the stack.",), default={}),
    "prune": Option(
        "bool",
        (
            "Remove containers of this stack that are no longer listed, with their data.",
            "V(false) keeps them, with a warning.",
        ),
        default=False,
    ),
    "restart": Option(
        "bool",
        ("Allow to restart running containers if a changed option requires it. They keep their data.",),
        default=False,
    ),
    "recreate": Option(
        "bool",
        (
            "Allow to create containers anew if their image or user namespace changes. All data in their root file "
            "systems is lost.",
        ),
        default=False,
    ),
}  # fmt: skip
