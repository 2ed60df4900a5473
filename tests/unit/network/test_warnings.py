"""Warnings of conductor_network: in check mode they are those of the options, as in a run."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._engine.engine import Run
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import ContainerView, NetworkView
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import NetworkSpec
from ansible_collections.conductor.containers.plugins.module_utils._network.use_case import NetworkCase

STORED = NetworkSpec("web", "10.87.0.2", "10.87.0.1", "02:00:00:00:00:02")
NO_UPLINK = "no interface of this host has a default route"


def warnings(stored, **options) -> str:
    """Return the warnings of a run that has observed the `stored` spec, and changes nothing."""
    view = NetworkView({"web": ContainerView("web", "web", "web", stored)}, ipv6=False)
    case = NetworkCase({"container": "web", "state": "present", **options}, Settings())
    return str(case.result(view, Run(view)).get("warnings"))


@pytest.mark.parametrize("stored", [None, STORED])
def test_check_mode_warns_about_the_new_options(stored):
    assert NO_UPLINK in warnings(stored, internet=True)


def test_check_mode_does_not_warn_about_options_that_are_removed():
    assert NO_UPLINK not in warnings(replace(STORED, internet=True))


def test_no_warning_of_a_network_that_is_removed():
    assert NO_UPLINK not in warnings(replace(STORED, internet=True), state="absent", internet=True)
