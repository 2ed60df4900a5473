# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role deploy has to do, from its one variable and what the host has: pure, on the controller."""

from __future__ import annotations

from collections.abc import Sequence

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: deployment
short_description: Steps that lead from what a host has to a list of containers
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Turns the variable C(conductor_containers) of role P(conductor.containers.deploy#role) into the lists that the
    roles C(image), C(container) and C(network) take.
options:
  _input:
    description: The list C(conductor_containers).
    type: list
    elements: dict
    required: true
  existing:
    description: RV(conductor.containers.conductor_container_info#module:containers).
    type: list
    elements: dict
    default: []
  networks:
    description: RV(conductor.containers.conductor_network_info#module:networks).
    type: list
    elements: dict
    default: []
  check:
    description:
      - Whether it is for check mode. A container that does not exist yet can then be neither connected nor started, nor
        created without its image. It is only named, as C(unmade).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what would be done
  ansible.builtin.debug:
    msg: "{{ conductor_containers | conductor.containers.deployment(existing=found.containers) }}"
"""

RETURN = r"""
_value:
  description: Lists of items for the roles, by the step that they belong to.
  type: dict
  contains:
    images:
      description: Recipes of images, each once.
      type: list
    absent:
      description: Containers to remove.
      type: list
    create:
      description: Containers that do not exist yet or are to be stopped. They are not started in this step.
      type: list
    networks:
      description: Networks of containers, and their peers.
      type: list
    start:
      description: Containers to start, or to leave running as described.
      type: list
    unmade:
      description: Names of containers that do not exist yet, in check mode.
      type: list
"""

NOT_FOR_THE_MODULE = {"network", "peers"}


def deployment(
    containers: list[dict], existing: Sequence[dict] = (), networks: Sequence[dict] = (), check: bool = False
) -> dict:
    """The steps of role deploy; see DOCUMENTATION. Raises AnsibleFilterError where the list contradicts itself."""
    _check_names(containers)
    wanted = [item for item in containers if item.get("state") != "absent"]
    images = _images(wanted)
    connect = _networks(wanted, {one["container"]: one for one in networks})
    have = {one["name"] for one in existing}
    unmade = [item["name"] for item in wanted if check and item["name"] not in have]
    options = [_options(item) for item in wanted if item["name"] not in unmade]
    return {
        "images": images,
        "absent": [{"name": item["name"], "state": "absent"} for item in containers if item.get("state") == "absent"],
        "create": [
            item if item.get("state") == "stopped" else {**item, "state": "present"}
            for item in options
            if item.get("state") == "stopped" or item["name"] not in have
        ],
        "networks": [
            {**item, "peers": [peer for peer in item["peers"] if peer.get("peer") not in unmade]}
            for item in connect
            if item["container"] not in unmade
        ],
        "start": [item for item in options if item.get("state") != "stopped"],
        "unmade": unmade,
    }


def _options(item: dict) -> dict:
    """An item of role container."""
    options = {key: value for key, value in item.items() if key not in NOT_FOR_THE_MODULE}
    if isinstance(options.get("image"), dict):
        options["image"] = options["image"]["name"]
    return options


def _check_names(containers: list) -> None:
    names = [item.get("name") for item in containers]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise AnsibleFilterError(f"conductor_containers names {', '.join(twice)} more than once")


def _images(wanted: list) -> list:
    """Recipes in their order. The same one may stand at several containers, but not two of one name."""
    recipes: dict = {}
    for item in wanted:
        recipe = item.get("image")
        if not isinstance(recipe, dict):
            continue
        if not recipe.get("name"):
            raise AnsibleFilterError(f"conductor_containers: the image of {item['name']} has no name")
        if recipes.setdefault(recipe["name"], recipe) != recipe:
            raise AnsibleFilterError(
                f"conductor_containers describes the image {recipe['name']} in two ways (again at {item['name']}): "
                "describe it once, and name it at the others"
            )
    return list(recipes.values())


def _networks(wanted: list, have: dict) -> list:
    """Items of role network: what each container has, and an end of what it has but should not."""
    allowed = {pair for item in wanted for pair in _directed(item)}
    items = []
    for item in wanted:
        name = item["name"]
        if item.get("network") is None:
            if item.get("peers"):
                raise AnsibleFilterError(
                    f"conductor_containers: {name} has peers but no network: give it one, network: {{}} at the least"
                )
            if name in have:
                items.append({"container": name, "state": "absent", "peers": []})
            continue
        # A peer that was allowed earlier and is no longer listed must not stay allowed.
        stale = [
            {"peer": peer["peer"], "direction": "to", "state": "absent"}
            for peer in have.get(name, {}).get("peers") or []
            if (name, peer["peer"]) not in allowed
        ]
        items.append({**item["network"], "container": name, "peers": [*_peers(item), *stale]})
    return items


def _peers(item: dict) -> list:
    peers = item.get("peers") or []
    return [dict(peer) if isinstance(peer, dict) else {"peer": peer} for peer in peers]


def _directed(item: dict) -> list:
    """(caller, called) of each peer that the item allows."""
    pairs = []
    for peer in _peers(item):
        if peer.get("state") != "absent":
            pairs.append((item["name"], peer.get("peer")))
            if peer.get("direction", "both") == "both":
                pairs.append((peer.get("peer"), item["name"]))
    return pairs


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict:
        return {"deployment": deployment}
