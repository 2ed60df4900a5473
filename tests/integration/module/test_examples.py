"""The examples of the documentation of modules, filters and lookups, run on a prepared host."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from controller import Controller
from image_cache import build_on_this_machine, mount_image, mount_recipe
from plugin_examples import Executed, examples
from testhost import PYTHON, ROOT

executes = Executed()

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
    "modules/conductor_command": [],
    "modules/conductor_container": [],
    "modules/conductor_container_info": RUNNING,
    "modules/conductor_copy": [*RUNNING, DUMPED],
    "modules/conductor_exec": RUNNING,
    "modules/conductor_image": [],
    "modules/conductor_image_info": [],
    "modules/conductor_network": RUNNING,
    "modules/conductor_network_info": CONNECTED,
    "modules/conductor_peer": CONNECTED,
    "modules/conductor_stack": [],
}
# Plugins whose examples run after those of a module that makes what they need, and a part of what they show.
AFTER = "modules/conductor_network_info"
SHOWN = {
    "filter/molecule_stack": "molecule-bookworm",
    "filter/network_graph": "flowchart LR",
    "filter/status_table": "INTERNET",
    "lookup/inputs_digest": "sha256:",
}
IMAGE_MODULE = "conductor.containers.conductor_image"
STACK_MODULE = "conductor.containers.conductor_stack"


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
    """A controller with a host that has an image `debian` and files, as its reader may have made them."""
    mount_image(bare_host, cached_image, "base")
    bare_host.run("sh", "-ec", HOST)
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
    (tmp_path / "site.conf").write_text("server {}\n")
    (tmp_path / "roles" / "nginx" / "tasks").mkdir(parents=True)
    (tmp_path / "roles" / "nginx" / "tasks" / "main.yml").write_text("[]\n")
    return controller


@executes(*BEFORE, *SHOWN)
@pytest.mark.parametrize("module", BEFORE)
def test_examples_of_a_module_work_as_they_stand(reader, bare_host, cached_image, module):
    # Built from a mirror in the examples; a test host has none.
    for name in ("system", "web"):
        mount_image(bare_host, cached_image, name)
    own = [task for task in examples(module) if not needs_a_mirror(task)]
    shown = SHOWN if module == AFTER else {}
    tasks = [*BEFORE[module], *own, *(task for plugin in shown for task in examples(plugin))]
    printed = reader.playbook(*tasks, options=["-e", json.dumps({"token": "secret"})])
    assert own and "failed=0" in printed and "unreachable=0" in printed
    assert [plugin for plugin, text in shown.items() if text not in printed] == [], printed


@pytest.mark.long
@pytest.mark.parametrize("module", ["modules/conductor_container", "modules/conductor_stack"])
def test_examples_with_images_from_a_mirror_work(reader, bare_host, module):
    for image in (image for task in examples(module) for image in images(task)):
        mount_recipe(bare_host, image)
    printed = reader.playbook(*BEFORE[module], *examples(module))
    assert "failed=0" in printed and "unreachable=0" in printed


@pytest.mark.long
def test_images_of_the_examples_are_built_from_the_mirror():
    """They are built on this machine, as in test_builders.py."""
    directory = ROOT / ".cache" / f"built-examples-{os.getpid()}"
    wanted = [task[IMAGE_MODULE] for task in examples("modules/conductor_image") if needs_a_mirror(task)]
    directory.mkdir(parents=True)
    try:
        built = {options["name"]: build_on_this_machine(directory, **options) for options in wanted}
        assert list(built) == ["debian", "web", "shop"] and all(done["changed"] for done in built.values())
        roots = {name: Path(done["image"]["path"]) for name, done in built.items()}
        assert "The shop's own user" in (roots["web"] / "etc/passwd").read_text()
        assert list(roots["shop"].glob("usr/sbin/php-fpm*"))
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("module", ["conductor_container", "conductor_image", "conductor_stack"])
def test_examples_that_need_a_mirror_are_understood_in_check_mode(bare_host, tmp_path, module):
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host)
    tasks = [task for task in examples(f"modules/{module}") if needs_a_mirror(task)]
    printed = controller.playbook(*tasks, options=["--check", "-v"])
    assert tasks and f"ok={len(tasks)} " in printed and f"changed={len(tasks)} " in printed, printed
    for task in tasks:
        assert all(f"build image {image['name']}" in printed for image in images(task))
    assert not bare_host.run("ls", "-A", "/var/lib/conductor").stdout


@executes("modules/conductor_target")
def test_example_of_conductor_target_is_a_playbook_that_works(bare_host, tmp_path):
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host, ansible_python_interpreter=PYTHON, conductor_host_python=PYTHON)
    plays = examples("modules/conductor_target")
    mount_recipe(bare_host, plays[0]["tasks"][0][IMAGE_MODULE])
    (tmp_path / "hosts").write_text("[fleet]\ntarget\n")
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
    (tmp_path / "roles/nginx/tasks").mkdir(parents=True)
    role = "- ansible.builtin.copy: {content: here, dest: /etc/nginx, mode: '0644'}\n"
    (tmp_path / "roles/nginx/tasks/main.yml").write_text(role)
    controller.run("ansible-playbook", "-i", "hosts", "play.yml")
    mark = bare_host.module("conductor_exec", container="web", argv=["/bin/cat", "/etc/nginx"])
    assert mark["stdout"] == "here"
