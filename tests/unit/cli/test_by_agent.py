"""Which verbs the agent is asked for, and its request."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli.by_agent import request_of


def test_request_has_the_options_before_the_command():
    argv = "exec -u www -e A=1 -w /srv -e B= box -- ls -l --".split()
    assert request_of(argv) == ["live", "box", "www", "/srv", "2", "A=1", "B=", "ls", "-l", "--"]
    assert request_of(["exec", "box", "--", "-x"]) == ["live", "box", "", "", "0", "-x"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "logs box",
        "run debian box",
        "run --rm debian box -- true",
        "run debian box --rm -- true",
        "stop box",
        "stop box -- -y",
        "--json ps",
        "exec box",
        "exec box true",
        "exec box --",
        "exec -- true",
        "exec -u -- true",
        "exec -u www -- true",
        "exec --user www box -- true",
        "exec -uwww box -- true",
        "exec -u www -u games box -- true",
        "exec -u -w box -- true",
        "exec -e A box -- true",
        "exec --check box -- true",
        "exec --json box -- true",
        "exec box other -- true",
        "exec -h -- true",
        "--json exec box -- true",
    ],
)
def test_other_forms_are_left_to_the_parser(line):
    assert request_of(line.split()) is None


@pytest.mark.parametrize(
    "line",
    ["ps", "ps --json", "run -d debian box", "run debian box -- sh -c x --rm", "run --init debian box", "stop box -y"],
)
def test_request_of_another_verb_has_all_arguments(line):
    assert request_of(line.split()) == ["verb", *line.split()]
