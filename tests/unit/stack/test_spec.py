"""conductor_stack's options, parsed: names and counts, defaults, networks, peers, dependencies, and all errors."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import PortRange
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import Peer, parse_stack


def parse(containers, **params):
    return parse_stack({"name": "shop", "containers": containers, **params}).members


def refusal(containers, **params):
    with pytest.raises(InvalidInput) as caught:
        parse(containers, **params)
    return str(caught.value)


def test_stack_without_containers_is_valid():
    stack = parse_stack({"name": "shop"})
    assert stack.name == "shop" and stack.members == {}


@pytest.mark.parametrize(
    ("key", "count", "names"),
    [
        ("web", None, ["web"]),
        ("web", 0, []),
        ("web", 1, ["web-1"]),
        ("web", 3, ["web-1", "web-2", "web-3"]),
        ("web{n}", 2, ["web1", "web2"]),
        ("a{n}b", 2, ["a1b", "a2b"]),
        ("web{n}", None, ["web1"]),
        ("web{n}", 0, []),
    ],
)
def test_names_of_equal_containers_are_numbered_from_1(key, count, names):
    members = parse({key: {"count": count}})
    assert list(members) == names
    for name, member in members.items():
        assert (member.name, member.service, member.options["name"]) == (name, key, name)


def test_members_have_the_order_of_the_option():
    assert list(parse({"z": {}, "a": {"count": 2}, "m": None})) == ["z", "a-1", "a-2", "m"]


def test_defaults_hold_for_entries_that_do_not_set_the_option():
    members = parse(
        {"web": {"image": "nginx", "memory": None}, "db": {}}, defaults={"image": "debian", "memory": "64m"}
    )
    assert [members[name].options["image"] for name in ("web", "db")] == ["nginx", "debian"]
    assert [members[name].options["memory"] for name in ("web", "db")] == ["64m", "64m"]


def test_options_that_nobody_sets_stay_unset():
    options = parse({"web": {}})["web"].options
    set_ones = {name for name, value in options.items() if value is not None}
    assert set_ones == {"name", "labels", "wait_timeout"}, "others would be changed back to a default"
    assert not {"network", "expose", "internet", "peers", "depends_on", "count"} & options.keys()


def test_env_and_labels_are_merged_by_key_and_lists_are_not():
    defaults = {"env": {"A": "1", "B": "1"}, "labels": {"tier": "all", "team": "x"}, "command": ["a", "b"]}
    web = parse({"web": {"env": {"B": "2"}, "labels": {"tier": "web"}, "command": ["c"]}}, defaults=defaults)["web"]
    assert web.options["env"] == {"A": "1", "B": "2"} and web.options["command"] == ["c"]
    assert {name: web.options["labels"][name] for name in ("tier", "team")} == {"tier": "web", "team": "x"}


def test_labels_of_the_stack_mark_its_containers():
    labels = {"team": "x", "conductor.stack": "other"}
    members = parse({"web": {"count": 1, "labels": {"team": "y", "conductor.service": "z"}}}, labels=labels)
    assert members["web-1"].options["labels"] == {"team": "x", "conductor.stack": "shop", "conductor.service": "web"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, None),
        ({"network": {}}, {}),
        ({"internet": True}, {"internet": True}),
        ({"internet": False}, {}),
        ({"expose": ["80-8080"]}, {"expose": ["80-8080"]}),
        ({"peers": ["other"]}, {}),
        ({"peers": []}, None),
        ({"network": {"mtu": 1400}, "internet": True}, {"mtu": 1400, "internet": True}),
    ],
)
def test_network_is_requested_by_any_of_its_options(entry, expected):
    network = parse({"web": entry})["web"].network
    if expected is None:
        assert network is None
        return
    given = {name: value for name, value in network.items() if value not in (None, False, [], {})}
    assert given == {"host_access": True, "mtu": 1500, **expected}


@pytest.mark.parametrize(
    ("defaults", "entry", "expected"),
    [
        ({"internet": True}, {"network": {"internet": False}}, {"internet": False}),
        ({"internet": False}, {"network": {"internet": True}}, {"internet": True}),
        ({"network": {"internet": True}}, {"internet": False}, {"internet": False}),
        ({"expose": ["80-80"]}, {"network": {"expose": []}}, {"expose": []}),
        ({"network": {"expose": ["80-80"], "mtu": 1400}}, {"expose": []}, {"expose": [], "mtu": 1400}),
        ({"internet": True}, {"network": {"mtu": 1400}}, {"internet": True, "mtu": 1400}),
        ({"internet": True}, {"network": {"internet": None}}, {"internet": True}),
    ],
)
def test_network_of_an_entry_wins_over_defaults_in_either_place(defaults, entry, expected):
    network = parse({"web": entry}, defaults=defaults)["web"].network
    assert {name: network[name] for name in expected} == expected


def test_called_member_has_a_network_and_others_have_none():
    members = parse({"web": {"peers": ["db"]}, "db": {}, "lone": {}})
    assert members["db"].network == parse({"db": {"network": {}}})["db"].network
    assert members["lone"].network is None and members["web"].network is not None


def test_peer_is_a_name_or_a_dictionary():
    found = parse({"web": {"peers": ["db", {"peer": "db", "direction": "to", "ports": ["80/tcp", 53, "7-9/udp"]}]},
                   "db": {}})["web"].peers  # fmt: skip
    ports = (PortRange("tcp", 53, 53), PortRange("tcp", 80, 80), PortRange("udp", 7, 9))
    assert found == (Peer("db"), Peer("db", ports, both=False))


def test_peer_stands_for_all_containers_of_its_entry_and_for_a_container_outside():
    members = parse({"web": {"count": 2, "peers": ["db{n}", "outside"]}, "db{n}": {"count": 2}})
    for name in ("web-1", "web-2"):
        assert members[name].peers == (Peer("db1"), Peer("db2"), Peer("outside"))
    assert members["db2"].network is not None and "outside" not in members


def test_peer_without_containers_is_no_container_outside():
    members = parse({"web": {"peers": ["db"], "network": {}}, "db": {"count": 0}})
    assert list(members) == ["web"] and members["web"].peers == ()


def test_containers_of_one_entry_are_peers_of_each_other_but_not_of_themselves():
    members = parse({"web": {"count": 3, "peers": ["web"]}})
    assert members["web-2"].peers == (Peer("web-1"), Peer("web-3"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ([], ()),
        ("db", (("db", "started"),)),
        (["db", "cache"], (("db", "started"), ("cache-1", "ready"), ("cache-2", "ready"))),
        ({"db": None}, (("db", "started"),)),
        ({"db": "completed"}, (("db", "completed"),)),
        ({"cache": {"condition": "started"}}, (("cache-1", "started"), ("cache-2", "started"))),
        ({"cache": {}}, (("cache-1", "ready"), ("cache-2", "ready"))),
        ({"none": "started"}, ()),
    ],
)
def test_forms_of_depends_on_and_their_conditions(given, expected):
    containers = {"web": {"depends_on": given}, "db": {}, "cache": {"count": 2, "wait": ["true"]}, "none": {"count": 0}}
    assert parse(containers)["web"].depends_on == expected


def test_wait_of_the_defaults_makes_entries_ready():
    members = parse({"web": {"depends_on": ["db"]}, "db": {}}, defaults={"wait": ["true"]})
    assert members["web"].depends_on == (("db", "ready"),)


@pytest.mark.parametrize(
    ("containers", "told"),
    [
        ({"web": 5}, "containers.web: 5 is not a dictionary. Give a dictionary of options."),
        ({"web": {"imag": "x"}}, "containers.web: unknown option 'imag'. Correct it to image."),
        ({"web": {"dns": ["192.0.2.1"]}}, "containers.web: unknown option 'dns'. Give it in network."),
        ({"web": {"name": "x"}}, "containers.web: unknown option 'name'"),
        ({"web": {"state": "started"}}, "containers.web: unknown option 'state'"),
        ({"web": {"count": "many"}}, "containers.web.count: 'many' is not a whole number. Give a whole number."),
        ({"web": {"count": -1}}, "containers.web: count -1 is out of range. Set it to 0 to 4096."),
        ({"web": {"count": 4097}}, "containers.web: count 4097 is out of range. Set it to 0 to 4096."),
        ({"we/b": {}}, "'we/b' is not a valid name"),
        ({"x" * 62: {"count": 10}}, f"'{'x' * 62}-1' is not a valid name"),
        ({"web": {"count": 1}, "web-1": {}}, "containers.web-1: web has a container web-1, too. Rename one of them."),
        ({"web": {"depends_on": 5}}, "containers.web: depends_on 5 is invalid. Give a list of entries of containers."),
        (
            {"web": {"depends_on": ["db"]}},
            "containers.web: depends_on: 'db' is no entry of containers. Correct it, or add the entry.",
        ),
        ({"web": {"count": 2}, "db": {"depends_on": ["web-1"]}}, "depends_on: 'web-1' is no entry of containers"),
        (
            {"web": {"depends_on": {"db": "healthy"}}, "db": {}},
            "containers.web: depends_on: condition 'healthy' is invalid. Use started, ready, completed.",
        ),
        ({"web": {"depends_on": {"db": ["started"]}}, "db": {}}, "condition ['started'] is invalid"),
        (
            {"web": {"depends_on": {"db": "ready"}}, "db": {}},
            "containers.web: depends_on: db has no wait, so it is never ready. "
            "Set wait for db, or use the condition started.",
        ),
        (
            {"a": {"depends_on": ["b"]}, "b": {"depends_on": ["c"]}, "c": {"depends_on": ["a"]}, "d": {}},
            "containers.a: depends_on: a, b, c depend on each other. Remove one of these dependencies.",
        ),
        (
            {"a": {"depends_on": ["c"]}, "b": {"depends_on": ["c"]}, "c": {"depends_on": ["b"], "count": 2}},
            "containers.b: depends_on: b, c depend on each other.",
        ),
        (
            {
                "a": {"depends_on": ["b"]},
                "b": {"depends_on": ["a"]},
                "c": {"depends_on": ["b", "d"]},
                "d": {"depends_on": ["e", "a"]},
                "e": {"depends_on": ["d"]},
            },
            "containers.a: depends_on: a, b depend on each other.",
        ),
        ({"a": {"count": 1, "depends_on": ["a"]}}, "containers.a: depends_on names the entry itself"),
        ({"web": {"peers": "db"}}, "containers.web.peers: 'db' is not a list. Give a list."),
        ({"web": {"peers": [5]}}, "containers.web: peers: 5 is not a dictionary"),
        ({"web": {"peers": [{"ports": ["80"]}]}}, "containers.web: peers: peer is missing. Set peer."),
        ({"web": {"peers": [{"peer": "db", "port": 80}]}}, "containers.web: peers: unknown option 'port'"),
        ({"web": {"peers": [{"peer": "db", "direction": "from"}]}}, "peers.direction: 'from' is invalid. Use one of"),
        (
            {"web": {"peers": [{"peer": "db", "ports": []}]}},
            "containers.web: peers: ports of db is an empty list. Omit it to allow every port.",
        ),
        ({"web": {"peers": ["a/b"]}}, "containers.web: peers 'a/b' is not a valid name"),
        (
            {"web": {"expose": ["80-80"], "network": {"expose": ["81-81"]}}},
            "containers.web: expose is set twice. Set it either in network, or beside it.",
        ),
        ({"web": {"internet": True, "network": {"internet": True}}}, "containers.web: internet is set twice"),
        ({"web": {"internet": False, "network": {"internet": False}}}, "containers.web: internet is set twice"),
        ({"web": {"expose": ["80-80"], "network": {"expose": []}}}, "containers.web: expose is set twice"),
        ({"web": {"network": []}}, "containers.web.network: [] is not a dictionary"),
        ({"web": {"network": {"container": "x"}}}, "containers.web.network: unknown option 'container'"),
    ],
)
def test_mistakes_are_refused_with_their_place_and_a_remedy(containers, told):
    assert told in refusal(containers)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"name": "a/b"}, "name 'a/b' is not a valid name"),
        ({"defaults": [1]}, "defaults: [1] is not a dictionary"),
        ({"defaults": {"imag": "x"}}, "unknown option 'imag'"),
        ({"defaults": {"expose": [], "network": {"expose": []}}}, "defaults: expose is set twice. Set it either in"),
    ],
)
def test_mistakes_outside_of_containers_are_refused(params, told):
    assert told in refusal({"web": {}}, **params)
