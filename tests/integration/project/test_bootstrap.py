"""script/bootstrap on a managed host, which it must not make run the daemons of the tests."""

import os
import shutil

from testhost import ROOT

UNITS = "/etc/systemd/system"
# The packages are not installed: the test sees the state before apt-get.
STUBS = {
    "dpkg-query": 'case "$*" in *lxcfs|*openssh-server) ;; *) echo installed ;; esac',
    "apt-get": "[ $1 = update ] || exit 9",
}


def test_services_of_new_packages_are_masked_before_they_are_installed(bare_host, tmp_path):
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script/bootstrap", tmp_path / "script")
    for name, text in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    bare_host.run(
        "sh", "-c", f"mkdir -p {UNITS}; cd {UNITS}; rm -f ssh.service ssh.socket lxcfs.service; touch ssh.socket"
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = bare_host.run(str(tmp_path / "script/bootstrap"), "test", check=False, env={"PATH": path})
    assert done.returncode == 9, done
    assert "run: systemctl unmask ssh.service lxcfs.service\n" in done.stderr
    for unit, target in {
        "ssh.service": "/dev/null",
        "lxcfs.service": "/dev/null",
        "ssh.socket": f"{UNITS}/ssh.socket",
    }.items():
        assert bare_host.run("readlink", "-f", f"{UNITS}/{unit}").stdout == f"{target}\n", unit
