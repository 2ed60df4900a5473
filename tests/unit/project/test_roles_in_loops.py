"""Roles in a loop, with options that use its variable. A program of the test answers for the modules."""

import json
import os
import re
import subprocess

import pytest
from ansible_core import BIN

# It answers with the names in its arguments that begin with the item, and refuses to remove anything.
PYTHON = """#!/bin/sh
for module; do :; done
seen=$(grep -oE 'shop(-[a-z]+)*' "$module" | sort -u | tr '\\n' ' ')
failed=$(grep -q absent "$module" && echo true || echo false)
cat <<END
{"changed": false, "failed": $failed, "seen": "$seen", "images": [],
 "containers": [{"name": "build-shop-site", "labels": {"conductor.makes": "shop-site"}}]}
END
"""
PLAIN = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "LC_ALL": "C.UTF-8"}


def include(directory, role, variables):
    """Include `role` in a loop over one item, and return the names that the modules were given, and all output."""
    (directory / "python").write_text(PYTHON)
    (directory / "python").chmod(0o755)
    way = {"ansible_connection": "local", "ansible_python_interpreter": str(directory / "python")}
    tasks = [
        {
            "ansible.builtin.include_role": {"name": f"conductor.containers.{role}"},
            "vars": variables,
            "loop": ["shop"],
        }
    ]
    play = {"hosts": "alpha", "gather_facts": False, "tasks": tasks}
    (directory / "play.yml").write_text(json.dumps([play]))
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": {"alpha": way}}}))
    printed = subprocess.run(
        [BIN / "ansible-playbook", "-v", "-i", "hosts.json", "play.yml"], cwd=directory, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, **PLAIN, "ANSIBLE_HOME": f"{directory}/home", "ANSIBLE_REMOTE_TMP": f"{directory}/tmp"},
    ).stdout  # fmt: skip
    return {name for names in re.findall(r"seen: '?([a-z -]*)", printed) for name in names.split()}, printed


@pytest.mark.parametrize(
    ("role", "variables"),
    [
        ("container", {"conductor_container_items": [{"name": "{{ item }}-web", "image": "{{ item }}-image"}]}),
        ("image", {"conductor_image_items": [{"name": "{{ item }}-web", "commands": ["{{ item }}-image"]}]}),
        ("network", {"conductor_network_items": [{"container": "{{ item }}-web", "peers": ["{{ item }}-image"]}]}),
        (
            "deploy",
            {
                "conductor_deploy_host": False,
                "conductor_stacks": [{"name": "{{ item }}-web", "containers": {"web": {"image": "{{ item }}-image"}}}],
            },
        ),
    ],
)
@pytest.mark.core
def test_options_have_the_item_of_the_loop_around_the_role(tmp_path, role, variables):
    names, printed = include(tmp_path, role, variables)
    assert names == {"shop-web", "shop-image"}, printed
    assert "failed=0" in printed and "already in use" not in printed, printed


def test_name_of_an_image_has_the_item_of_the_loop_around_the_role(tmp_path):
    variables = {"name": "{{ item }}-site", "base": "debian", "roles": []}
    _, printed = include(
        tmp_path,
        "image_from_playbook",
        {f"conductor_image_from_playbook_{key}": value for key, value in variables.items()},
    )
    last = printed.split("TASK [")[-1]
    assert "Remove a container that an interrupted run left" in last and "failed=1" in last, printed
    assert "already in use" not in printed, printed
