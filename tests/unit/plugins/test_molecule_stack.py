"""Platforms of molecule's docker driver become containers with systemd."""

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.conductor.containers.plugins.filter.molecule_stack import molecule_stack
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.merge import parse_changes
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import parse_exposes
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import parse_stack

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


def container_of(platform, options=None):
    """Return the options of the container for a platform, of which a stack with this container can be parsed."""
    container = molecule_stack([{"name": "a", "image": "debian12", **platform}], [], options)["containers"]["a"]
    (member,) = parse_stack({"name": "s", "containers": {"a": container}}).members.values()
    parse_changes(dict(member.options))
    return container


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ({"hostname": "web"}, {"hostname": "web"}),
        ({"env": {"A": "b", "N": 1}}, {"env": {"A": "b", "N": "1"}}),
        ({"capabilities": ["SYS_TIME"]}, {"capabilities": {"add": ["SYS_TIME"], "drop": []}}),
        ({"cap_drop": ["CHOWN"]}, {"capabilities": {"add": [], "drop": ["CHOWN"]}}),
        ({"sysctls": {"net.core.somaxconn": 7}}, {"sysctls": {"net.core.somaxconn": "7"}}),
        ({"memory": "512m", "memory_swap": "unlimited"}, {"memory": str(512 << 20), "memory_swap": "unlimited"}),
        ({"memory": 512 << 20, "memory_swap": "1g"}, {"memory": str(512 << 20), "memory_swap": str(1 << 30)}),
        ({"shm_size": "128M"}, {"shm_size": str(128 << 20)}),
        ({"devices": ["/dev/fuse:/dev/fuse:rwm"]}, {"devices": ["/dev/fuse:/dev/fuse:rwm"]}),
        ({"devices": "/dev/net/tun"}, {"devices": ["/dev/net/tun"]}),
        ({"ulimits": ["nofile:1024:2048", "core=0"]}, {"ulimits": ["nofile:1024:2048", "core:0"]}),
        ({"restart_policy": "always", "restart_retries": 3}, {"restart_policy": "always", "restart_retries": 0}),
        ({"restart_policy": "on-failure"}, {"restart_policy": "on-failure", "restart_retries": 0}),
        (
            {"restart_policy": "on-failure", "restart_retries": 3},
            {"restart_policy": "on-failure", "restart_retries": 3},
        ),
        ({"labels": {"tier": "front"}}, {"labels": {"tier": "front"}}),
        ({"dns_servers": ["192.0.2.53"]}, {"network": {"dns": ["192.0.2.53"]}}),
        ({"etc_hosts": {"db.test": "192.0.2.7"}}, {"network": {"extra_hosts": {"db.test": ["192.0.2.7"]}}}),
        ({"etc_hosts": "{'db.test': '192.0.2.7'}"}, {"network": {"extra_hosts": {"db.test": ["192.0.2.7"]}}}),
        (
            {"volumes": ["/sys/fs/cgroup:/sys/fs/cgroup:rw", "/srv/data:/data:ro"]},
            {"mounts": [{"type": "bind", "source": "/srv/data", "target": "/data", "read_only": True}]},
        ),
        (
            {"volumes": ["/tmp:/shared"]},
            {"mounts": [{"type": "bind", "source": "/tmp", "target": "/shared", "read_only": False}]},
        ),
        (
            {"tmpfs": ["/run", "/tmp:exec", "/var/cache:size=64m"]},
            {"mounts": [{"type": "tmpfs", "target": "/var/cache", "read_only": False, "size": str(64 << 20)}]},
        ),
        (
            {"tmpfs": {"/run": "rw", "/cache": "ro"}},
            {"mounts": [{"type": "tmpfs", "target": "/cache", "read_only": True}]},
        ),
    ],
)  # fmt: skip
def test_options_of_a_platform(platform, expected):
    assert {**container_of({}), **expected} == container_of(platform)


def test_options_of_a_platform_take_the_place_of_those_for_all_platforms():
    options = {
        "memory": "1g", "internet": True, "expose": ["22-2222"], "network": {"mtu": 1400, "dns": ["192.0.2.1"]},
    }  # fmt: skip
    platform = {"memory": "512m", "published_ports": ["8080:80"], "dns_servers": ["192.0.2.53"]}
    container = container_of(platform, options)
    assert (container["memory"], container["internet"]) == (str(512 << 20), True)
    assert container["network"] == {"mtu": 1400, "dns": ["192.0.2.53"]}
    assert [entry["host_port"] for entry in container["expose"]] == ["8080"]
    inside = {"network": {"expose": ["22-2222"], "mtu": 1400}}
    assert container_of({"published_ports": ["8080:80"]}, inside)["network"] == {"mtu": 1400}
    swap = container_of({"memory_swap": "2g"}, {"memory": "1g"})
    assert (swap["memory"], swap["memory_swap"]) == (str(1 << 30), str(2 << 30))


@pytest.mark.parametrize(
    "platform",
    [
        # Images of docker, and the reasons why systemd works in it.
        {"dockerfile": "Dockerfile.j2", "pull": True, "registry": {"url": "registry.test"}, "buildargs": {"A": "b"}},
        {"command": "/lib/systemd/systemd", "override_command": False, "tty": True, "systemd": "always"},
        {"security_opts": ["seccomp=unconfined", "apparmor:unconfined"], "user": "root", "network_mode": "bridge"},
        {"groups": ["web"], "children": ["front"], "exposed_ports": ["80/tcp"], "x-note": "ours"},
        {"volumes": ["/sys/fs/cgroup/:/sys/fs/cgroup:ro", "/sys/fs/cgroup/systemd:/sys/fs/cgroup/systemd"]},
        {"volumes": "/sys/fs/cgroup:/sys/fs/cgroup:ro", "tmpfs": "/run/,/tmp"},
        # Values that change nothing.
        {"links": [], "user": "", "pid_mode": None, "networks": [], "hostname": False},
    ],
)
def test_options_without_an_effect_on_a_container_are_accepted(platform):
    assert container_of(platform) == container_of({})


@pytest.mark.parametrize(
    ("platform", "problem"),
    [
        ({"user": "app"}, "platforms.a.user: not supported. Omit it, and set conductor_user"),
        ({"network_mode": "host"}, "platforms.a.network_mode: not supported."),
        ({"networks": [{"name": "n"}]}, "platforms.a.networks: not supported. Omit it, and connect"),
        ({"security_opts": ["seccomp=unconfined", "no-new-privileges"]}, "platforms.a.security_opts: not supported."),
        ({"cap_add": ["SYS_TIME"]}, "platforms.a.cap_add: not supported. List them in capabilities"),
        ({"volumess": ["/a:/b"]}, "platforms.a.volumess: not supported. Omit it, or set an option"),
        ({"volumes": ["/sys/fs/cgroup:/sys/fs/cgroup", "data:/d"]}, "platforms.a.volumes[1]: data is a named volume"),
        ({"volumes": ["./data:/data"]}, "platforms.a.volumes[0]: source of /data 'data' is not an absolute path"),
        ({"volumes": ["/a:/data", "/b:/data"]}, "platforms.a.volumes: /data is the target of more than one mount"),
        ({"tmpfs": ["/run", "/cache:noexec"]}, "platforms.a.tmpfs[1]: option 'noexec' is not supported"),
        ({"memory": "much"}, "platforms.a.memory: 'much' is not a size"),
        ({"memory_swap": "1g"}, "platforms.a.memory_swap: less than the memory limit, or no"),
        ({"ulimits": ["nofile"]}, "platforms.a.ulimits: 'nofile' is not NAME:SOFT or"),
        ({"etc_hosts": "db.test"}, "platforms.a.etc_hosts: 'db.test' is not a mapping"),
        ({"dns_servers": ["dns.test"]}, "platforms.a.dns_servers: 'dns.test'"),
        ({"restart_policy": "sometimes"}, "platforms.a.restart_policy: 'sometimes' is not a policy"),
    ],
)  # fmt: skip
def test_options_that_containers_lack_are_refused_with_their_platform(platform, problem):
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(problem)}"):
        molecule_stack([{"name": "a", "image": "debian12", **platform}], [])


def test_all_problems_of_all_platforms_are_reported_together():
    platforms = [{"name": name, "image": "debian12", "links": ["c"], "pid_mode": "host"} for name in ("a", "b")]
    with pytest.raises(AnsibleFilterError) as caught:
        molecule_stack(platforms, [])
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "platforms.a.links", "platforms.a.pid_mode", "platforms.b.links", "platforms.b.pid_mode",
    ]  # fmt: skip


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
