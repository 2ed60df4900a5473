"""Values of options inside other options: converted and refused like those of a module."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._engine.convert_options import convert_options
from ansible_collections.conductor.containers.plugins.module_utils._engine.option import Option
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput

OPTIONS = {
    "name": Option("str", ("",), required=True),
    "count": Option("int", ("",)),
    "cpus": Option("float", ("",)),
    "internet": Option("bool", ("",), default=False),
    "policy": Option("str", ("",), choices=("no", "always"), default="no"),
    "ports": Option("list", ("",), elements="str"),
    "mounts": Option(
        "list", ("",), elements="dict", suboptions={"target": Option("path", ("",), required=True)}, default=[]
    ),
    "capabilities": Option("dict", ("",), suboptions={"add": Option("list", ("",), elements="str")}),
    "env": Option("dict", ("",)),
    "command": Option("raw", ("",)),
}


def converted(**values):
    return convert_options(OPTIONS, {"name": "web", **values}, "containers.web")


def refusal(values):
    with pytest.raises(InvalidInput) as caught:
        convert_options(OPTIONS, values, "containers.web")
    return str(caught.value)


def test_options_that_are_not_given_have_their_defaults():
    found = converted()
    assert found == {
        "name": "web", "count": None, "cpus": None, "internet": False, "policy": "no", "ports": None, "mounts": [],
        "capabilities": None, "env": None, "command": None,
    }  # fmt: skip


def test_null_is_like_an_option_that_is_not_given():
    assert converted(internet=None, policy=None, mounts=None) == converted()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("name", 8080, "8080"),
        ("count", "3", 3),
        ("count", 3.0, 3),
        ("cpus", "1.5", 1.5),
        ("cpus", 2, 2.0),
        ("internet", "yes", True),
        ("internet", "OFF", False),
        ("internet", 1, True),
        ("ports", [80, "443/tcp"], ["80", "443/tcp"]),
        ("mounts", [{"target": "/srv"}], [{"target": "/srv"}]),
        ("capabilities", {"add": ["NET_RAW"]}, {"add": ["NET_RAW"]}),
        ("capabilities", {}, {"add": None}),
        ("env", {"A": 1}, {"A": 1}),
        ("command", ["sleep", 1], ["sleep", 1]),
        ("command", "sleep 1", "sleep 1"),
    ],
)
def test_values_are_converted_to_the_type_of_the_option(name, value, expected):
    found = converted(**{name: value})[name]
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("web", "containers.web: 'web' is not a dictionary. Give a dictionary of options."),
        (None, "containers.web: None is not a dictionary"),
        ({}, "containers.web: name is missing. Set name."),
        ({"name": None}, "containers.web: name is missing"),
        ({"name": "web", "cout": 1}, "containers.web: unknown option 'cout'. Correct it to count."),
        ({"name": "web", "zzz": 1}, "containers.web: unknown option 'zzz'. Use only capabilities, command, count"),
        ({"name": "web", "add": []}, "containers.web: unknown option 'add'. Give it in capabilities."),
        ({"name": "web", 5: 1}, "containers.web: unknown option 5"),
        ({"name": ["web"]}, "containers.web.name: ['web'] is not a string. Give a string."),
        ({"name": True}, "containers.web.name: True is not a string"),
        ({"name": "web", "count": "many"}, "containers.web.count: 'many' is not a whole number. Give a whole number."),
        ({"name": "web", "count": 1.5}, "containers.web.count: 1.5 is not a whole number"),
        ({"name": "web", "count": True}, "containers.web.count: True is not a whole number"),
        ({"name": "web", "count": float("nan")}, "containers.web.count: nan is not a whole number"),
        ({"name": "web", "cpus": "fast"}, "containers.web.cpus: 'fast' is not a number"),
        ({"name": "web", "internet": "maybe"}, "containers.web.internet: 'maybe' is not true or false"),
        ({"name": "web", "policy": "sometimes"}, ".policy: 'sometimes' is invalid. Use one of no, always."),
        ({"name": "web", "ports": "80,443"}, "containers.web.ports: '80,443' is not a list. Give a list."),
        ({"name": "web", "ports": [[80]]}, "containers.web.ports[0]: [80] is not a string"),
        ({"name": "web", "mounts": ["/srv"]}, "containers.web.mounts[0]: '/srv' is not a dictionary"),
        ({"name": "web", "mounts": [{"target": "/a"}, {}]}, "containers.web.mounts[1]: target is missing"),
        ({"name": "web", "capabilities": {"ad": []}}, "containers.web.capabilities: unknown option 'ad'"),
        ({"name": "web", "env": ["A=1"]}, "containers.web.env: ['A=1'] is not a dictionary"),
    ],
)  # fmt: skip
def test_invalid_values_are_refused_with_their_place(values, told):
    assert told in refusal(values)
