"""The examples of the modules' documentation, carried out as they stand on a host that has what they speak of."""

import json
import os

import pytest
import yaml
from controller import Controller
from image_cache import mount_image
from testhost import ROOT

# What a reader has beforehand: the programs and files that examples name, in the image and on the host.
PARSER = "#!/bin/sh\nexec /bin/sleep infinity\n"
INIT_DB = "#!/bin/sh\nmkdir -p /var/lib/db; echo 15 > /var/lib/db/PG_VERSION; echo dump > /var/lib/db/dump.sql\n"
IMAGE = {
    "/usr/bin/parser": PARSER,
    "/usr/local/bin/init-db": INIT_DB,
    "/etc/db/conf/db.conf": "port = 5432\n",
    "/etc/nginx/mime.types": "types {}\n",
    "/var/www/html/old.html": "old\n",
}
HOST = """
mkdir -p /srv/www /srv/shared /srv/backups /etc/conductor
# The root of a test host is an overlay, of which the kernel makes no idmapped mounts.
mount -t tmpfs tmpfs /srv/www
echo hello > /srv/www/index.html; echo logo > /srv/shared/logo.png
echo '{"defaultAction": "SCMP_ACT_ALLOW"}' > /etc/conductor/parser-seccomp.json
"""
RUNNING = [
    {"conductor.containers.conductor_container": {"name": name, "image": "debian"}} for name in ("web", "db")
]  # fmt: skip
CONNECTED = [*RUNNING, *({"conductor.containers.conductor_network": {"container": name}} for name in ("web", "db"))]
DUMPED = {"conductor.containers.conductor_exec": {"container": "db", "argv": ["/usr/local/bin/init-db"]}}
# What must be there before the examples of a module.
BEFORE = {
    "conductor_command": [],
    "conductor_container": [],
    "conductor_container_info": RUNNING,
    "conductor_copy": [*RUNNING, DUMPED],
    "conductor_exec": RUNNING,
    "conductor_image_info": [],
    "conductor_network": RUNNING,
    "conductor_network_info": CONNECTED,
    "conductor_peer": CONNECTED,
}


def examples(module: str) -> list[dict]:
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    tasks = yaml.safe_load(text.partition('EXAMPLES = r"""')[2].partition('"""')[0])
    return [task for task in tasks if "suite" not in task.get("conductor.containers.conductor_image", {})]


@pytest.fixture
def reader(bare_host, cached_image, tmp_path):
    """A controller with a host that has an image `debian` as its reader may have made it."""
    mount_image(bare_host, cached_image, "base")
    bare_host.run("sh", "-ec", HOST)
    # Made by a mirror in the examples, which a test host has not.
    mount_image(bare_host, cached_image, "system")
    bare_host.module("conductor_container", name="template", image="base", command=["/bin/sleep", "infinity"])
    for path, content in IMAGE.items():
        write = f"mkdir -p {os.path.dirname(path)}; cat > {path}; chmod 755 {path}"
        argv = ["/bin/sh", "-ec", write]
        bare_host.module("conductor_exec", container="template", argv=argv, stdin=content, stdin_add_newline=False)
    bare_host.module("conductor_container", name="template", state="stopped")
    bare_host.module("conductor_image", name="debian", source={"container": "template"})
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host)
    (tmp_path / "nginx.conf").write_text("events {}\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello\n")
    return controller


@pytest.mark.parametrize("module", BEFORE)
def test_examples_of_a_module_work_as_they_stand(reader, module):
    tasks = [*BEFORE[module], *examples(module)]
    assert len(tasks) > len(BEFORE[module])
    printed = reader.playbook(*tasks, options=["-e", json.dumps({"token": "secret"})])
    assert "failed=0" in printed and "unreachable=0" in printed
