# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of role deploy, from its variable and the host's state. Pure, on the controller."""

from __future__ import annotations

from collections.abc import Sequence

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: deployment
short_description: Steps from the current containers of a host to the listed ones
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Converts the variable C(conductor_containers) of role P(conductor.containers.deploy#role) to the lists for the roles
    C(image), C(container) and C(network).
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
      - Whether the steps are for check mode. In check mode, a container that does not exist yet can be neither
        connected nor started, nor created without its image. It is only listed, as C(unmade).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the steps
  ansible.builtin.debug:
    msg: "{{ conductor_containers | conductor.containers.deployment(existing=found.containers) }}"
"""

RETURN = r"""
_value:
  description: Lists of items for the roles, by step.
  type: dict
  contains:
    images:
      description: Options of images, each image once.
      type: list
    absent:
      description: Containers to remove.
      type: list
    create:
      description: Containers to create or to stop. They are not started in this step.
      type: list
    networks:
      description: Networks of containers with their peers.
      type: list
    start:
      description: Containers that are to run, as described.
      type: list
    unmade:
      description: Names of containers that do not exist yet, in check mode.
      type: list
"""

NOT_FOR_THE_MODULE = {"network", "peers"}


def deployment(
    containers: list[dict], existing: Sequence[dict] = (), networks: Sequence[dict] = (), check: bool = False
) -> dict:
    """Return the steps of role deploy; see DOCUMENTATION. Raises AnsibleFilterError if the list is inconsistent."""
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
    """Return an item for role container."""
    options = {key: value for key, value in item.items() if key not in NOT_FOR_THE_MODULE}
    if isinstance(options.get("image"), dict):
        options["image"] = options["image"]["name"]
    return options


def _check_names(containers: list) -> None:
    names = [item.get("name") for item in containers]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise AnsibleFilterError(f"conductor_containers: {', '.join(twice)} is listed more than once")


def _images(wanted: list) -> list:
    """Return the images in order. Several containers may have the same image, but its options must be the same."""
    recipes: dict = {}
    for item in wanted:
        recipe = item.get("image")
        if not isinstance(recipe, dict):
            continue
        if not recipe.get("name"):
            raise AnsibleFilterError(f"conductor_containers: the image of container {item['name']} has no name")
        if recipes.setdefault(recipe["name"], recipe) != recipe:
            raise AnsibleFilterError(
                f"conductor_containers: container {item['name']} gives other options of image {recipe['name']} than a "
                "container before. Describe the image once, and set image to its name for the other containers."
            )
    return list(recipes.values())


def _networks(wanted: list, have: dict) -> list:
    """Return the items for role network: the networks to create, and the networks and peers to remove."""
    allowed = {pair for item in wanted for pair in _directed(item)}
    items = []
    for item in wanted:
        name = item["name"]
        if item.get("network") is None:
            if item.get("peers"):
                raise AnsibleFilterError(
                    f"conductor_containers: container {name} has peers but no network. Set network, at least to {{}}."
                )
            if name in have:
                items.append({"container": name, "state": "absent", "peers": []})
            continue
        # Remove a peer that was allowed earlier and is no longer listed.
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
    """Return (caller, callee) for each connection that the item allows."""
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
