"""The digest of roles, files and values changes if and only if one of them changes."""

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


def test_missing_inputs_are_errors(tree):
    with pytest.raises(AnsibleLookupError, match=r"files: .*/nothing does not exist on the controller"):
        digest(tree, files=["nothing"])
    with pytest.raises(AnsibleLookupError, match="roles: role 'nothing' was not found"):
        digest(tree, roles=["nothing"])
    shutil.rmtree(tree / "roles/included")
    with pytest.raises(AnsibleLookupError, match="roles: role 'included' was not found"):
        digest(tree)
    (tree / "roles/web/meta/main.yml").write_text("dependencies: [")
    with pytest.raises(AnsibleLookupError, match=r"roles: .*/web/meta/main\.yml cannot be read"):
        digest(tree)
