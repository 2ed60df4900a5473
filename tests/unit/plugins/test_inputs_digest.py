"""The digest of roles, files and values changes if and only if one of them changes."""

import datetime
import os
import shutil

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.conductor.containers.plugins.lookup.inputs_digest import LookupModule

FILES = {
    "roles/web/tasks/main.yml": "- block:\n    - ansible.builtin.include_role: {name: included}\n"
    "    - ansible.builtin.include_role: {name: 'role-{{ any }}'}\n",
    "roles/web/meta/main.yml": "dependencies:\n  - role: needed\n  - web\n",
    "roles/web/files/page": "hello\n",
    "roles/needed/tasks/main.yml": "[]\n",
    "roles/included/handlers/main.yml": "[]\n",
    "roles/other/tasks/main.yml": "[]\n",
    "extra/file": "more\n",
}


@pytest.fixture
def tree(tmp_path):
    return grow(tmp_path / "one")


def grow(top):
    for path, text in FILES.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    return top


def digest(tree, *values, roles=("web",), files=("extra",)):
    loader = DataLoader()
    loader.set_basedir(str(tree))
    lookup = LookupModule(loader=loader)
    # Ansible's own part: it knows options by the documentation of plugins that it has loaded itself.
    lookup.set_options = lambda **given: None
    lookup.get_option = {"roles": list(roles), "files": list(files)}.__getitem__
    (found,) = lookup.run(list(values), {"playbook_dir": str(tree)})
    return found


def test_it_is_the_same_elsewhere_and_at_another_time(tree, tmp_path):
    there = grow(tmp_path / "two")
    os.utime(there / "roles/web/files/page", (1, 1))
    (there / "roles/web/files/__pycache__").mkdir()
    (there / "roles/web/files/__pycache__/x.pyc").write_text("left by Python")
    (there / "roles/other/tasks/main.yml").write_text("- nobody: asks")
    assert digest(there, {"a": 1, "b": [2]}) == digest(tree, {"b": [2], "a": 1})
    assert digest(tree).startswith("sha256:") and len(digest(tree)) == 71


@pytest.mark.parametrize("path", [path for path in FILES if "other" not in path])
def test_each_file_counts_that_goes_in(tree, path):
    before = digest(tree)
    with open(tree / path, "a") as file:
        file.write("# changed\n")
    assert digest(tree) != before


def test_modes_links_names_and_values_count(tree):
    found = {digest(tree), digest(tree, 1), digest(tree, "1"), digest(tree, 1, 1), digest(tree, roles=[])}
    page = tree / "roles/web/files/page"
    page.chmod(0o755)
    found.add(digest(tree))
    page.rename(tree / "roles/web/files/other")
    found.add(digest(tree))
    page.symlink_to("other")
    found.add(digest(tree))
    page.unlink()
    page.symlink_to("nothing")
    found.add(digest(tree))
    assert len(found) == 9


def changed(tree, path, **inputs):
    """Whether the digest of the inputs changes with the file at `path`."""
    before = digest(tree, **inputs)
    with open(tree / path, "a") as file:
        file.write("# changed\n")
    return digest(tree, **inputs) != before


@pytest.mark.parametrize(
    "task",
    [
        "include_role: name=other", "ansible.builtin.import_role: role=other tasks_from=main.yml",
        "ansible.legacy.include_role: {name: other}", "action: include_role name=other",
        "local_action: import_role name='other'",
        "action: {module: ansible.builtin.include_role, role: other}", "{include_role: , args: {name: other}}",
    ],
)  # fmt: skip
def test_roles_count_however_a_task_names_them(tree, task):
    others = "- {include_role: , args: '{{ any }}'}\n- action:\n- local_action: {}\n"
    (tree / "roles/web/tasks/main.yml").write_text(f"{others}- {task}\n")
    assert changed(tree, "roles/other/tasks/main.yml")


def test_dependency_with_a_source_counts(tree):
    (tree / "roles/web/meta/main.yml").write_text("dependencies: [{src: 'https://git.example/other.git'}]\n")
    assert changed(tree, "roles/other/tasks/main.yml")


def test_content_behind_links_counts(tree):
    shared = tree / "shared"
    (shared / "deep").mkdir(parents=True)
    for path in ("page", "deep/page", "deep/main.yml"):
        (shared / path).write_text("[]\n")
    (tree / "roles/web/files/one").symlink_to("../../../shared/page")
    (tree / "roles/web/files/deep").symlink_to("../../../shared/deep")
    # They lead in circles.
    (shared / "deep/back").symlink_to("..")
    (shared / "deep/web").symlink_to("../../roles/web")
    (tree / "current").symlink_to("shared/page")
    for path in ("shared/page", "shared/deep/page"):
        assert changed(tree, path, files=[])
    assert changed(tree, "shared/page", roles=[], files=["current"])
    before = digest(tree)
    (shared / "copy").write_text((shared / "page").read_text())
    (tree / "current").unlink()
    (tree / "current").symlink_to("shared/copy")
    assert digest(tree, files=["current"]) != before, "the target itself counts, too"


def test_tasks_behind_a_linked_directory_name_roles(tree):
    (tree / "shared").mkdir()
    (tree / "shared/more.yml").write_text("- include_role: name=other\n")
    (tree / "roles/web/tasks/shared").symlink_to("../../../shared")
    assert changed(tree, "roles/other/tasks/main.yml")


def test_dependency_next_to_a_role_that_is_given_by_path_counts(tree):
    for role, text in (("shop", "{dependencies: [base]}"), ("base", "{}")):
        (tree / "elsewhere" / role / "meta").mkdir(parents=True)
        (tree / "elsewhere" / role / "meta/main.yml").write_text(f"{text}\n")
    assert changed(tree, "elsewhere/base/meta/main.yml", roles=[str(tree / "elsewhere/shop")])


def test_included_role_that_is_not_installed_counts_when_it_is(tree):
    (tree / "away").mkdir()
    shutil.move(tree / "roles/included", tree / "away/included")
    before = digest(tree)
    shutil.move(tree / "away/included", tree / "roles/included")
    assert digest(tree) != before


def test_keys_of_values_have_any_type(tree):
    found = [{1: "a", "b": 2, None: 3, datetime.date(2026, 1, 1): {"c": [{2: 1, "d": 0}]}}, {1: "a", "1": "b"}]
    assert len({digest(tree, value) for value in found}) == 2
    assert digest(tree, {1: "a", "b": {"c": 2, 3: 4}}) == digest(tree, {"b": {3: 4, "c": 2}, 1: "a"})


def test_missing_inputs_are_errors(tree):
    with pytest.raises(AnsibleLookupError, match=r"files: .*/nothing does not exist on the controller"):
        digest(tree, files=["nothing"])
    with pytest.raises(AnsibleLookupError, match="roles: role 'nothing' was not found"):
        digest(tree, roles=["nothing"])
    (tree / "roles/web/tasks/main.yml").write_text("- import_role: name=imported\n")
    with pytest.raises(AnsibleLookupError, match="roles: role 'imported' was not found"):
        digest(tree)
    (tree / "roles/web/tasks/main.yml").write_text("- include_role: name='imported\n")
    with pytest.raises(AnsibleLookupError, match=r"roles: .*/web/tasks/main\.yml cannot be read: .*quotes"):
        digest(tree)
    shutil.rmtree(tree / "roles/needed")
    with pytest.raises(AnsibleLookupError, match="roles: role 'needed' was not found"):
        digest(tree)
    (tree / "roles/web/meta/main.yml").write_text("dependencies: [")
    with pytest.raises(AnsibleLookupError, match=r"roles: .*/web/meta/main\.yml cannot be read"):
        digest(tree)


@pytest.mark.parametrize(
    "value",
    ["5", "true", "text", "{a: b}", "[null]", "[1]", "[[a]]", "[[[role, a]]]", "[2026-01-01]", "&a [*a]",
     "[{}]", "['']", "[{role: null}]", "[{src: 1}]", "[{src: null}]", "[{src: [a]}]", "[{1: 2}]"],
)  # fmt: skip
def test_invalid_dependencies_are_an_error_with_the_file(tree, value):
    (tree / "roles/web/meta/main.yml").write_text(f"dependencies: {value}\n")
    with pytest.raises(
        AnsibleLookupError, match=r"roles: .*/web/meta/main\.yml cannot be read: dependencies: .*expected"
    ):
        digest(tree)


@pytest.mark.parametrize(
    "text", ["&a [*a]", "- &a {block: [*a]}", r"- import_role: name='\N{x}'", "$ANSIBLE_VAULT;1.1;AES256\n00"]
)
def test_files_without_an_end_or_a_meaning_are_an_error_with_the_file(tree, text):
    (tree / "roles/web/tasks/main.yml").write_text(text)
    with pytest.raises(AnsibleLookupError, match=r"roles: .*/web/tasks/main\.yml cannot be read: "):
        digest(tree)


def test_role_with_an_impossible_name_is_not_found(tree):
    (tree / "roles/web/tasks/main.yml").write_text('- import_role: {name: "a\\0b"}')
    with pytest.raises(AnsibleLookupError, match=r"roles: role 'a\\x00b' was not found"):
        digest(tree)
