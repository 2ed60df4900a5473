"""The role's service runs in a machine."""


def test_service_runs_and_no_unit_has_failed(host):
    assert host.service("served").is_running
    assert host.service("served").is_enabled
    assert host.check_output("systemctl is-system-running") == "running"
    assert host.check_output("hostname") == "served.example"
