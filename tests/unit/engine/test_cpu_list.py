"""Lists of CPUs."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._engine.cpu_list import parse_cpus, show_cpus
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "shown"),
    [("0", "0"), ("1,0", "0-1"), ("0-2,5", "0-2,5"), ("3-3", "3"), ("0-4,2-9,11", "0-9,11"), (" 7, 9\n", "7,9")],
)
def test_a_list_is_shown_as_the_kernel_writes_it(text, shown):
    assert show_cpus(parse_cpus(text, "cpuset")) == shown


@pytest.mark.parametrize("text", ["", ",", "0,", "a", "-1", "1-", "2-1", "0--1", "0-99999", "99999999999", "٣", "0x1"])
def test_anything_else_is_an_error(text):
    with pytest.raises(InvalidInput, match="is not a list of CPUs"):
        parse_cpus(text, "cpuset")
