"""Platforms of molecule's docker driver become containers with systemd."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.conductor.containers.plugins.filter.molecule_stack import molecule_stack

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
        "published_ports": ["8080:80"], "sysctls": {"net.core.somaxconn": "7"},
    }  # fmt: skip
    container = molecule_stack([platform], [])["containers"]["a"]
    assert {name: container[name] for name in ("hostname", "env", "capabilities", "expose", "sysctls")} == {
        "hostname": "web", "env": {"A": "b"}, "capabilities": {"add": ["SYS_TIME"]}, "expose": ["8080:80"],
        "sysctls": {"net.core.somaxconn": "7"},
    }  # fmt: skip


def test_unknown_image_is_refused_with_its_platform():
    with pytest.raises(AnsibleFilterError, match="platform a: 'rockylinux9' is not an image of this host"):
        molecule_stack([{"name": "a", "image": "rockylinux9"}], ["debian"])
