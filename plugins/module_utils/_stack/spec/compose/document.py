# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose document as options of conductor_stack.

The subset of the Compose specification that has a counterpart; all other keys are errors with a remedy.
https://github.com/compose-spec/compose-spec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...._engine.convert_options import convert_options
from ...._engine.names import parse_name
from ...._errors import InvalidInput
from ..request import service_options
from ..stack import InvalidEntry, parse_stack
from .depends_on import parse_depends_on
from .images import Images
from .interpolate import interpolate_document
from .networks import network_options, parse_networks, peers_of, service_networks
from .node import ComposeError, Node, Path, Refused, collected
from .service import UNSET, Context, parse_service, with_deploy

_KEYS = ("version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models", "x-conductor")
_REMEDIES = {
    "configs": "copy files with conductor_copy, or mount them from the host",
    "include": "copy its services into this document",
    "models": "omit it",
    "secrets": "copy files with conductor_copy, or mount them from the host",
    "volumes": "omit it, and mount directories of the host in the services: /srv/NAME:/PATH",
}
# Options of an entry that the document sets, and no default can.
_OF_DOCUMENT = ("internet", "expose", "peers", "depends_on", "count")


class Composed(NamedTuple):
    """Options of conductor_stack: containers, defaults and images. `warnings` are about variables without a value."""

    options: dict[str, Any]
    warnings: list[str]


def parse_compose(
    definition: object,
    project: str,
    *,
    variables: Mapping[str, str] | None = None,
    directory: str | None = None,
    read_file: Callable[[str], str | None] | None = None,
    defaults: Mapping[str, Any] | None = None,
    place: Callable[[Path], str] = lambda path: "",
) -> Composed:
    """Return the options for the Compose document `definition`. Raises ComposeError with all parts that are refused.

    `project`: name of the stack. `variables`: for interpolation. `directory` and `read_file`: see Context. `defaults`:
    the option of that name. `place` returns a text before the messages about a path, such as a file and a line.
    """
    variables = {"COMPOSE_PROJECT_NAME": project, **(variables or {})}
    context = Context(variables, directory, read_file)
    options: dict[str, Any] = {}
    if isinstance(definition, Mapping):
        value = interpolate_document(definition, variables, context.problems, context.notices)
        options = _document(Node(value), project, context, defaults or {})
    else:
        context.problems.append(Node(definition).refused("not a mapping", "give a mapping with the key services"))
    if context.problems:
        raise ComposeError([*context.problems, *context.notices], place)
    return Composed(options, [f"{place(one.path)}{one}" for one in context.notices])


def _document(node: Node, project: str, context: Context, defaults: Mapping[str, Any]) -> dict[str, Any]:
    network = defaults.get("network")
    for name in _OF_DOCUMENT:
        if defaults.get(name) is not None:
            raise InvalidInput(f"defaults: {name} is set by the Compose document", f"omit {name}")
        if isinstance(network, Mapping) and network.get(name) is not None:
            raise InvalidInput(f"defaults: {name} of network is set by the Compose document", f"omit {name}")
    # Entries of services get a copy of network, so an error of it would name a service.
    convert_options(service_options(), defaults, "defaults")
    images, fields = Images(), node.fields()
    for key, one in fields.items():
        with collected(context.problems):
            if key not in _KEYS:
                raise one.unknown_key(_KEYS)
            if key in _REMEDIES and one.value:
                raise one.refused("not supported", _REMEDIES[key])
    if node.value.get("x-conductor") is not None:
        images.add_document(Node(node.value["x-conductor"], ("x-conductor",)), context.problems)
    internal = parse_networks(fields.get("networks"), context.problems)
    with collected(context.problems):
        services = fields.get("services", Node({}, ("services",)))
        containers = _services(services, project, context, defaults, internal, images)
        options = {
            "containers": containers,
            "defaults": _completed(defaults),
            "images": list(images.recipes.values()),
        }
        if not context.problems:
            _check(options, project)
        return options
    return {}


def _services(
    node: Node,
    project: str,
    context: Context,
    defaults: Mapping[str, Any],
    internal: Mapping[str, bool],
    images: Images,
) -> dict[str, dict[str, Any]]:
    """Return the entries of the option containers."""
    nodes = node.members()
    if not nodes:
        raise node.refused("the document has no services", "add at least one")
    keys = {name: with_deploy(one.fields(), context.problems) for name, one in nodes.items() if _is_valid(one, context)}
    entries: dict[str, dict[str, Any]] = {}
    networks: dict[str, list[str]] = {}
    for name, fields in keys.items():
        own = dict(fields)
        entries[name] = {}
        with collected(context.problems):
            image = images.of_service(nodes[name], fields, project, defaults.get("image") is not None)
            if image is not None:
                entries[name]["image"] = image
            if image is not None and "x-conductor" in nodes[name].value:
                # It takes the place of a Dockerfile, so that a file can serve both.
                own.pop("build", None)
        entries[name].update(parse_service(nodes[name], own, context))
        if "count" not in entries[name]:
            entries[name].setdefault("hostname", name)
        with collected(context.problems):
            joined, addresses = service_networks(fields, internal, context.problems)
            if joined is not None:
                networks[name] = joined
                entries[name]["network"] = {
                    **(defaults.get("network") or {}),
                    "internet": not all(internal[network] for network in joined),
                    **network_options(fields, context.problems),
                    **addresses,
                }
    for name, fields in keys.items():
        if "depends_on" in fields:
            with collected(context.problems):
                entries[name]["depends_on"] = parse_depends_on(fields["depends_on"], entries)
    for name, peers in peers_of(networks, {name: entries[name].get("count", 1) for name in networks}).items():
        if peers:
            entries[name]["peers"] = [{"peer": peer, "direction": "both"} for peer in peers]
    return entries


def _is_valid(node: Node, context: Context) -> bool:
    """Return whether a service has a valid name and is a mapping; add an error to the context if not."""
    before = len(context.problems)
    with collected(context.problems):
        node.checked(lambda: parse_name(node.path[-1], ""))
        node.fields()
    return len(context.problems) == before


def _completed(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the option defaults, with a value for each option that a document describes."""
    unset = dict(UNSET)
    if defaults.get("init"):
        # It sets the command, and is mutually exclusive with it.
        del unset["command"]
        unset["stop_signal"] = "SIGRTMIN+3"
    return {**unset, **{name: value for name, value in defaults.items() if value is not None and name != "network"}}


def _check(options: Mapping[str, Any], project: str) -> None:
    """Check the containers together: names, and dependencies in a circle. Raises Refused, InvalidInput."""
    try:
        parse_stack({"name": project, **options})
    except InvalidEntry as error:
        raise Refused(("services", error.entry), error.problem, error.hint) from None
