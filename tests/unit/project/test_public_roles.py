"""The judgement of public roles that tests/vm applies on a machine and in a container."""

import json

import pytest
from public_roles import EXPECTED, ROLES, Outcome, outcome, problems

REDIS, HAPROXY, NTP = "geerlingguy.redis", "geerlingguy.haproxy", "geerlingguy.ntp"
PASSED = Outcome(proof="PONG")
NO_PACKAGES = Outcome(failed=("lists of packages: Failed to update apt cache",))
REFUSED = Outcome(failed=("geerlingguy.haproxy : Copy HAProxy configuration in place.: failed to validate",))
CONNECTED = Outcome(proof="connected")
ENABLED = Outcome(proof="Etc/UTC\nenabled")
STARTED_AGAIN = Outcome(
    changed_again=("geerlingguy.ntp : Ensure NTP is running and enabled as configured.",), proof=ENABLED.proof
)


def judged(role, container, machine, suite="trixie"):
    return problems(role, suite, {"container": container, "machine": machine})


@pytest.mark.parametrize(
    ("same", "problem"),
    [
        (NO_PACKAGES, "failed: lists of packages: Failed to update apt cache"),
        (Outcome(changed_again=("redis : config",), proof="PONG"), "changed by the second time: redis : config"),
        (Outcome(proof="loading"), "no '^PONG$' in the output of the proof: loading"),
        (Outcome(proof=None), "no '^PONG$' in the output of the proof: None"),
    ],
)
def test_same_outcome_on_both_does_not_pass_unless_the_role_worked(same, problem):
    found = judged(REDIS, same, same)
    for target in ("container", "machine"):
        assert any(line.startswith(f"{target}: {problem}") for line in found), found


def test_role_that_worked_on_both_passes():
    assert judged(REDIS, PASSED, PASSED) == []


@pytest.mark.parametrize(
    ("container", "machine"), [(NO_PACKAGES, PASSED), (PASSED, NO_PACKAGES), (Outcome(proof="PONG 2"), PASSED)]
)
def test_different_outcomes_do_not_pass(container, machine):
    assert judged(REDIS, container, machine)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_time_service_that_starts_again_in_a_container_passes(suite):
    assert judged(NTP, STARTED_AGAIN, ENABLED, suite) == []


@pytest.mark.parametrize(
    ("container", "machine"),
    [
        (ENABLED, ENABLED),
        (STARTED_AGAIN, STARTED_AGAIN),
        (NO_PACKAGES, ENABLED),
        (Outcome(failed=("proof: non-zero return code",), changed_again=STARTED_AGAIN.changed_again), ENABLED),
        (Outcome(changed_again=(*STARTED_AGAIN.changed_again, "restart ntp"), proof=ENABLED.proof), ENABLED),
        (Outcome(changed_again=STARTED_AGAIN.changed_again, proof="Etc/UTC"), ENABLED),
    ],
)
def test_no_other_outcome_of_the_time_service_passes(container, machine):
    assert judged(NTP, container, machine)


def test_configuration_that_haproxy_refuses_passes_on_debian_13_only():
    assert judged(HAPROXY, REFUSED, REFUSED) == [] and judged(HAPROXY, CONNECTED, CONNECTED, "bookworm") == []
    assert judged(HAPROXY, REFUSED, REFUSED, "bookworm") and judged(HAPROXY, NO_PACKAGES, NO_PACKAGES)
    assert judged(HAPROXY, CONNECTED, CONNECTED) and judged(HAPROXY, REFUSED, CONNECTED)


def test_expected_outcomes_are_of_known_roles():
    assert {role for role, _, _ in EXPECTED} <= set(ROLES) and all(role.answers for role in ROLES.values())


def test_service_that_is_inactive_does_not_pass():
    inactive = Outcome(proof="inactive\n42")
    assert judged("geerlingguy.php", inactive, inactive)


def test_outcome_is_read_from_the_results_of_the_tasks(tmp_path):
    results = tmp_path / "results"
    lines = [
        ("redis : install", "changed", {}),
        ("second time begins", "ok", {}),
        ("redis : install", "ok", {}),
        ("redis : config", "changed", {}),
        ("redis : log", "failed", {"msg": "no such file"}),
        ("proof", "changed", {"cmd": "redis-cli ping", "stdout": "PONG"}),
        ("end", "ok", {}),
    ]
    results.write_text("".join(json.dumps({"task": t, "status": s, "result": r}) + "\n" for t, s, r in lines))
    assert outcome(results) == Outcome(("redis : log: no such file",), ("redis : config",), "PONG")
