"""Compose documents as options of conductor_stack: the forms of each key."""

import json

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.merge import parse_changes
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import Expose
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.document import parse_compose
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.service import KEYS, UNSET
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.source import with_containers
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import parse_stack
from hypothesis import given
from hypothesis import strategies as st

FILES = {"app.env": "A=file\nB=${NAME}\n", "raw.env": "A='$x'\n"}


def compose(document, **options):
    return parse_compose(document, "shop", read_file=FILES.get, **options)


def services(document, **options):
    return compose(document, **options).options["containers"]


def web(service, **options):
    """Return the options of the service `web`, with those of `other`, on which it may depend."""
    directory = options.pop("directory", "/srv/shop")
    document = {"services": {"web": {"image": "debian", **service}, "other": {"image": "debian"}}}
    return services(document, directory=directory, **options)["web"]


def test_service_without_options_is_a_container_of_its_name_with_internet():
    assert services({"services": {"web": {"image": "debian"}}}) == {
        "web": {"image": "debian", "hostname": "web", "network": {"internet": True}}
    }


def test_options_that_are_not_in_the_document_have_the_defaults_of_conductor_container():
    options = compose({"services": {"web": {"image": "debian"}}}).options
    assert options["defaults"] == UNSET
    changes = parse_changes({"name": "web", **UNSET})
    assert ContainerSpec(**changes, image="debian") == ContainerSpec("web", "debian")
    described = {name for name, value in changes.items() if name != "name" and value is not None}
    # autostart follows from the restart policy; depends_on and wait are options of the stack.
    others = {"autostart", "depends_on", "hostname", "image", "name", "wait"}
    assert described == {name for name in ContainerSpec.__dataclass_fields__ if name not in others}


def test_defaults_of_the_task_hold_for_what_the_document_does_not_set():
    document = {"services": {"web": {"image": "debian", "environment": {"A": "1"}}, "db": {"mem_limit": "1g"}}}
    defaults = {"image": "base", "memory": "64m", "env": {"B": "2"}, "init": True, "network": {"mtu": 1400}}
    options = compose(document, defaults=defaults).options
    assert options["containers"]["db"]["network"] == {"mtu": 1400, "internet": True}
    stack = parse_stack({"name": "shop", **options}).members
    assert [stack[name].options["image"] for name in ("web", "db")] == ["debian", "base"]
    assert [stack[name].options["memory"] for name in ("web", "db")] == ["64m", str(1 << 30)]
    assert stack["web"].options["env"] == {"A": "1", "B": "2"}
    assert stack["db"].options["command"] is None, "init takes its place"
    assert stack["db"].options["stop_signal"] == "SIGRTMIN+3" and stack["db"].options["init"]


@pytest.mark.parametrize("name", ["internet", "expose", "peers", "depends_on", "count"])
def test_defaults_cannot_set_what_the_document_describes(name):
    with pytest.raises(InvalidInput, match=rf"^defaults: {name} is set by the Compose document. Omit {name}\.$"):
        web({}, defaults={name: 1})


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        # command and entrypoint
        ({"command": "bundle exec thin -p 3000"}, {"command": ["bundle", "exec", "thin", "-p", "3000"]}),
        ({"command": ["sleep", 60]}, {"command": ["sleep", "60"]}),
        ({"command": "sh -c 'echo \"hello $$HOSTNAME\"'"}, {"command": ["sh", "-c", 'echo "hello $HOSTNAME"']}),
        ({"entrypoint": "/code/entry.sh"}, {"command": ["/code/entry.sh"]}),
        ({"entrypoint": ["php", "-d"], "command": "a b"}, {"command": ["php", "-d", "a", "b"]}),
        ({"entrypoint": "/entry", "command": "--verbose"}, {"command": ["/entry", "--verbose"]}),
        ({"entrypoint": [], "command": "a"}, {"command": ["a"]}),
        ({"command": [], "entrypoint": ""}, {}),
        ({"command": None}, {}),
        # environment and env_file
        ({"environment": {"A": "x", "B": 1, "C": True, "D": ""}}, {"env": {"A": "x", "B": "1", "C": "true", "D": ""}}),
        ({"environment": ["A=x=y", "B="]}, {"env": {"A": "x=y", "B": ""}}),
        ({"environment": ["NAME", "UNSET"]}, {"env": {"NAME": "value"}}),
        ({"environment": {"NAME": None, "UNSET": None}}, {"env": {"NAME": "value"}}),
        ({"env_file": "app.env"}, {"env": {"A": "file", "B": "value"}}),
        ({"env_file": ["app.env", "raw.env"]}, {"env": {"A": "'$x'".strip("'"), "B": "value"}}),
        ({"env_file": [{"path": "raw.env", "format": "raw"}]}, {"env": {"A": "'$x'"}}),
        ({"env_file": [{"path": "none.env", "required": False}]}, {}),
        ({"env_file": "app.env", "environment": {"A": "own", "B": None}}, {"env": {"A": "own"}}),
        # process and rights
        ({"user": "postgres"}, {"user": "postgres"}),
        ({"user": 1000}, {"user": "1000"}),
        ({"group_add": ["mail", 2000]}, {"groups": ["mail", "2000"]}),
        ({"hostname": "db.example"}, {"hostname": "db.example"}),
        ({"working_dir": "/srv"}, {"working_dir": "/srv"}),
        ({"environment": {"x-a": "$NAME"}, "labels": {"x-b": "c"}}, {"env": {"x-a": "value"}, "labels": {"x-b": "c"}}),
        ({"labels": ["a=b", "c"]}, {"labels": {"a": "b", "c": ""}}),
        ({"labels": {"a": 1, "b": None}}, {"labels": {"a": "1", "b": ""}}),
        ({"cap_add": ["NET_ADMIN"]}, {"capabilities": {"add": ["NET_ADMIN"], "drop": []}}),
        ({"cap_drop": ["ALL"], "cap_add": ["CAP_CHOWN"]}, {"capabilities": {"add": ["CAP_CHOWN"], "drop": ["ALL"]}}),
        ({"security_opt": ["no-new-privileges:true"]}, {"no_new_privileges": True}),
        ({"security_opt": ["no-new-privileges=false", "seccomp=unconfined"]},
         {"no_new_privileges": False, "seccomp": "unconfined"}),
        ({"security_opt": ["no-new-privileges"]}, {"no_new_privileges": True}),
        ({"privileged": True, "read_only": "true"}, {"privileged": True, "read_only": True}),
        ({"userns_mode": "host"}, {"userns": "host"}),
        ({"devices": ["/dev/sda:/dev/xvda:rwm"]}, {"devices": ["/dev/sda:/dev/xvda:rwm"]}),
        ({"devices": [{"source": "/dev/a", "target": "/dev/b", "permissions": "r"}]}, {"devices": ["/dev/a:/dev/b:r"]}),
        ({"stop_signal": "SIGINT", "stop_grace_period": "1m30s"}, {"stop_signal": "SIGINT", "stop_timeout": 90.0}),
        # limits
        ({"mem_limit": "1.5G"}, {"memory": str(3 << 29)}),
        ({"mem_limit": 10_000_000}, {"memory": "10000000"}),
        ({"mem_limit": "300m", "memswap_limit": "1g"}, {"memory": str(300 << 20), "memory_swap": str(1 << 30)}),
        ({"mem_limit": "300m", "memswap_limit": -1}, {"memory": str(300 << 20), "memory_swap": "unlimited"}),
        ({"cpus": "0.5"}, {"cpus": 0.5}),
        ({"cpuset": "0,2-3"}, {"cpuset": "0,2-3"}),
        ({"cpuset": 1}, {"cpuset": "1"}),
        ({"pids_limit": 10}, {"pids": 10}),
        ({"pids_limit": -1}, {"pids": 0}),
        ({"shm_size": "128m"}, {"shm_size": str(128 << 20)}),
        ({"oom_score_adj": 500}, {"oom_score_adj": 500}),
        ({"ulimits": {"nproc": 65535, "nofile": {"soft": 20000, "hard": 40000}}},
         {"ulimits": ["nproc:65535", "nofile:20000:40000"]}),
        ({"ulimits": {"memlock": -1}}, {"ulimits": ["memlock:-1"]}),
        # restart
        ({"restart": "no"}, {"restart_policy": "no", "restart_retries": 0}),
        ({"restart": False}, {"restart_policy": "no", "restart_retries": 0}),
        ({"restart": "always"}, {"restart_policy": "always", "restart_retries": 0}),
        ({"restart": "unless-stopped"}, {"restart_policy": "unless-stopped", "restart_retries": 0}),
        ({"restart": "on-failure"}, {"restart_policy": "on-failure", "restart_retries": 0}),
        ({"restart": "on-failure:3"}, {"restart_policy": "on-failure", "restart_retries": 3}),
        # deploy
        ({"deploy": {"replicas": 1, "mode": "replicated"}}, {}),
        ({"deploy": {"resources": {"limits": {"cpus": "0.50", "memory": "50M", "pids": 1}}}},
         {"cpus": 0.5, "memory": str(50 << 20), "pids": 1}),
        ({"deploy": {"restart_policy": {}}}, {"restart_policy": "always", "restart_retries": 0}),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, {"restart_policy": "no", "restart_retries": 0}),
        ({"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}},
         {"restart_policy": "on-failure", "restart_retries": 3}),
        ({"mem_limit": "50M", "deploy": {"resources": {"limits": {"memory": "50M"}}}}, {"memory": str(50 << 20)}),
        # accepted without an effect
        ({"expose": [3000, "8000", "8080-8085/tcp"]}, {}),
        ({"x-own": {"a": "$UNSET"}, "attach": False, "container_name": "web"}, {}),
        ({"tty": False, "init": False, "links": [], "build": None, "ipc": "private"}, {}),
    ],
)  # fmt: skip
def test_keys_of_a_service_and_their_options(service, expected):
    found = web(service, variables={"NAME": "value"})
    assert found == {
        "image": "debian",
        "hostname": "web",
        "network": {"internet": True},
        "peers": [{"peer": "other", "direction": "both"}],
        **expected,
    }


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("8000:80", "8000/tcp 80"),
        ("49100:22", "49100/tcp 22"),
        ("6060:6061/udp", "6060/udp 6061"),
        ("9090-9091:8080-8081", "9090-9091/tcp 8080-8081"),
        ("127.0.0.1:8001:80", "127.0.0.1:8001/tcp 80"),
        ("127.0.0.1:5000-5010:5000-5010", "127.0.0.1:5000-5010/tcp 5000-5010"),
        ("[::1]:6001:80", "[::1]:6001/tcp 80"),
        ("::1:6000:80", "[::1]:6000/tcp 80"),
        ({"target": 80, "published": "8080"}, "8080/tcp 80"),
        ({"target": "53", "published": 53, "protocol": "udp", "host_ip": "127.0.0.1", "mode": "host", "name": "dns",
          "app_protocol": "dns"}, "127.0.0.1:53/udp 53"),
    ],
)  # fmt: skip
def test_ports_have_the_host_port_first(port, expected):
    (found,) = web({"ports": [port]})["network"]["expose"]
    expose = Expose.parse(found)
    inner = "-".join(str(port) for port in sorted(set(expose.container_ports)))
    assert f"{expose} {inner}" == expected


@given(st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(["", "/tcp", "/udp"]))
def test_short_ports_are_host_and_container_port(host, container, protocol):
    expose = Expose.parse(web({"ports": [f"{host}:{container}{protocol}"]})["network"]["expose"][0])
    assert (expose.host_port, expose.container_port, expose.protocol) == (host, container, protocol[1:] or "tcp")


def bind(source, target, read_only=False):
    return {"type": "bind", "source": source, "target": target, "read_only": read_only}


def tmpfs(target, read_only=False, **options):
    return {"type": "tmpfs", "target": target, "read_only": read_only, **options}


@pytest.mark.parametrize(
    ("service", "mounts"),
    [
        ({"volumes": ["/srv/www:/var/www"]}, [bind("/srv/www", "/var/www")]),
        ({"volumes": ["./html:/var/www:ro"]}, [bind("/srv/shop/html", "/var/www", True)]),
        ({"volumes": ["../data:/data:rw,z"]}, [bind("/srv/data", "/data")]),
        ({"volumes": [".:/code"]}, [bind("/srv/shop", "/code")]),
        ({"volumes": [{"type": "bind", "source": "./a", "target": "/a", "read_only": True}]},
         [bind("/srv/shop/a", "/a", True)]),
        ({"volumes": [{"type": "bind", "source": "/a", "target": "/a", "consistency": "cached",
                       "bind": {"create_host_path": False, "selinux": "z"}}]}, [bind("/a", "/a")]),
        ({"volumes": [{"type": "tmpfs", "target": "/a", "tmpfs": {"size": "64m"}}]}, [tmpfs("/a", size=str(64 << 20))]),
        ({"volumes": [{"type": "tmpfs", "target": "/run", "tmpfs": {"mode": 0o750}}]}, [tmpfs("/run", mode="750")]),
        ({"tmpfs": "/run"}, [tmpfs("/run")]),
        ({"tmpfs": ["/run:size=1m,ro", "/tmp"]}, [tmpfs("/run", True, size=str(1 << 20)), tmpfs("/tmp")]),
        ({"tmpfs": "/run:rw,nosuid,nodev,exec"}, [tmpfs("/run")]),
        ({"tmpfs": "/run:mode=0700"}, [tmpfs("/run", mode="700")]),
        ({"volumes": ["/a:/a"], "tmpfs": ["/tmp"]}, [bind("/a", "/a"), tmpfs("/tmp")]),
    ],
)  # fmt: skip
def test_bind_mounts_and_tmpfs(service, mounts):
    assert web(service)["mounts"] == mounts


@pytest.mark.parametrize(
    ("healthcheck", "expected"),
    [
        ({"test": ["CMD", "pg_isready"], "interval": "10s", "timeout": "5s", "retries": 5}, (["pg_isready"], 75)),
        ({"test": ["CMD-SHELL", "curl localhost || exit 1"]}, (["/bin/sh", "-c", "curl localhost || exit 1"], 180)),
        ({"test": "curl localhost"}, (["/bin/sh", "-c", "curl localhost"], 180)),
        ({"test": ["CMD", "a"], "interval": "3s", "timeout": "2s", "retries": "5", "start_period": "30s",
          "start_interval": "1s"}, (["a"], 55)),
        ({"test": ["NONE"]}, None),
        ({"test": ["CMD", "a"], "disable": True}, None),
        ({"disable": True}, None),
    ],
)  # fmt: skip
def test_healthcheck_is_a_command_to_wait_for(healthcheck, expected):
    found = web({"healthcheck": healthcheck})
    assert ((found["wait"], found["wait_timeout"]) if "wait" in found else None) == expected


@pytest.mark.parametrize(
    ("depends_on", "expected"),
    [
        (["db", "job"], {"db": "started", "job": "started"}),
        ({"db": {"condition": "service_started"}}, {"db": "started"}),
        ({"db": {}, "job": None}, {"db": "started", "job": "started"}),
        ({"db": {"condition": "service_healthy", "restart": False, "required": True}}, {"db": "ready"}),
        ({"job": {"condition": "service_completed_successfully"}}, {"job": "completed"}),
    ],
)
def test_forms_of_depends_on(depends_on, expected):
    others = {"db": {"image": "debian", "healthcheck": {"test": "true"}}, "job": {"image": "debian"}}
    found = services({"services": {"web": {"image": "debian", "depends_on": depends_on}, **others}})
    assert found["web"]["depends_on"] == expected
    parse_stack({"name": "shop", "containers": found})


def test_services_of_a_common_network_are_peers_and_others_are_not():
    document = {
        "services": {
            "proxy": {"networks": ["front"]},
            "app": {"networks": {"front": None, "back": {}}, "deploy": {"replicas": 2}},
            "db": {"networks": ["back"]},
            "lone": {"network_mode": "none"},
            "one": {},
            "two": {"networks": ["default"]},
            "off": {"networks": ["front"], "scale": 0},
        },
        "networks": {"front": {"driver": "bridge", "name": "x"}, "back": {"internal": True}, "x-one": None},
    }
    for service in document["services"].values():
        service["image"] = "debian"
    found = services(document)
    peers = {name: [one["peer"] for one in entry.get("peers", ())] for name, entry in found.items()}
    assert peers == {"proxy": ["app"], "app": ["app", "db"], "db": [], "lone": [], "one": ["two"], "two": [], "off": []}
    assert [found[name]["network"]["internet"] for name in ("proxy", "app", "db")] == [True, True, False]
    members = parse_stack({"name": "shop", "containers": found}).members
    assert list(members) == ["proxy", "app-1", "app-2", "db", "lone", "one", "two"]
    assert members["lone"].network is None and members["db"].network is not None
    assert all(peer.both and not peer.ports for member in members.values() for peer in member.peers)
    assert [peer.name for peer in members["app-1"].peers] == ["app-2", "db"]


def test_names_and_addresses_of_a_network():
    service = {"dns": "192.0.2.1", "dns_search": ["a.example"], "dns_opt": ["ndots:2"],
               "extra_hosts": ["a=192.0.2.7", "a=[2001:db8::7]", "b:host-gateway", "c:::1"],
               "networks": {"default": {"ipv4_address": "10.87.0.9", "mac_address": "02:00:00:00:00:09"}}}  # fmt: skip
    assert web(service)["network"] == {
        "internet": True, "dns": ["192.0.2.1"], "dns_search": ["a.example"], "dns_options": ["ndots:2"],
        "extra_hosts": {"a": ["192.0.2.7", "2001:db8::7"], "b": ["host-gateway"], "c": ["::1"]},
        "ipv4": "10.87.0.9", "mac": "02:00:00:00:00:09",
    }  # fmt: skip
    assert web({"extra_hosts": {"a": "192.0.2.7"}})["network"]["extra_hosts"] == {"a": ["192.0.2.7"]}
    assert web({"mac_address": "02:00:00:00:00:09"})["network"]["mac"] == "02:00:00:00:00:09"


def test_recipes_of_images():
    document = {
        "x-conductor": {"images": [{"name": "base", "suite": "trixie"}]},
        "services": {
            "web": {"image": "nginx:1.27", "x-conductor": {"name": "nginx", "packages": ["nginx"]}},
            "app": {"build": ".", "x-conductor": {"suite": "trixie", "commands": ["echo $$HOME"]}},
            "job": {"image": "app", "x-conductor": {"suite": "trixie"}},
            "db": {"image": "mariadb:10", "x-conductor": {"name": "base"}},
            "own": {"image": "debian"},
        },
    }
    options = compose(document).options
    images = {name: entry["image"] for name, entry in options["containers"].items()}
    assert images == {"web": "nginx", "app": "shop-app", "job": "app", "db": "base", "own": "debian"}
    assert options["images"] == [
        {"name": "base", "suite": "trixie"},
        {"name": "nginx", "packages": ["nginx"]},
        {"suite": "trixie", "commands": ["echo $HOME"], "name": "shop-app"},
        {"suite": "trixie", "name": "app"},
    ]


def test_variables_without_a_value_are_warned_about_and_empty():
    composed = compose(
        {"services": {"web": {"image": "debian", "environment": ["A=${NONE}x", "B=$COMPOSE_PROJECT_NAME"]}}}
    )
    assert composed.options["containers"]["web"]["env"] == {"A": "x", "B": "shop"}
    assert composed.warnings == [
        "services.web.environment[0]: variable NONE is not set, and an empty string is used. "
        "Set it in environment, or write ${NONE:-}."
    ]


def test_keys_are_not_interpolated():
    assert web({"labels": {"$A": "$A"}}, variables={"A": "a"})["labels"] == {"$A": "a"}


# From schema/compose-spec.json of https://github.com/compose-spec/compose-spec, `service`.
SPECIFICATION = (
    "develop deploy annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command configs "
    "container_name cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset "
    "credential_spec depends_on device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file "
    "label_file environment expose extends provider external_links extra_hosts gpus group_add healthcheck hostname "
    "image init ipc isolation labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit "
    "network_mode models networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop "
    "privileged profiles pull_policy pull_refresh_after read_only restart runtime scale security_opt shm_size secrets "
    "sysctls stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits use_api_socket user uts "
    "userns_mode volumes volumes_from working_dir"
).split()


def test_each_key_of_the_specification_is_known():
    # pre_start is in the text of the specification, but not in its schema.
    assert set(SPECIFICATION) | {"pre_start"} == KEYS


def test_only_one_of_containers_definition_and_src_can_be_given():
    document = {"services": {"web": {"image": "debian"}}}
    for params in ({"containers": {"a": {}}, "definition": document}, {"definition": document, "src": "a"}):
        with pytest.raises(InvalidInput) as caught:
            with_containers({"name": "shop", **params})
        assert "are mutually exclusive" in str(caught.value)
    with pytest.raises(InvalidInput, match=r"^src: a file of the controller"):
        with_containers({"name": "shop", "src": "a"})
    params, warnings = with_containers(
        {"name": "shop", "containers": {}, "definition": document, "images": [{"name": "x"}]}
    )
    assert params["containers"].keys() == {"web"} and params["images"] == [{"name": "x"}] and not warnings
    assert with_containers({"name": "shop", "containers": {"a": {}}})[0]["containers"] == {"a": {}}


def test_variables_are_those_of_the_option_environment():
    document = {"services": {"web": {"image": "debian", "environment": ["A=$A", "B"]}}}
    params, _ = with_containers({"name": "shop", "definition": document, "environment": {"A": 1, "B": "b"}})
    assert params["containers"]["web"]["env"] == {"A": "1", "B": "b"}
    with pytest.raises(InvalidInput, match="environment: the value of A is not a string"):
        with_containers({"name": "shop", "definition": document, "environment": {"A": [1]}})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 99)
    | st.sampled_from(["", "a", "a:b", "/a:/b", "80:80", "$A", "1s", "none"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "test", "type", "target", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*SPECIFICATION, "x-conductor", "x-a"]), JSON, max_size=4), JSON, JSON)
def test_any_document_is_composed_or_refused(service, networks, volumes):
    document = {"services": {"web": service, "db": {"image": "debian"}}, "networks": networks, "volumes": volumes}
    before = json.dumps(document)
    try:
        composed = compose(document)
    except InvalidInput as error:
        assert str(error).startswith(("services", "networks", "volumes"))
    else:
        parse_stack({"name": "shop", **composed.options})
    assert json.dumps(document) == before
