"""Keys and values of a Compose document without a counterpart: each error names the place and the remedy."""

import re

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.document import parse_compose
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.service import KEYS
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.unsupported import UNSUPPORTED
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.request import MODULE_OPTIONS

FILES = {"app.env": "A=file\n", "bad.env": "A B\n"}


def refusal(document, **options):
    with pytest.raises(InvalidInput) as caught:
        parse_compose(document, "shop", read_file=FILES.get, **options)
    return str(caught.value)


def refusal_of(service, **options):
    return refusal({"services": {"web": {"image": "debian", **service}}}, **options)


NO_PORT = "has no host port, and no free one is chosen here. Write HOST:CONTAINER in quotes, such as '8080:80'."
NO_VOLUME = "and only bind mounts and tmpfs are supported. Mount a directory of the host: /srv/NAME:/PATH."


@pytest.mark.parametrize(
    ("service", "told"),
    [
        (
            {"deploy": {"update_config": {"delay": "10s"}}},
            "services.web.deploy.update_config.delay: not supported. Omit it: the healthcheck decides when the next",
        ),
        (
            {"deploy": {"update_config": {"failure_action": "continue"}}},
            "services.web.deploy.update_config.failure_action: 'continue' is not supported. Use pause or rollback.",
        ),
        (
            {"deploy": {"update_config": {"order": "first"}}},
            "services.web.deploy.update_config.order: 'first' is invalid. Use stop-first or start-first.",
        ),
        (
            {"deploy": {"update_config": {"parallelism": -1}}},
            "services.web.deploy.update_config.parallelism: -1 is out of range. Set it to 0 or more.",
        ),
        ({"build": "."}, "services.web.build: not supported. Set x-conductor of the service to a recipe, such as"),
        ({"sysctls": {"vm.swappiness": 1}}, "services.web.sysctls: vm.swappiness belongs to the whole host"),
        ({"shm_size": "0"}, "services.web.shm_size: '0' is no size. Set at least 1."),
        ({"secrets": ["a"]}, "services.web.secrets: not supported. Copy the file with conductor_copy, or mount it"),
        ({"extends": {"service": "a"}}, "services.web.extends: not supported. Write the options in full, or share"),
        ({"profiles": ["a"]}, "services.web.profiles: not supported. Omit it, or move the service to a stack of its"),
        ({"comand": "a"}, "services.web.comand: unknown key. Correct it to command."),
        ({"image": "nginx:1.27"}, "services.web.image: 'nginx:1.27' is not the name of an image of the host. Set x-c"),
        ({"image": None}, "services.web: image is missing. Set x-conductor of the service"),
        ({"container_name": "es"}, "services.web.container_name: a container has the name of its service"),
        ({"command": "--verbose"}, "services.web.command: --verbose is not a program, and an image has no entrypoint"),
        ({"command": "echo 'a"}, "services.web.command: \"echo 'a\" cannot be split"),
        ({"ports": ["3000"]}, f"services.web.ports[0]: 3000 {NO_PORT}"),
        ({"ports": ["1:1", "3000-3005"]}, f"services.web.ports[1]: 3000-3005 {NO_PORT}"),
        ({"ports": [8080]}, f"services.web.ports[0]: 8080 {NO_PORT}"),
        ({"ports": ["127.0.0.1::80"]}, f"services.web.ports[0]: 80 {NO_PORT}"),
        ({"ports": [{"target": 80}]}, f"services.web.ports[0]: 80 {NO_PORT}"),
        ({"ports": ["8000-9000:80"]}, "services.web.ports[0]: 8000-9000 has not as many ports as 80, and no free ones"),
        ({"ports": [{"target": 80, "published": "8083-9000"}]}, "ports[0]: 8083-9000 has not as many ports as 80"),
        ({"ports": ["80:80/sctp"]}, "services.web.ports[0]: unknown protocol 'sctp'. Use tcp or udp."),
        ({"ports": ["a:80"]}, "services.web.ports[0]: host_port 'a' is not a port."),
        ({"ports": ["70000:80"]}, "services.web.ports[0]: host_port '70000' is not a port."),
        ({"ports": ["host:1:80"]}, "services.web.ports[0]: host_ip 'host' is not an IP address."),
        ({"ports": ["80:1", "80:2"]}, "services.web.ports: host port 80/tcp is used twice (80/tcp)."),
        ({"ports": [{"published": 80}]}, "services.web.ports[0]: target is missing. Set it to the port in the contai"),
        ({"ports": [{"target": 80, "publish": 80}]}, "services.web.ports[0].publish: unknown key. Correct it to publ"),
        ({"ports": "80:80"}, "services.web.ports: '80:80' is not a list. Give a list."),
        ({"volumes": ["data:/data"]}, f"services.web.volumes[0]: data is a named volume, {NO_VOLUME}"),
        ({"volumes": ["/data"]}, f"services.web.volumes[0]: /data is an anonymous volume, {NO_VOLUME}"),
        ({"volumes": [{"type": "volume", "target": "/a"}]}, "services.web.volumes[0]: volumes are not supported yet"),
        ({"volumes": ["./a:/a"]}, "volumes[0]: ./a is a relative path. Give an absolute path of the host, or set pro"),
        ({"volumes": ["~/a:/a"]}, "services.web.volumes[0]: ~/a depends on a user. Give an absolute path of the host."),
        ({"volumes": ["/a:/a:nocopy"]}, "services.web.volumes[0]: option 'nocopy' is not supported. Use only ro, rw,"),
        ({"volumes": [":/a"]}, "services.web.volumes[0]: ':/a' is not SOURCE:TARGET."),
        ({"volumes": ["/a:a"]}, "services.web.volumes[0]: target 'a' is not an absolute path."),
        ({"volumes": ["/a:/a", "/b:/a"]}, "services.web.volumes: /a is the target of more than one mount."),
        ({"volumes": ["/a:/dev/shm"]}, "services.web.volumes[0]: target /dev/shm is in /dev, which conductor mounts"),
        ({"volumes": [{"type": "npipe"}]}, "services.web.volumes[0]: type 'npipe' is not supported."),
        ({"volumes": [{"type": "bind", "target": "/a"}]}, "services.web.volumes[0]: source is missing."),
        ({"volumes": [{"type": "bind", "source": "/a"}]}, "services.web.volumes[0]: target is missing."),
        ({"volumes": [{"type": "bind", "source": "/a", "target": "/a", "bind": {"propagation": "unbindable"}}]},
         "volumes[0].bind.propagation: 'unbindable' is not supported. Use private, rprivate, slave, rslave, shared"),
        ({"volumes": [{"type": "bind", "source": "/a", "target": "/a", "bind": {"create_host_path": True}}]},
         "services.web.volumes[0].bind.create_host_path: directories of the host are not created."),
        ({"volumes": [{"type": "bind", "source": "/a", "target": "/a", "tmpfs": {}}]}, "[0].tmpfs: the type is bind."),
        ({"volumes": [{"type": "tmpfs", "target": "/a", "tmpfs": {"mode": 8}}]}, "the number 8 is not a mode."),
        ({"volumes": [{"type": "tmpfs", "target": "/a", "source": "/a"}]}, "volumes[0].source: a tmpfs has no source."),
        ({"tmpfs": ["/run", "/tmp:uid=5"]}, "services.web.tmpfs[1]: option 'uid=5' is not supported."),
        ({"tmpfs": "/a:noexec"}, "services.web.tmpfs: option 'noexec' is not supported. Use only size"),
        ({"healthcheck": {"interval": "1s"}}, "services.web.healthcheck: test is missing, and an image has none."),
        ({"healthcheck": {"test": ["curl"]}}, "services.web.healthcheck.test: ['curl'] is not a test. Write [CMD, PR"),
        ({"healthcheck": {"test": []}}, "services.web.healthcheck.test: [] is not a test."),
        ({"healthcheck": {"test": "a", "interval": "1"}}, "services.web.healthcheck.interval: '1' is not a duration."),
        ({"healthcheck": {"test": "a", "retry": 1}}, "healthcheck.retry: unknown key. Correct it to retries."),
        ({"depends_on": ["db"]}, "services.web.depends_on[0]: db is no service. Correct it, or add the service."),
        ({"depends_on": {"db": {}}}, "services.web.depends_on.db: db is no service."),
        ({"depends_on": {"web": {"condition": "service_healthy"}}}, "depends_on.web: web has no healthcheck, so it i"),
        ({"depends_on": {"web": {"condition": "ready"}}}, "services.web.depends_on.web.condition: 'ready' is not a"),
        ({"depends_on": {"web": {"restart": True}}}, "services.web.depends_on.web.restart: not supported. Omit it, a"),
        ({"depends_on": {"web": {"required": False}}}, "services.web.depends_on.web.required: a service is not start"),
        ({"depends_on": ["web"]}, "services.web: depends_on names the entry itself."),
        ({"restart": "sometimes"}, "services.web.restart: 'sometimes' is not a policy. Use no, always, on-failure[:N]"),
        ({"restart": True}, "services.web.restart: True is not a policy."),
        ({"deploy": {"replicas": 5000}}, "services.web.deploy.replicas: 5000 is out of range. Set it to 0 to 4096."),
        ({"deploy": {"mode": "global"}}, "services.web.deploy.mode: not supported. Omit it: deploy has replicas"),
        ({"deploy": {"placement": {}}}, "services.web.deploy.placement: not supported."),
        ({"deploy": {"resources": {"reservations": {}}}}, "services.web.deploy.resources.reservations: not supported."),
        ({"deploy": {"resources": {"limits": {"gpu": 1}}}}, "services.web.deploy.resources.limits.gpu: unknown key."),
        ({"deploy": {"restart_policy": {"delay": "5s"}}}, "services.web.deploy.restart_policy.delay: not supported."),
        ({"deploy": {"restart_policy": {"max_attempts": 3}}}, "max_attempts: requires the condition on-failure."),
        ({"deploy": {"restart_policy": {"condition": "never"}}}, "condition: 'never' is not a condition."),
        ({"cpus": 1, "deploy": {"resources": {"limits": {"cpus": 2}}}},
         "services.web.deploy.resources.limits.cpus: cpus of the service has another value. Omit cpus."),
        ({"scale": 2, "ports": ["80:80"]}, "services.web.ports: 2 containers cannot share it. Omit ports, or set rep"),
        ({"deploy": {"replicas": 2}, "hostname": "a"}, "services.web.hostname: 2 containers cannot share it."),
        ({"scale": -1}, "services.web.scale: -1 is out of range. Set it to 0 to 4096."),
        ({"mem_limit": "lots"}, "services.web.mem_limit: 'lots' is not a size. Give bytes, or a number with b, k, m"),
        ({"mem_limit": "1k"}, "services.web.mem_limit: '1024' is less than 1m, with which no container starts."),
        ({"memswap_limit": "1g"}, "services.web.memswap_limit: less than the memory limit, or no such limit is set."),
        ({"cpus": -1}, "services.web.cpus: -1.0 is not a number."),
        ({"oom_score_adj": 2000}, "services.web.oom_score_adj: 2000 is not in the range of -1000 to 1000."),
        ({"ulimits": {"nofiles": 1}}, "services.web.ulimits: there is no limit 'nofiles'."),
        ({"ulimits": {"nofile": {"soft": 1}}}, "services.web.ulimits.nofile: soft or hard is missing. Set both."),
        ({"cap_add": ["FLY"]}, "services.web.cap_add: 'FLY' is not a capability."),
        ({"security_opt": ["label:user:a"]}, "services.web.security_opt[0]: 'label:user:a' is not supported."),
        ({"userns_mode": "auto"}, "services.web.userns_mode: 'auto' is not supported."),
        ({"user": "a b"}, "services.web.user: 'a b' is not a user."),
        ({"working_dir": "srv"}, "services.web.working_dir: 'srv' is not an absolute path."),
        ({"stop_signal": "SIGNONE"}, "services.web.stop_signal: 'SIGNONE' is not a signal."),
        ({"devices": ["vendor1.com/device=gpu"]}, "services.web.devices: 'vendor1.com/device=gpu' is not a device."),
        ({"expose": ["all"]}, "services.web.expose[0]: 'all' is not a port."),
        ({"environment": "A=b"}, "services.web.environment: 'A=b' is not a mapping or a list."),
        ({"environment": {"A": []}}, "services.web.environment.A: [] is not a string."),
        ({"environment": ["=x"]}, "services.web.environment: '' is not the name of a variable."),
        ({"env_file": "none.env"}, "services.web.env_file: none.env is not a file on the controller. Create it, or s"),
        ({"env_file": ["app.env", "bad.env"]}, "services.web.env_file[1]: line 1 is not NAME=VALUE."),
        ({"env_file": [{"path": "a", "format": "x"}]}, "services.web.env_file[0].format: 'x' is not supported."),
        ({"network_mode": "host"}, "services.web.network_mode: 'host' is not supported. Omit it for a network of its"),
        ({"network_mode": "none", "ports": ["80:80"]}, "services.web.ports: network_mode is none. Omit ports, or net"),
        ({"networks": ["back"]}, "services.web.networks[0]: network back is not declared. Correct it, or add it to"),
        ({"networks": {"default": {"aliases": ["a"]}}}, "services.web.networks.default.aliases: not supported. Omit"),
        ({"networks": "back"}, "services.web.networks: 'back' is not a mapping."),
        ({"ports": ["[fe80::1%eth0]:1:80"]}, "services.web.ports[0]: host_ip 'fe80::1%eth0' has a zone"),
        ({"dns": "fe80::1%"}, "services.web.dns: 'fe80::1%' has an invalid zone"),
        ({"dns": "none"}, "services.web.dns: 'none' is not an IP address"),
        ({"extra_hosts": ["a"]}, "services.web.extra_hosts[0]: 'a' is not HOST=ADDRESS."),
        ({"mac_address": "02"}, "services.web.mac_address: '02'"),
        ({"x-conductor": {"nam": "a"}}, "services.web.x-conductor: unknown option 'nam'. Correct it to name."),
        ({"image": "a:b", "x-conductor": {"suite": "a"}}, "services.web.image: 'a:b' is not the name of an image"),
        ({"x-conductor": {"name": "a:b"}}, "services.web.x-conductor.name: 'a:b' is not a valid name."),
        ({"labels": {"a": "${B"}}, "services.web.labels.a: '${B' has a '${' without its '}'."),
    ],
)  # fmt: skip
def test_mistakes_and_unsupported_values_are_refused_with_their_place_and_a_remedy(service, told):
    assert told in refusal_of(service)


@pytest.mark.parametrize("key", sorted(UNSUPPORTED))
def test_each_key_without_counterpart_is_refused_with_a_remedy(key):
    assert refusal_of({key: "x"}).startswith(f"services.web.{key}: not supported. ")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "the document: not a mapping. Give a mapping"),
        ({}, "services: the document has no services. Add at least one."),
        ({"services": {"web": 5}}, "services.web: 5 is not a mapping."),
        ({"services": {"web": None}}, "services.web: image is missing."),
        ({"services": {"x-web": {"image": "a", "tty": True}}}, "services.x-web.tty: not supported."),
        ({"services": {"a/b": {"image": "a"}}}, "services.a/b: 'a/b' is not a valid name."),
        ({"service": {}}, "service: unknown key. Correct it to services."),
        ({"volumes": {"data": None}}, "volumes: not supported. Omit it, and mount directories of the host"),
        ({"secrets": {"a": {"file": "a"}}}, "secrets: not supported. Copy files with conductor_copy"),
        ({"configs": {"a": {"file": "a"}}}, "configs: not supported. Copy files with conductor_copy"),
        ({"include": ["a.yml"]}, "include: not supported. Copy its services into this document."),
        ({"networks": {"a": {"external": True}}}, "networks.a.external: not supported. Omit it, and add containers of"),
        ({"networks": {"a": {"driver": "macvlan"}}}, "networks.a.driver: not supported. Set bridge, or omit it."),
        ({"networks": {"a": {"ipam": {"config": []}}}}, "networks.a.ipam: not supported. Omit it, and set pool4"),
        ({"networks": {"a": {"internl": True}}}, "networks.a.internl: unknown key. Correct it to internal."),
        ({"networks": []}, "networks: [] is not a mapping."),
        ({"x-conductor": {"images": [{"suite": "a"}]}}, "x-conductor.images[0]: name is missing."),
        (
            {"x-conductor": {"images": [{"name": "a", "state": "absent"}]}},
            "x-conductor.images[0]: unknown option 'state'",
        ),
        ({"x-conductor": {"image": []}}, "x-conductor.image: unknown key. Correct it to images."),
        (
            {"x-conductor": {"images": [{"name": "a", "suite": "x"}, {"name": "a", "suite": "y"}]}},
            "x-conductor.images[1]: image a has another recipe, too. Give it once, and only its name elsewhere.",
        ),
        (
            {"services": {"a": {"image": "x", "scale": 2}, "a-1": {"image": "x"}}},
            "services.a-1: a has a container a-1, too.",
        ),
        (
            {"services": {"a" * 63: {"image": "x", "scale": 2}}},
            f"services.{'a' * 63}: name '{'a' * 63}-1' is not",
        ),
    ],
)
def test_mistakes_outside_of_a_service_are_refused(document, told):
    assert told in refusal(document)


def test_all_mistakes_are_reported_together():
    document = {
        "services": {"web": {"build": ".", "ports": ["80"]}, "db": {"image": "a", "tty": True}},
        "volumes": {"a": {}},
    }
    told = refusal(document, place=lambda path: f"compose.yml:{len(path)}: ").splitlines()
    assert [line.partition(": not")[0].partition(": 80")[0] for line in told] == [
        "compose.yml:1: volumes", "compose.yml:3: services.web.build", "compose.yml:4: services.web.ports[0]",
        "compose.yml:3: services.db.tty",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("defaults", "told"),
    [
        ({"imag": "x"}, "defaults: unknown option 'imag'. Correct it to image."),
        ({"network": 5}, "defaults.network: 5 is not a dictionary. Give a dictionary."),
        ({"network": {"mtuu": 1}}, "defaults.network: unknown option 'mtuu'. Correct it to mtu."),
    ],
)
def test_mistakes_in_defaults_have_no_place_in_the_document(defaults, told):
    assert refusal_of({}, defaults=defaults, place=lambda path: "compose.yml:1: ") == told


@pytest.mark.parametrize(("name", "value"), [("internet", False), ("internet", True), ("expose", ["80-80"])])
def test_default_network_cannot_set_what_the_document_describes(name, value):
    told = refusal_of({}, defaults={"network": {name: value}})
    assert told == f"defaults: {name} of network is set by the Compose document. Omit {name}."


def test_documentation_lists_each_supported_key():
    text = " ".join(MODULE_OPTIONS["definition"].description)
    supported = {*KEYS.difference(UNSUPPORTED), "replicas", "resources.limits", "restart_policy", "update_config"}
    assert [key for key in sorted(supported) if not re.search(rf"C\({key}[)=]", text)] == []
