"""Large Compose files and many ports take a time that grows with their size, not with its square."""

import multiprocessing
from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import Firewall, base_of
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.port_conflicts import port_conflicts
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import (
    plan_firewall,
    wanted_elements,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import (
    ContainerView,
    Listening,
    NetworkView,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import link_name
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import parse_exposes
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.network import NetworkWish, plan_specs
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.env_file import parse_env_file
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.interpolate import interpolate


def read(text):
    return parse_env_file(text, {"V": "v"}, set())


def run_of_spaces():
    assert read("A=a" + " " * 300_000 + "b")["A"].endswith(" b")


def many_lines():
    assert len(read("".join(f"A{number}=$V\n" for number in range(80_000)))) == 80_000


def backslashes_in_an_open_quote():
    with pytest.raises(InvalidInput, match="line 1 has a quote that is not closed"):
        read('A="' + "\\" * 99)


def many_ports():
    assert len(parse_exposes(f"80-{port}" for port in range(1, 20_000))) == 19_999


def many_addresses():
    addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(9_000)]
    assert len(parse_exposes({"container_port": 80, "host_ip": address} for address in addresses)) == 9_000


def planned(count):
    """A host on which as many containers have 1000 ports each, and the number of specs that the plan writes."""
    wishes = {
        f"c{number}": NetworkWish(NetworkOptions.parse(
            {"expose": [f"80-{port}" for port in range(1 + number * 1000, 1001 + number * 1000)]},
            "10.87.0.0/24", "fd87::/64", None,
        )) for number in range(count)
    }  # fmt: skip
    view = NetworkView(
        containers={name: ContainerView(name, name, name, attached=True) for name in wishes},
        listeners=tuple(Listening("tcp", "0.0.0.0", port) for port in range(30_000, 40_000)),
    )
    actions, after = plan_specs(view, wishes)
    assert len(actions) == count
    return after


def many_ports_of_many_containers():
    view = planned(20)
    assert not any(port_conflicts(view, name) for name in view.containers)


def many_ports_beside_a_damaged_container():
    view = planned(8)
    firewall = Firewall(base_of(), wanted_elements(view), whole=True, links=frozenset(map(link_name, view.containers)))
    damaged = replace(view.containers["c0"], spec=None, damage="c0's network.json is damaged")
    view = replace(view, firewall=firewall, links=firewall.links, containers={**view.containers, "c0": damaged})
    assert plan_firewall(view) == []


WORKS = [
    run_of_spaces, many_lines, backslashes_in_an_open_quote, many_ports, many_addresses, many_ports_of_many_containers,
    many_ports_beside_a_damaged_container,
]  # fmt: skip


@pytest.mark.parametrize("work", WORKS)
def test_large_input_is_read_in_time(work):
    """In a child, since one regular expression is not interrupted. Each takes a second, and took minutes."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(30)
    child.kill()
    child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize("text", ["${A:-" * 9000 + "}" * 9000, "${A:-" + "{" * 9000 + "}" * 9001])
def test_deeply_nested_braces_are_refused(text):
    with pytest.raises(InvalidInput, match=r"^more than 50 '\{' are nested\. Write a shorter default\.$"):
        interpolate(text, {}, set())
    assert interpolate("${A:-" * 50 + "x" + "}" * 50, {}, set()) == "x"
