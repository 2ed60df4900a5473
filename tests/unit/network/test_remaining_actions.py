"""Actions that a second plan still requires: those that processes in another container have caused fail no run."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._network.actions import remaining_actions
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import Firewall, base_of
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.hosts_files import HOSTS, inside_files
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import (
    Connect,
    RouteLocalnet,
    UpdateFirewall,
    WriteInsideFiles,
    plan_projection,
    wanted_elements,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.veth import (
    End,
    Pair,
    inner_addresses,
    inner_routes,
    localnet_sysctl,
    outer_addresses,
    outer_routes,
    outer_sysctls,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import ContainerView, NetworkView
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import (
    Link,
    NetworkSpec,
    link_name,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import Expose

NAMES = {"web", "db"}


def connected(name: str, spec: NetworkSpec) -> ContainerView:
    link = Link.of(name, spec)
    ends = (
        End("veth", "02:00:00:00:00:09", link.mtu, True, frozenset({link.outer_altname}),
            frozenset(outer_addresses(link)), frozenset(outer_routes(link))),
        End("veth", link.mac, link.mtu, True, frozenset({link.inner_altname}),
            frozenset(inner_addresses(link)), frozenset(inner_routes(link))),
    )  # fmt: skip
    pair = Pair(*ends, {**outer_sysctls(link), localnet_sysctl(link.outer): "1" if spec.expose else "0"})
    return ContainerView(name, name, name, spec, attached=True, pair=pair)


def with_db(view: NetworkView, **changes) -> NetworkView:
    return replace(view, containers={**view.containers, "db": replace(view.containers["db"], **changes)})


def settled(*expose: Expose) -> NetworkView:
    """A host with two connected containers, for which nothing is to do."""
    specs = {
        "web": NetworkSpec("web", "10.87.0.2", "10.87.0.1", "02:00:00:00:00:02"),
        "db": NetworkSpec("db", "10.87.0.3", "10.87.0.1", "02:00:00:00:00:03", expose=expose),
    }
    view = NetworkView({name: connected(name, spec) for name, spec in specs.items()}, ipv6=False)
    containers = {
        name: replace(found, files={HOSTS: inside_files(view, name, name, {})[HOSTS]})
        for name, found in view.containers.items()
    }
    links = frozenset(map(link_name, NAMES))
    firewall = Firewall(base_of(), wanted_elements(view), True, links)
    view = replace(view, containers=containers, links=links, firewall=firewall)
    assert plan_projection(view, NAMES) == ()
    return view


def without_link(view: NetworkView, *, chain: bool) -> NetworkView:
    """The host after root in db has deleted its interface. Linux 6.16 and later keep the `chain` of the link."""
    links = view.links - {link_name("db")}
    firewall = view.firewall if chain else replace(view.firewall, links=links)
    return with_db(replace(view, links=links, firewall=firewall), pair=None)


@pytest.mark.parametrize("required", [{"web"}, set()])
@pytest.mark.parametrize("chain", [True, False])
def test_link_of_another_container_that_could_not_be_made_is_not_left_over(chain, required):
    first = settled(Expose.parse("80-80"))
    second = without_link(first, chain=chain).fenced_as(first, required)
    skipped = {"db": "it has another interface eth0"}
    planned = plan_projection(second, NAMES)
    assert {type(action) for action in planned} >= {Connect, RouteLocalnet}
    assert remaining_actions(planned, [], skipped, required) == ()
    assert skipped == {"db": "it has another interface eth0"}


@pytest.mark.parametrize("own", [{"web"}, {"db"}, set()])
def test_file_that_changes_during_a_run_is_a_warning(own):
    first = settled()
    second = with_db(first, files={HOSTS: b"127.0.0.1 localhost\n"}).fenced_as(first, own)
    planned, skipped = plan_projection(second, NAMES), {}
    assert [type(one) for one in planned] == [WriteInsideFiles]
    assert remaining_actions(planned, [UpdateFirewall(())], skipped, own) == ()
    assert skipped == {"db": "changed while this ran, run it again: write /etc/hosts in db"}
    skipped.clear()
    assert remaining_actions(planned, planned, skipped, own) == ()
    assert skipped == {"db": "processes in the container revert this change: write /etc/hosts in db"}


@pytest.mark.parametrize("required", [{"web"}, set()])
def test_link_that_is_deleted_inside_during_a_run_is_a_warning(required):
    first = settled(Expose.parse("80-80"))
    second = without_link(first, chain=True).fenced_as(first, required)
    skipped = {}
    assert remaining_actions(plan_projection(second, NAMES), [UpdateFirewall(())], skipped, required) == ()
    assert skipped == {"db": f"changed while this ran, run it again: connect db by {link_name('db')}"}


def test_own_link_is_left_over():
    first = settled(Expose.parse("80-80"))
    planned = plan_projection(without_link(first, chain=True).fenced_as(first, {"db"}), {"db"})
    assert {type(one) for one in planned} == {Connect, RouteLocalnet, UpdateFirewall}
    assert remaining_actions(planned, [], {}, {"db"}) == planned


def test_chain_that_a_link_lacks_is_left_over():
    """No process in a container can remove it."""
    first = settled()
    firewall = replace(first.firewall, links=first.firewall.links - {link_name("db")})
    planned = plan_projection(replace(first, firewall=firewall), NAMES)
    assert [type(one) for one in planned] == [UpdateFirewall]
    assert remaining_actions(planned, [], {}) == planned
