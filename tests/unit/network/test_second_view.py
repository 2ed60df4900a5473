"""The second view of a run: changes by others, which need no network lock, are not left over for this run."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import (
    Firewall,
    base_of,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import (
    Connect,
    plan_projection,
    wanted_elements,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import (
    ContainerView,
    HostDns,
    NetworkView,
    Resolver,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import NetworkSpec, PeerEntry

WEB = NetworkSpec(
    "web", "10.87.0.2", "10.87.0.1", "02:00:00:00:00:02", internet=True, peers=(PeerEntry("db", "db"),)
)  # fmt: skip
DB = NetworkSpec("db", "10.87.0.3", "10.87.0.1", "02:00:00:00:00:03")


def settled(*, db_attached: bool) -> NetworkView:
    """A host after a run for web; db does not run."""
    view = NetworkView(
        {
            "web": ContainerView("web", "web", "web", WEB, attached=True, files={"/etc/hosts": b""}),
            "db": ContainerView("db", "db", "db", DB, attached=db_attached),
        },
        uplinks=("wan0",),
        host_dns=HostDns((Resolver("192.0.2.53"),)),
    )
    return replace(view, firewall=Firewall(base_of(), wanted_elements(view), True))


def with_db(view: NetworkView, **changes) -> NetworkView:
    return replace(view, containers={**view.containers, "db": replace(view.containers["db"], **changes)})


CHANGES = {
    "started": lambda view: with_db(view, attached=True, files={"/etc/hosts": b""}),
    "renamed": lambda view: with_db(view, hostname="store"),
    "recreated": lambda view: with_db(view, container_id="other", spec=None),
    "removed": lambda view: replace(view, containers={"web": view.containers["web"]}),
    "created": lambda view: replace(view, containers={**view.containers, "new": ContainerView("new", attached=True)}),
    "other uplink": lambda view: replace(view, uplinks=("tun0",)),
    "other name servers": lambda view: replace(view, host_dns=HostDns()),
    "other size of the connection table": lambda view: replace(view, most_connections=7),
}


@pytest.mark.parametrize("own", [{"web"}, set()])
@pytest.mark.parametrize("change", CHANGES)
def test_change_by_others_leaves_nothing_to_do(change, own):
    first = settled(db_attached=False)
    second = CHANGES[change](first).fenced_as(first, own)
    assert plan_projection(second, {"web", "db"}) == plan_projection(first, {"web", "db"})


@pytest.mark.parametrize("own", [{"web"}, set()])
def test_files_of_a_container_that_was_starting_are_those_of_its_start(own):
    """Its root was not mounted yet in the first view. Now it is, and its start is about to write the files."""
    first = settled(db_attached=True)
    second = with_db(first, files={"/etc/hosts": b""}).fenced_as(first, own)
    assert plan_projection(second, {"web", "db"}) == plan_projection(first, {"web", "db"})


def test_changes_of_the_own_container_are_still_found():
    first = settled(db_attached=False)
    second = with_db(first, attached=True).fenced_as(first, {"db"})
    assert any(isinstance(action, Connect) and action.container == "db" for action in plan_projection(second, {"db"}))
