"""The examples of the modules' documentation, run on a prepared host."""

import json
import os

import pytest
import yaml
from controller import Controller
from image_cache import mount_image, mount_recipe
from testhost import PYTHON, ROOT

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
COMPOSE = "services: {notes: {image: debian, command: sleep infinity, ports: ['${NOTES_PORT}:80']}}\n"
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
    "conductor_image": [],
    "conductor_image_info": [],
    "conductor_network": RUNNING,
    "conductor_network_info": CONNECTED,
    "conductor_peer": CONNECTED,
    "conductor_stack": [],
}
IMAGE_MODULE = "conductor.containers.conductor_image"
STACK_MODULE = "conductor.containers.conductor_stack"


def examples(module: str) -> list[dict]:
    """Tasks or plays of the EXAMPLES of a module."""
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    return yaml.safe_load(text.partition('EXAMPLES = r"""')[2].partition('"""')[0])


def needs_a_mirror(task: dict) -> bool:
    """Whether a task builds an image from a mirror or installs packages from one: a test host has none."""
    return any("suite" in image or "apt-get" in str(image.get("commands")) for image in images(task))


def images(task: dict) -> list[dict]:
    """Options of the images that a task builds."""
    if IMAGE_MODULE in task:
        return [task[IMAGE_MODULE]]
    stack = task.get(STACK_MODULE, {})
    services = stack.get("definition", {}).get("services", {}).values()
    return [*stack.get("images", []), *(service["x-conductor"] for service in services if "x-conductor" in service)]


@pytest.fixture
def reader(bare_host, cached_image, tmp_path):
    """A controller with a host that has an image `debian` as its reader may have made it."""
    mount_image(bare_host, cached_image, "base")
    bare_host.run("sh", "-ec", HOST)
    # Made by a mirror in the examples, which a test host has not.
    for name in ("system", "web"):
        mount_image(bare_host, cached_image, name)
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
    (tmp_path / "compose.yml").write_text(COMPOSE)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello\n")
    return controller


@pytest.mark.parametrize("module", BEFORE)
def test_examples_of_a_module_work_as_they_stand(reader, module):
    tasks = [*BEFORE[module], *(task for task in examples(module) if not needs_a_mirror(task))]
    assert len(tasks) > len(BEFORE[module])
    printed = reader.playbook(*tasks, options=["-e", json.dumps({"token": "secret"})])
    assert "failed=0" in printed and "unreachable=0" in printed


@pytest.mark.parametrize("module", ["conductor_container", "conductor_image", "conductor_stack"])
def test_examples_that_need_a_mirror_are_understood_in_check_mode(bare_host, tmp_path, module):
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host)
    tasks = [task for task in examples(module) if needs_a_mirror(task)]
    printed = controller.playbook(*tasks, options=["--check", "-v"])
    assert tasks and f"ok={len(tasks)} " in printed and f"changed={len(tasks)} " in printed, printed
    for task in tasks:
        assert all(f"build image {image['name']}" in printed for image in images(task))
    assert not bare_host.run("ls", "-A", "/var/lib/conductor").stdout


def test_example_of_conductor_target_is_a_playbook_that_works(bare_host, tmp_path):
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host, ansible_python_interpreter=PYTHON, conductor_host_python=PYTHON)
    plays = examples("conductor_target")
    mount_recipe(bare_host, plays[0]["tasks"][0][IMAGE_MODULE])
    (tmp_path / "hosts").write_text("[fleet]\ntarget\n")
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
    (tmp_path / "roles/nginx/tasks").mkdir(parents=True)
    role = "- ansible.builtin.copy: {content: here, dest: /etc/nginx, mode: '0644'}\n"
    (tmp_path / "roles/nginx/tasks/main.yml").write_text(role)
    controller.run("ansible-playbook", "-i", "hosts", "play.yml")
    mark = bare_host.module("conductor_exec", container="web", argv=["/bin/cat", "/etc/nginx"])
    assert mark["stdout"] == "here"
