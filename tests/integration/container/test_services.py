"""A whole Debian at work in its own range of ids: apt installs, systemd starts, what users run runs."""

import image_cache
import pytest

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
INSTALL = f"""
export DEBIAN_FRONTEND=noninteractive
rm -f /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/debs ./' > /etc/apt/sources.list
apt-get update
apt-get install --yes --no-install-recommends {image_cache.SERVICES}
"""
SSH = """
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
ssh -o StrictHostKeyChecking=no root@localhost id -u
"""


@pytest.fixture
def system(bare_host):
    """Runs a script as root in a booted container that has the services installed; its output."""
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.ARCHIVE_RECIPE))
    bare_host.module("conductor_container", name="system", image="debian", init=True, wait=BOOTED)

    def run(script):
        return bare_host.module("conductor_exec", container="system", argv=["/bin/sh", "-ec", script])["stdout"]

    run(INSTALL)
    yield run
    bare_host.module("conductor_container", name="system", state="absent")


def test_apt_installs_and_systemd_runs_sshd_postgresql_and_nginx(system):
    assert system("cat /proc/self/uid_map").split() == ["0", "524288", "65536"]
    for unit in ("ssh", "nginx", "postgresql@17-main"):
        system(f"systemctl is-active {unit} || {{ systemctl status {unit}; journalctl -n 50 -u {unit}; exit 1; }}")
    assert system(SSH) == "0"
    assert "Welcome to nginx" in system("curl --silent --show-error http://localhost/")
    system("su postgres -c \"psql -c 'create table t as select generate_series(1, 1000) n'\"")
    assert system("su postgres -c \"psql -Atc 'select sum(n) from t'\"") == "500500"
    assert system("stat -c %U /var/lib/postgresql/17/main; systemctl --failed --plain --no-legend") == "postgres"
