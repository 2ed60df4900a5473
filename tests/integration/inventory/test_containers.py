"""The inventory plugin: containers of several hosts, queried over ssh, in groups."""

import json

import pytest
import yaml

SLEEP = ["/bin/sleep", "infinity"]
PLUGIN = {"plugin": "conductor.containers.conductor", "hosts": ["targets"]}
CACHE = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_timeout": 3600}


@pytest.fixture
def fleet(two_hosts):
    """A controller whose inventory has the hosts `alpha` and `beta`, with containers, in the group `targets`."""
    for name, host in two_hosts.hosts.items():
        two_hosts.add_host(name, host)
    box(two_hosts.hosts["alpha"], "web", labels={"tier": "front", "owner": "a b"})
    box(two_hosts.hosts["alpha"], "old", state="present")
    box(two_hosts.hosts["beta"], "web", labels={"tier": "front"})
    return two_hosts


def box(host, name, **options):
    host.module("conductor_container", **{"name": name, "image": "debian", "command": SLEEP, **options})


def ask(fleet, *arguments, check=True, **options):
    """What ansible-inventory prints with the plugin's options."""
    source = {**PLUGIN, **options}
    if source.get("cache"):
        source["cache_connection"] = str(fleet.directory / "cache")
    (fleet.directory / "z.conductor.yml").write_text(yaml.safe_dump(source))
    return fleet.run("ansible-inventory", "-i", "z.conductor.yml", *arguments, check=check)


def listed(fleet, **options):
    printed = ask(fleet, "--list", **options)
    return json.loads(printed[printed.index("{") :])


def test_the_graph_shows_containers_in_groups_by_host_image_state_and_label(fleet):
    found = listed(fleet)
    assert sorted(found["conductor"]["hosts"]) == ["old.alpha", "web.alpha", "web.beta"]
    assert sorted(found["conductor_host_alpha"]["hosts"]) == ["old.alpha", "web.alpha"]
    assert sorted(found["conductor_image_debian"]["hosts"]) == ["old.alpha", "web.alpha", "web.beta"]
    assert found["conductor_state_created"]["hosts"] == ["old.alpha"]
    assert sorted(found["conductor_label_tier_front"]["hosts"]) == ["web.alpha", "web.beta"]
    assert found["conductor_label_owner_a_b"]["hosts"] == ["web.alpha"]
    assert "|--@conductor_host_beta:" in ask(fleet, "--graph")


def test_containers_of_a_stack_are_grouped_by_stack_and_by_entry(fleet):
    entry = {"image": "debian", "command": SLEEP}
    alpha = fleet.hosts["alpha"]
    alpha.module("conductor_stack", name="my-shop", containers={"front": {**entry, "count": 2}, "db": entry})
    found = listed(fleet)
    assert sorted(found["conductor_stack_my_shop"]["hosts"]) == ["db.alpha", "front-1.alpha", "front-2.alpha"]
    assert sorted(found["conductor_service_my_shop_front"]["hosts"]) == ["front-1.alpha", "front-2.alpha"]
    assert found["conductor_service_my_shop_db"]["hosts"] == ["db.alpha"]
    assert not [name for name in found if name.startswith("conductor_stack_") and name != "conductor_stack_my_shop"]


@pytest.mark.core
def test_tasks_run_in_what_was_listed(fleet):
    ask(fleet, "--list", states=["running"])
    fleet.write_play(
        """
- ansible.builtin.command: hostname
  register: where
- ansible.builtin.assert: {that: [where.stdout == "web", conductor_facts.image == "debian"]}
""",
        hosts="conductor",
        vars={"ansible_python_interpreter": "/usr/bin/python3"},
    )
    printed = fleet.run("ansible-playbook", "-i", "z.conductor.yml", "play.yml")
    assert printed.count("failed=0") == 2 and "old" not in printed


@pytest.mark.core
def test_custom_names_groups_and_variables(fleet):
    found = listed(
        fleet,
        name="{{ managed_host }}-{{ name }}",
        keyed_groups=[{"key": "conductor_facts.labels.tier | default('none')", "prefix": "tier"}],
        groups={"idle": "conductor_facts.state != 'running'"},
        compose={"shown": "conductor_facts.name ~ '!'"},
        strict=True,
    )
    assert found["idle"]["hosts"] == ["alpha-old"]
    assert sorted(found["tier_front"]["hosts"]) == ["alpha-web", "beta-web"]
    # What came from a host is never a template.
    assert found["_meta"]["hostvars"]["beta-web"]["shown"] == {"__ansible_unsafe": "web!"}


def test_unreachable_host_is_a_warning_and_keeps_cached_containers(fleet):
    assert "web.beta" in listed(fleet, **CACHE)["conductor"]["hosts"]
    box(fleet.hosts["alpha"], "new")
    fleet.hosts["beta"].close()
    assert "new.alpha" not in listed(fleet, **CACHE)["conductor"]["hosts"]
    printed = ask(fleet, "--list", "--flush-cache", **CACHE)
    assert "beta: listing containers failed, keeping 1 from the cache" in " ".join(printed.split())
    found = json.loads(printed[printed.index("{") :])["conductor"]["hosts"]
    assert sorted(found) == ["new.alpha", "old.alpha", "web.alpha", "web.beta"]


@pytest.mark.core
def test_other_hosts_are_listed_without_a_cache(fleet):
    fleet.hosts["beta"].close()
    printed = ask(fleet, "--list")
    assert "beta: listing containers failed, and none are cached" in " ".join(printed.split())
    assert "web.alpha" in printed


def test_a_pattern_that_matches_nothing_is_an_error(fleet):
    printed = " ".join(ask(fleet, "--list", hosts=["target-*"]).split())
    assert "'target-*' is not an address and matches no host of the inventory sources read before" in printed


def test_secrets_are_referenced_and_not_copied(fleet):
    # sudo looks it up, and there is nobody to ask.
    fleet.hosts["beta"].run("sh", "-c", "echo 127.0.1.1 testhost >> /etc/hosts")
    fleet.inventory["beta"].update(ansible_become=True, ansible_become_password="very secret")
    found = listed(fleet, hosts=["beta"])
    variables = json.dumps(found["_meta"]["hostvars"]["web.beta"])
    assert "conductor_host_become_password" in variables and "very secret" not in variables
