"""Platforms of molecule's docker driver become containers with systemd."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.conductor.containers.plugins.filter.molecule_stack import molecule_stack
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import parse_exposes

# As in public roles.
DOCKER = {
    "name": "instance", "image": "geerlingguy/docker-debian12-ansible:latest", "command": "", "privileged": True,
    "volumes": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"], "cgroupns_mode": "host", "pre_build_image": True,
}  # fmt: skip


def test_platform_of_the_docker_driver_is_a_container_with_systemd():
    found = molecule_stack([DOCKER], ["debian"], {"internet": True})
    assert found["suites"] == ["bookworm"]
    container = found["containers"]["instance"]
    assert container.pop("wait")
    assert container == {"image": "molecule-bookworm", "init": True, "internet": True}
    assert found["instances"] == [
        {"instance": "instance", "address": "localhost", "connection": "conductor.containers.conductor"}
    ]


@pytest.mark.parametrize(
    ("image", "present", "used", "suites"),
    [
        ("debian", ["debian"], "debian", []),
        ("debian:13", ["debian"], "molecule-trixie", ["trixie"]),
        ("docker.io/library/debian:bookworm-slim", [], "molecule-bookworm", ["bookworm"]),
        ("molecule-trixie", ["molecule-trixie"], "molecule-trixie", []),
    ],
)
def test_images(image, present, used, suites):
    found = molecule_stack([{"name": "a", "image": image}], present)
    assert (found["containers"]["a"]["image"], found["suites"]) == (used, suites)


def test_options_of_a_platform():
    platform = {
        "name": "a", "image": "debian12", "hostname": "web", "env": {"A": "b"}, "capabilities": ["SYS_TIME"],
        "sysctls": {"net.core.somaxconn": "7"},
    }  # fmt: skip
    container = molecule_stack([platform], [])["containers"]["a"]
    assert {name: container[name] for name in ("hostname", "env", "capabilities", "sysctls")} == {
        "hostname": "web", "env": {"A": "b"}, "capabilities": {"add": ["SYS_TIME"]},
        "sysctls": {"net.core.somaxconn": "7"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "host", "container_port"),
    [
        ("8080:80", "8080/tcp", 80),
        ("0.0.0.0:8053:53/udp", "0.0.0.0:8053/udp", 53),
        ("127.0.0.1:8080:80/tcp", "127.0.0.1:8080/tcp", 80),
        ("[::1]:8080:80", "[::1]:8080/tcp", 80),
        ("9000-9010:9000-9010", "9000-9010/tcp", 9000),
    ],
)
def test_published_ports_have_the_host_port_first(text, host, container_port):
    container = molecule_stack([{"name": "a", "image": "debian12", "published_ports": [text]}], [])["containers"]["a"]
    (found,) = parse_exposes(container["expose"])
    assert (str(found), found.container_port) == (host, container_port)


def test_published_port_without_a_host_port_is_refused_with_its_platform():
    platform = {"name": "a", "image": "debian12", "published_ports": ["8080:80", 443]}
    with pytest.raises(AnsibleFilterError, match=r"platforms\.a\.published_ports\[1\]: 443 has no host port"):
        molecule_stack([platform], [])


def test_unknown_image_is_refused_with_its_platform():
    with pytest.raises(AnsibleFilterError, match="platform a: 'rockylinux9' is not an image of this host"):
        molecule_stack([{"name": "a", "image": "rockylinux9"}], ["debian"])
