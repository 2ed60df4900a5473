"""Execute every code block of docs/ and of every README.md on a managed host, as a reader does."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from ansible_core import BIN
from controller import PLAIN, Controller
from image_cache import ARCHIVE_RECIPE, mount_image, mount_recipe
from image_cache import test_image as cached
from netbox import HOST4
from readme import Executed, block, blocks
from small_image import ROOTFS, make_archive
from testhost import PYTHON, ROOT
from waiting import until

# Each builds images of its own.
long = pytest.mark.long
executes = Executed()
OUTPUT = ("README.md", "text", "$ ansible-playbook -i hosts web.yml")
COMPOSE = ("docs/guide.md", "yaml", "- name: Deploy a Compose file")
NOT_EXECUTED = {
    OUTPUT: "output of the playbook above it; test_example compares it",
    COMPOSE: "test_compose_file executes it with the file",
    ("docs/architecture.md", "mermaid", "flowchart LR"): "a diagram",
    (
        "docs/development.md",
        "yaml",
        "minor_changes:",
    ): "an example of a changelog fragment; the step changelog checks those",
    ("docs/machine.md", "yaml", "driver:"): "part of the scenarios of the step molecule; test_molecule_scenarios.py "
    "compares it with them, and has the command parsed",
}
RUN = 'run() { module=$1; shift; ansible all -i hosts -m "conductor.containers.$module" -a "$*"; }'
INVENTORY = (
    "docs/guide.md",
    "yaml",
    "# fleet.conductor.yml, read after the inventory with the group web: -i hosts -i fleet.conductor.yml",
)
# The image of the block of role container. README.md and the block of role image build the same one.
WEB = {"name": "web", "suite": "trixie", "packages": ["nginx-light"]}
SLEEP = ["/bin/sleep", "infinity"]
# Task of the reader's own roles: it writes a file named after the role.
ROLE = "- ansible.builtin.copy: {content: '{{ shop_version | default(1) }}', dest: /etc/ROLE, mode: '0644'}\n"


def test_every_block_is_executed_by_exactly_one_test():
    assert sorted(key for key, _ in blocks()) == sorted([*executes.keys, *NOT_EXECUTED])


@pytest.fixture
def text(request):
    """Text of the block that the test executes."""
    return block(*request.param)


@pytest.fixture
def reader(bare_host, tmp_path):
    """A controller with the inventory file `hosts`: the test host is the only host of the group web."""
    controller = Controller(tmp_path)
    controller.add_host("alpha", bare_host, ansible_python_interpreter=PYTHON, conductor_host_python=PYTHON)
    # Role host would raise this kernel limit for the machine that runs the tests.
    controller.inventory["alpha"]["conductor_host_inotify_instances"] = 0
    (tmp_path / "hosts").write_text(json.dumps({"web": {"hosts": controller.inventory}}))
    for role in ("nginx", "shop"):
        (tmp_path / "roles" / role / "tasks").mkdir(parents=True)
        (tmp_path / "roles" / role / "tasks" / "main.yml").write_text(ROLE.replace("ROLE", role))
    return controller


def mount_images(host, node):
    """Give `host` each image that `node`, a part of a YAML document, builds from a mirror."""
    if isinstance(node, dict) and "suite" in node:
        mount_recipe(host, node)
    elif isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            mount_images(host, child)


def play(reader, text, *options):
    """Run a block as a playbook; returns its output."""
    (reader.directory / "block.yml").write_text(text)
    printed = reader.run("ansible-playbook", "-i", "hosts", "block.yml", *options)
    # Ansible does not fail if a pattern matches no host.
    assert "failed=0" in printed and re.search(r"ok=[1-9]", printed), printed
    return printed


def play_with_images(reader, host, text, *options):
    """Run a block as a playbook on a host that has the images that the block builds."""
    mount_images(host, yaml.safe_load(text))
    return play(reader, text, *options)


def container(host, name, **options):
    """Create a container of the image debian that sleeps, unless `options` say otherwise."""
    return host.module("conductor_container", **{"name": name, "image": "debian", "command": SLEEP, **options})


def inside(host, name, *argv):
    """Standard output of a command in a container."""
    return host.module("conductor_exec", container=name, argv=list(argv))["stdout"]


def network(host, name):
    """Facts of the network of one container."""
    networks = host.module("conductor_network_info")["networks"]
    return next(one for one in networks if one["container"] == name)


def until_reaches(host, name, peer, port):
    """Wait until a connection from one container to another one is accepted."""
    script = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
    address = network(host, peer)["ipv4"]
    call = ["ip", "netns", "exec", f"conductor-{name}", "python3", "-c", script, address, str(port)]
    until(lambda: host.run(*call, check=False).returncode == 0, f"{name} reaches {peer}")


def until_answers(host, page, port=80):
    """Wait until the web server that the host exposes on `port` answers with `page`."""
    curl = ["curl", "--silent", f"http://{HOST4}:{port}/"]
    until(lambda: page in host.outside.run(*curl, check=False).stdout, "the web server answers")


def results(printed):
    """Titles of plays and tasks in the output of ansible-playbook, each task with its result."""
    return re.findall(r"^(PLAY \[.*?\]|TASK \[.*?\]|\w+: \[alpha\])", printed, re.MULTILINE)


@long
@executes("README.md", "yaml", "- name: Run nginx in a container")
def test_example(bare_host, reader, text):
    printed = play_with_images(reader, bare_host, text)
    until_answers(bare_host, "nginx", 8080)
    shown = block(*OUTPUT)
    # The test host has the image already.
    assert results(printed) == results(shown.replace("changed: [alpha]", "ok: [alpha]", 1)), printed
    assert "changed=3 " in shown and "changed=2 " in printed
    assert "changed=0 " in play(reader, text)


@executes("README.md", "shell", "ansible-galaxy collection build")
def test_install(tmp_path, text):
    # In a copy, since the archive is written to the current directory.
    copy, collections = tmp_path / "copy", tmp_path / "collections"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.tar.gz"))
    settings = {**PLAIN, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_HOME": str(tmp_path / "home")}
    environment = {**os.environ, **settings, "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", text], cwd=copy, env=environment, check=True)
    assert (collections / "ansible_collections/conductor/containers/plugins/modules/conductor_container.py").is_file()


@executes("docs/development.md", "shell", ".venv/bin/python - <<'END'")
def test_host_of_ones_own(text):
    environment = {**os.environ, **PLAIN}
    done = subprocess.run(
        ["bash", "-euc", text], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "'name': 'box'" in done.stdout and "/bin/bash" in done.stdout, done.stderr


@executes("docs/tour.md", "yaml", "- conductor.containers.conductor_container:")
def test_task_of_the_tour(bare_host, reader, cached_image, text):
    mount_image(bare_host, cached_image)
    container(bare_host, "web", state="present")
    bare_host.module("conductor_network", container="web")
    assert "changed=1" in play(reader, yaml.safe_dump([{"hosts": "all", "tasks": yaml.safe_load(text)}]))


@long
@executes("README.md", "yaml", "- hosts: web")
def test_web_tier(bare_host, reader, text):
    # The root of a test host is an overlay, of which the kernel makes no idmapped mounts.
    bare_host.run("sh", "-ec", "mkdir /srv/www; mount -t tmpfs tmpfs /srv/www; echo hello > /srv/www/index.html")
    play_with_images(reader, bare_host, text)
    until_answers(bare_host, "hello")
    until_reaches(bare_host, "web", "cache", 6379)


@long
@executes("docs/guide.md", "shell", RUN)
def test_modules_one_by_one(bare_host, reader, text):
    name, suite, packages = re.search(r"name=(\S+) suite=(\S+) packages=(\S+)'", text).groups()
    mount_recipe(bare_host, {"name": name, "suite": suite, "packages": packages.split(",")})
    environment = {**os.environ, **PLAIN, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euc", text], cwd=reader.directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = re.findall(r"^alpha \| (SUCCESS|CHANGED) =>", done.stdout, re.MULTILINE)
    # Unchanged: the image, which exists already, three info modules, and networks that need no repair.
    assert len(answers) == len(re.findall("^run ", text, re.MULTILINE)) and answers.count("SUCCESS") == 5, done.stdout
    assert bare_host.run("cat", "/root/hello").stdout == "hello"
    assert [one["name"] for one in bare_host.module("conductor_container_info")["containers"]] == ["db"]


def play_tasks(reader, text, *options):
    """Run a block of tasks as a playbook; returns its output."""
    return play(reader, yaml.safe_dump([{"hosts": "web", "tasks": yaml.safe_load(text)}]), *options)


@executes("docs/guide.md", "yaml", "- name: Create a container and its network")
def test_container_and_network_in_one_task(bare_host, reader, cached_image, text):
    mount_image(bare_host, cached_image)
    container(bare_host, "db")
    bare_host.module("conductor_network", container="db")
    play_tasks(reader, text)
    assert [entry["peer"] for entry in network(bare_host, "box")["peers"]] == ["db"]
    assert "changed=0 " in play_tasks(reader, text)


@long
@executes("docs/guide.md", "yaml", "- name: Deploy a stack")
def test_stack(bare_host, reader, text):
    mount_images(bare_host, yaml.safe_load(text))
    play_tasks(reader, text)
    until_reaches(bare_host, "web-2", "cache", 6379)
    assert "changed=0 " in play_tasks(reader, text)


@long
@executes("docs/guide.md", "yaml", "# compose.yml")
def test_compose_file(bare_host, reader, text):
    """With the task below it."""
    mount_images(bare_host, yaml.safe_load(text))
    (reader.directory / "compose.yml").write_text(text)
    # The root of a test host is an overlay, of which the kernel makes no idmapped mounts.
    bare_host.run("sh", "-ec", "mkdir /srv/shop; mount -t tmpfs tmpfs /srv/shop; mkdir /srv/shop/html")
    bare_host.run("tee", "/srv/shop/html/index.html", stdin="hello")
    play_tasks(reader, block(*COMPOSE))
    until_answers(bare_host, "hello")
    until_reaches(bare_host, "web", "cache", 6379)
    assert "changed=0 " in play_tasks(reader, block(*COMPOSE))


@executes("docs/guide.md", "yaml", "module_defaults:")
def test_defaults_of_all_modules(reader, text):
    tasks = [{"conductor.containers.conductor_image_info": {}}, {"conductor.containers.conductor_network_info": {}}]
    printed = play(reader, yaml.safe_dump([{"hosts": "web", "tasks": tasks, **yaml.safe_load(text)}]), "-vvv")
    assert len(re.findall("lock_timeout: 300", printed)) == len(tasks), printed


def fleet(reader, text):
    """Write the inventory block to the file named in its first line; returns the options of that line."""
    about = text.partition("\n")[0]
    (reader.directory / about.split()[1].rstrip(",")).write_text(text)
    return about.partition(": ")[2].split()


@long
@executes(*INVENTORY)
def test_containers_in_the_inventory(bare_host, reader, cached_image, text):
    mount_image(bare_host, cached_image)
    container(bare_host, "box")
    container(bare_host, "idle", state="present")
    graph = reader.run("ansible-inventory", *fleet(reader, text), "--graph")
    assert "box.alpha" in graph and "idle" not in graph, graph


@long
@executes("docs/guide.md", "yaml", "- hosts: conductor_image_debian")
def test_play_in_containers(bare_host, reader, text):
    mount_image(bare_host, cached(ARCHIVE_RECIPE))
    container(bare_host, "box")
    # A test host has no mirror, so apt takes packages from an archive in the image.
    sources = "rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/debs ./' > /etc/apt/sources.list"
    inside(bare_host, "box", "/bin/sh", "-c", sources)
    printed = play(reader, text, *fleet(reader, block(*INVENTORY)))
    assert "box.alpha" in printed
    assert "nginx" in inside(bare_host, "box", "curl", "--silent", "http://127.0.0.1/")


@long
@executes("docs/guide.md", "yaml", "- name: Boot a container, and make it a target")
def test_container_as_a_target_of_the_next_play(bare_host, reader, text):
    play_with_images(reader, bare_host, text)
    assert inside(bare_host, "shop", "cat", "/etc/nginx") == "1"
    assert inside(bare_host, "shop", "cat", "/proc/1/comm") == "systemd"


@long
@executes("roles/container/README.md", "yaml", "- hosts: all")
def test_role_container(bare_host, reader, cached_image, text):
    mount_image(bare_host, cached_image)
    mount_recipe(bare_host, WEB)
    container(bare_host, "old")
    play_with_images(reader, bare_host, text)
    assert [one["name"] for one in bare_host.module("conductor_container_info")["containers"]] == ["web"]
    assert inside(bare_host, "web", "cat", "/proc/1/comm") == "nginx"


@long
@executes("roles/deploy/README.md", "yaml", "- hosts: all")
def test_role_deploy(bare_host, reader, text):
    play_with_images(reader, bare_host, text)
    until_answers(bare_host, "nginx")
    until_reaches(bare_host, "web", "db", 5432)


@long
@executes("roles/host/README.md", "yaml", "- hosts: all")
def test_role_host(bare_host, reader, text):
    play_with_images(reader, bare_host, text)
    assert '"pool4": "10.99.0.0/16"' in bare_host.run("cat", "/etc/conductor/conductor.json").stdout
    assert bare_host.run("conductor", "--help").stdout


@long
@executes("roles/image/README.md", "yaml", "- hosts: all")
def test_role_image(bare_host, reader, text):
    archive = make_archive(bare_host, ROOTFS)
    bare_host.module("conductor_image", name="old", source=archive)
    play_with_images(reader, bare_host, text)
    assert [one["name"] for one in bare_host.module("conductor_image_info")["images"]] == ["web"]


@long
@executes("roles/image_from_playbook/README.md", "yaml", "- hosts: all")
def test_role_image_from_playbook(bare_host, reader, text):
    play_with_images(reader, bare_host, text, "-e", "shop_version=7")
    container(bare_host, "look", image="web")
    assert inside(bare_host, "look", "cat", "/etc/nginx", "/etc/shop") == "77"


@long
@executes("roles/network/README.md", "yaml", "- hosts: all")
def test_role_network(bare_host, reader, cached_image, text):
    mount_image(bare_host, cached_image)
    for name in ("web", "db"):
        container(bare_host, name)
    play_with_images(reader, bare_host, text)
    assert network(bare_host, "web")["peers"] == [{"peer": "db", "ports": ["5432/tcp"]}]
