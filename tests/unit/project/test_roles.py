"""Roles pass every option to their module, and refuse unknown options."""

import json
import re
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
FRAGMENT = "plugins/doc_fragments/settings.py"
# Choices that a role does not offer, since it handles one container at a time.
NOT_FOR_ROLES = {"network": {"state": {"reconciled"}}}


def documented(path: str) -> dict:
    text = (ROOT / path).read_text()
    return yaml.safe_load(re.search(r'DOCUMENTATION = r"""(.*?)"""', text, re.S)[1])["options"]


def module_options(module: str) -> dict:
    return {**documented(FRAGMENT), **documented(f"plugins/modules/{module}.py")}


def role_options(role: str, variable: str) -> dict:
    specs = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())
    return specs["argument_specs"]["main"]["options"][variable]["options"]


def tasks(role: str) -> list:
    return yaml.safe_load((ROOT / f"roles/{role}/tasks/main.yml").read_text())


@pytest.mark.parametrize(
    ("role", "module"),
    [("image", "image"), ("container", "container"), ("network", "network"), ("network", "peer")],
)
def test_role_passes_every_option_to_its_module(role, module):
    name = f"conductor.containers.conductor_{module}"
    handed = next(task[name] for task in tasks(role) if name in task)
    required = {option for option, found in module_options(f"conductor_{module}").items() if found.get("required")}
    assert set(handed) - {"container"} == {*required, "_options"} - {"container"}
    assert f"conductor_{role}_" in handed["_options"] or "item" in handed["_options"]


@pytest.mark.parametrize("role", ["image", "container", "network"])
def test_role_accepts_the_options_of_its_module(role):
    accepted = role_options(role, f"conductor_{role}_items")
    compare(accepted, module_options(f"conductor_{role}"), NOT_FOR_ROLES.get(role, {}))
    assert set(accepted) - set(module_options(f"conductor_{role}")) <= {"peers"}


def test_role_deploy_accepts_the_options_of_its_module():
    accepted = role_options("deploy", "conductor_stacks")
    compare(accepted, module_options("conductor_stack"), {})
    assert set(accepted) == set(module_options("conductor_stack"))


def compare(accepted: dict, options: dict, without: dict) -> None:
    for name, option in options.items():
        assert name in accepted, name
        # A role also accepts a dictionary as the image of a container.
        if (name, accepted[name]["type"]) != ("image", "raw"):
            assert accepted[name]["type"] == option["type"], name
        choices = set(option.get("choices", [])) - without.get(name, set())
        assert set(accepted[name].get("choices", [])) == choices, name
        if "suboptions" in option:
            compare(accepted[name]["options"], option["suboptions"], {})


def test_role_host_does_not_switch_forwarding_on_at_boot():
    """Docker and others set their policy only if they enable forwarding themselves, and no rule protects it at boot."""
    template = (ROOT / "roles/host/templates/sysctl.conf.j2").read_text()
    settings = [line for line in template.splitlines() if not line.startswith(("#", "{%"))]
    assert settings == ["-net.ipv6.conf.{{ interface | replace('.', '/') }}.accept_ra = 2"]


@pytest.mark.parametrize("role", sorted(path.parts[-3] for path in ROOT.glob("roles/*/meta/argument_specs.yml")))
def test_role_converts_booleans_and_numbers_that_are_given_as_text(role):
    """`-e name=value` and INI inventories give strings, and the string "false" is true."""
    directory = ROOT / "roles" / role
    specs = yaml.safe_load((directory / "meta/argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"]["options"]
    texts = [path.read_text() for part in ("tasks", "templates", "vars") for path in directory.glob(f"{part}/*")]
    for name, option in options.items():
        if option["type"] in ("bool", "int", "float"):
            uses = [text[use.start() :] for text in texts for use in re.finditer(rf"\b{name}\b", text)]
            assert uses, name
            for use in uses:
                assert re.match(rf"{name} (\| default\([^)]*\) )?\| {option['type']}\b", use), use.splitlines()[0]


@pytest.mark.parametrize(
    ("given", "written"),
    [(60, "60"), ("60", "60"), (0, "0"), ("0", "0"), (0.5, "0.5"), (None, None), ("", None)],
)
def test_role_host_writes_the_lock_timeout_as_it_is_given(given, written):
    variables = {"conductor_host_forwarding": "enable", "conductor_host_firewall": "report"}
    variables["conductor_host_lock_timeout"] = given
    template = trust_as_template((ROOT / "roles/host/templates/conductor.json.j2").read_text())
    made = json.loads(Templar(DataLoader(), variables=variables).template(template), parse_float=str, parse_int=str)
    assert made.get("lock_timeout") == written


def all_tasks(value: object) -> list:
    """Each dictionary in the content of a YAML file: tasks, wherever they are."""
    parts = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return [*([value] if isinstance(value, dict) else []), *(task for part in parts for task in all_tasks(part))]


@pytest.mark.parametrize(
    "path",
    [str(path.relative_to(ROOT)) for part in ("roles/*/tasks", "playbooks") for path in ROOT.glob(f"{part}/*.yml")],
)
def test_tasks_set_private_variables_only(path):
    """Options of a role that is included in a loop can use `item`, and are templated in the role's own loops."""
    for task in all_tasks(yaml.safe_load((ROOT / path).read_text())):
        control = task.get("loop_control", {})
        names = [control.get("loop_var", "item")] if "loop" in task else []
        names += [task["register"]] if "register" in task else []
        names += [control["index_var"]] if "index_var" in control else []
        # Facts of a target that only the role uses are for its connection.
        names += task.get("ansible.builtin.set_fact", {}) if "delegate_facts" not in task else []
        assert [name for name in names if not re.match("__(conductor|molecule)_", name)] == []
        assert not [key for key in task if key.startswith("with_")]


def test_readme_lists_each_file_that_role_host_writes():
    section = (ROOT / "README.md").read_text().partition("\n## Changes on a managed host\n")[2].partition("\n## ")[0]
    texts = [path.read_text() for path in (ROOT / "roles/host/tasks").glob("*.yml")]
    written = {found for text in texts for found in re.findall(r"^ +dest: (\S+)$", text, re.M)}
    assert len(written) > 5 and {file for file in written if f"`{file}`" not in section} == set()
    assert all(
        f"disable --now {service}" in section for text in texts for service in re.findall(r"name: (\S+\.service)", text)
    )
