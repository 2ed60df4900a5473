"""The graph of allowed connections."""

from ansible_collections.conductor.containers.plugins.filter.network_graph import network_graph
from ansible_collections.conductor.containers.plugins.module_utils._cli.graph import draw

EXPOSE = {"container_port": "8080", "host_port": "80", "protocol": "tcp", "host_ip": None}
NETWORKS = [
    {
        "container": "end",
        "internet": True,
        "expose": [EXPOSE],
        "peers": [{"peer": "db", "ports": ["53/udp", "80/tcp"]}],
    },
    {"container": "db", "internet": False, "expose": [{**EXPOSE, "host_ip": "::1"}], "peers": []},
    {"container": "old", "drift": ["its link is missing"]},
]


def test_graph_for_mermaid():
    assert draw(NETWORKS, "mermaid").splitlines() == [
        "flowchart LR",
        '  n0["db"]',
        '  n1["end"]',
        '  n2["old"]',
        '  n3(["clients of the host"])',
        '  n4(["Internet"])',
        '  n3 -->|"80/tcp to 8080"| n1',
        '  n1 -->|"53/udp, 80/tcp"| n0',
        "  n1 --> n4",
        '  n3 -->|"::1 80/tcp to 8080"| n0',
    ]


def test_filter_of_the_controller_draws_the_same():
    assert network_graph(NETWORKS) == draw(NETWORKS, "mermaid").splitlines()
    assert network_graph([]) == ["flowchart LR"]
    hostile = {"container": "a\x1b[2J\n\u202e", "peers": [{"peer": "b\r", "ports": ["\x07"]}]}
    assert all(line.isprintable() for line in network_graph([hostile]))


def test_graph_for_graphviz():
    assert draw(NETWORKS[1:], "dot").splitlines() == [
        "digraph conductor {",
        "  rankdir=LR",
        '  n0 [label="db", shape=box]',
        '  n1 [label="old", shape=box]',
        '  n2 [label="clients of the host", shape=ellipse]',
        '  n2 -> n0 [label="::1 80/tcp to 8080"]',
        "}",
    ]


def test_names_are_escaped():
    (name,) = [line for line in draw([{"container": 'a"];b'}], "mermaid").splitlines() if "n0" in line]
    assert name == '  n0["a#34;#93;#59;b"]'
    assert '[label="a\\"\\\\", shape=box]' in draw([{"container": 'a"\\'}], "dot")
