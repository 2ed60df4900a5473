"""What script/bench gives to its contestants is the same for all of them."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import deployment
import image
import memory
import networks
import traffic


def ports_of(task: dict, kube: str) -> list[str]:
    """Ports that a task that deploys opens, as HOST:CONTAINER, whatever way it declares them."""
    [(module, options)] = [(name, value) for name, value in task.items() if name != "loop"]
    if module.endswith("podman_play"):
        pods = [json.loads(text) for text in kube.split("\n---\n")]
        ports = [port for pod in pods for one in pod["spec"]["containers"] for port in one["ports"]]
        return [f"{port['hostPort']}:{port['containerPort']}" for port in ports]
    if module.endswith("conductor_stack"):
        members = [{"network": {"expose": member["expose"]}} for member in options["containers"].values()]
    else:
        members = task.get("loop") or options["containers"]
    opened = [port for one in members for port in one.get("ports", [])]
    exposed = [port.split("-") for one in members for port in one.get("network", {}).get("expose", [])]
    return opened + [f"{outside}:{inside}" for inside, outside in exposed]


def test_all_ways_deploy_the_same_ports(tmp_path):
    ways = deployment.ways(3, tmp_path)
    kube = (tmp_path / "pods.yml").read_text()
    assert len(ways) == 5
    for name, way in ways.items():
        assert ports_of(way.deploy[0], kube) == ["20000:80", "20001:80", "20002:80"], name


def test_all_ways_remove_what_they_deployed(tmp_path):
    for name, way in deployment.ways(2, tmp_path).items():
        [task] = way.remove
        text = json.dumps(task)
        assert '"absent"' in text and (("c0" in text and "c1" in text) or "bench" in text or "pods.yml" in text), name


def test_rules_of_a_bridge_are_for_each_port():
    rules = networks.bridge_rules(networks.ports(3)).splitlines()
    assert [rule for rule in rules if "DNAT" in rule] == [
        f"-A DOCKER ! -i bench0 -p tcp -m tcp --dport {port} -j DNAT --to-destination 172.30.0.2:{port}"
        for port in (21994, 21996, 21998)
    ]
    assert rules.count("COMMIT") == 2 and ":FORWARD DROP" in rules


def test_ports_are_no_range_and_end_with_the_one_that_is_called():
    many = networks.ports(1000)
    assert len(set(many)) == 1000 and many[-1] == networks.PORT
    assert all(after - before > 1 for before, after in pairwise(many))


def test_output_of_iperf3_without_a_server_is_no_measurement():
    with pytest.raises(KeyError):
        traffic.received_bits('{"start": {}, "end": {}, "error": "unable to connect to server"}')
    assert traffic.received_bits('{"end": {"sum_received": {"bits_per_second": 2.5e9}}}') == 2.5e9


def test_memory_of_a_process_is_its_share():
    assert (
        memory.pss("00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 123 kB\nPss_Dirty: 9 kB\n") == 123
    )
    assert memory.pss("") == 0


def test_bare_build_has_the_recipe_of_the_image():
    recipe = SimpleNamespace(
        suite="trixie", variant="minbase", architecture="amd64", components=("main",), packages=("a", "b")
    )
    command = image.mmdebstrap_command(recipe, "/target", ["deb line"])
    assert command[-3:] == ["trixie", "/target", "deb line"]
    assert {"--variant=minbase", "--include=a,b", "--components=main", "--mode=root"} < set(command)
