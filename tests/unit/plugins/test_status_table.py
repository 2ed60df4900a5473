"""The table of playbook status.yml."""

from datetime import datetime, timedelta, timezone

from ansible_collections.conductor.containers.plugins.filter.status_table import status_table


def test_columns_are_aligned_without_empty_cells():
    started = datetime.now(timezone.utc) - timedelta(hours=25, seconds=5)
    lines = status_table(
        [
            {"name": "db", "state": "exited", "exit_code": 3, "image": "debian", "addresses": []},
            {
                "name": "a-long-name",
                "state": "running",
                "image": "debian",
                "addresses": ["10.87.0.2"],
                "started_at": started.isoformat(),
            },
        ],
        networks=[
            {
                "container": "a-long-name",
                "internet": True,
                "expose": [{"host_ip": None, "host_port": 80, "container_port": "8080", "protocol": "tcp"}],
                "peers": [{"peer": "db", "ports": ["5432/tcp"]}],
                "drift": ["eth0 is missing"],
            }
        ],
    )
    assert [line.split("  ")[0] for line in lines] == ["NAME", "db", "a-long-name"]
    assert lines[1].split() == ["db", "exited", "(3)", "debian", "-", "-", "-", "-", "-", "-"]
    assert lines[2].split() == [
        "a-long-name", "running", "debian", "1d1h", "10.87.0.2", "yes", "80->8080/tcp", "db(5432/tcp)",
        "eth0", "is", "missing",
    ]  # fmt: skip
    assert lines[0].index("IMAGE") == lines[1].index("debian") == lines[2].index("debian")


def test_host_without_containers():
    assert status_table([]) == ["no containers"]
