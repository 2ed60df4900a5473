"""conductor_stack with a Compose document: a file of the controller, and a definition in the task."""

import json

import pytest
import yaml
from controller import Controller
from image_cache import mount_image
from netbox import HOST4, Inside, end_servers, is_refused, reaches, serve

COMPOSE = """
services:
  web:
    image: ${IMAGE:-debian}
    command: sh -c 'test -e /seen/$${READY} && exec sleep infinity'
    env_file: web.env
    ports:
      - "8080:80"
    volumes:
      - ./seen:/seen:ro
    depends_on:
      db:
        condition: service_healthy
  db:
    image: debian
    entrypoint: [sh, -c]
    command: ["sleep 0.3; touch /seen/db; exec sleep infinity"]
    volumes:
      - ./seen:/seen
    healthcheck:
      test: [CMD, test, -e, /seen/db]
      interval: 1s
      retries: 20
    restart: unless-stopped
    networks: [default, back]
  other:
    image: debian
    command: sleep infinity
    networks: [back]
networks:
  back:
    internal: true
"""
TASK = {"name": "shop", "src": "compose.yml", "project_directory": "/run/shop"}


@pytest.fixture
def shop(bare_host, cached_image, tmp_path):
    """A controller with a Compose file, and the host with the directory that its services mount."""
    mount_image(bare_host, cached_image)
    # The root of a test host is an overlay, of which the kernel makes no idmapped mounts.
    bare_host.run(
        "sh", "-ec", "mkdir -p -m 755 /run/shop/seen; mount -t tmpfs tmpfs /run/shop/seen; chmod 777 /run/shop/seen"
    )
    (tmp_path / "compose.yml").write_text(COMPOSE)
    (tmp_path / "web.env").write_text("READY=${NAME}\n")
    (tmp_path / ".env").write_text("NAME=none\n")
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host)
    return controller


def deploy(shop, check=True, **options):
    task = {"conductor.containers.conductor_stack": {**TASK, "environment": {"NAME": "db"}, **options}}
    return shop.playbook(task, options=["-v"], check=check)


def states(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


def test_compose_file_is_deployed_unchanged_and_removed(shop, bare_host):
    printed = deploy(shop)
    assert "changed=1" in printed and printed.index("start container db") < printed.index("start container web")
    assert states(bare_host) == dict.fromkeys(("web", "db", "other"), "running")
    web, db, other = (Inside(bare_host, name) for name in ("web", "db", "other"))
    for box, port in ((web, 80), (db, 5432), (other, 5432)):
        serve(box, port)
    assert reaches(bare_host.outside, HOST4, 8080)
    assert reaches(web, db.addresses()[0], 5432) and reaches(other, db.addresses()[0], 5432)
    assert is_refused(web, other.addresses()[0], 5432)
    networks = {one["container"]: one for one in bare_host.module("conductor_network_info")["networks"]}
    assert {name: one["internet"] for name, one in networks.items()} == {"web": True, "db": True, "other": False}
    end_servers()
    assert "changed=0" in deploy(shop)
    # A key that is removed from the file loses its effect.
    (shop.directory / "compose.yml").write_text(COMPOSE.replace("restart: unless-stopped", "labels: ['a=${NONE}']"))
    printed = deploy(shop)
    assert "changed=1" in printed and "variable NONE is not set" in " ".join(printed.split())
    (facts,) = bare_host.module("conductor_container_info", name=["db"])["containers"]
    assert facts["restart_policy"] == "no" and facts["env"] == {}
    assert "changed=1" in deploy(shop, state="absent") and states(bare_host) == {}


def test_mistakes_in_a_file_are_reported_by_line_before_anything_is_changed(shop, bare_host):
    (shop.directory / "compose.yml").write_text(
        "services:\n  web:\n    image: debian\n    mem_reservation: 1g\n    tty: true\n"
    )
    printed = deploy(shop, check=False)
    assert "compose.yml:4: services.web.mem_reservation: not supported" in printed
    assert "compose.yml:5: services.web.tty: not supported" in printed and "failed=1" in printed
    assert "Traceback" not in printed and states(bare_host) == {}
    assert "mutually exclusive" in deploy(shop, check=False, containers={"web": {}})
    assert "src none.yml does not exist on the controller" in deploy(shop, check=False, src="none.yml")


def test_definition_in_the_task_needs_no_file(host):
    definition = yaml.safe_load(COMPOSE)
    for service in definition["services"].values():
        service.pop("volumes", None)
        service.pop("env_file", None)
    definition["services"]["web"] |= {"command": "sleep infinity", "environment": ["TOKEN"]}
    definition["services"]["db"]["command"] = ["touch /run/db; exec sleep infinity"]
    definition["services"]["db"]["healthcheck"] = {"test": "test -e /run/db", "interval": "1s"}
    options = {"name": "shop", "definition": definition, "environment": {"TOKEN": "very-secret"}}
    foreseen = host.module("conductor_stack", **options, check=True)
    made = host.module("conductor_stack", **options)
    assert sorted(made["actions"]) == sorted(foreseen["actions"]) and states(host).keys() == {"web", "db", "other"}
    assert made["containers"]["web"]["env"] == {"TOKEN": "very-secret"}
    assert "very-secret" not in json.dumps(made["invocation"])
    assert not host.module("conductor_stack", **options)["changed"]
    refused = host.module("conductor_stack", name="shop", definition={"services": {"web": {"build": "."}}}, fails=True)
    assert refused["msg"].startswith("shop: services.web.build: not supported. Set x-conductor")
    refused = host.module("conductor_stack", name="shop", src="compose.yml", fails=True)
    assert "Use definition" in refused["msg"]
    host.module("conductor_stack", name="shop", state="absent")
