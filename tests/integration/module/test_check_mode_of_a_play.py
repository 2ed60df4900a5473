"""Check mode of a play on a new host: each task finds nothing of what the tasks before it would have made."""

import pytest
from controller import Controller
from snapshot import difference, take

ARCHIVE = "/srv/app.tar.gz"
EXPORT = {"name": "app", "state": "exported", "archive": ARCHIVE}
PLAY = [
    ("conductor_image", {"name": "app", "source": {"image": "base"}}, "image base: does not exist"),
    ("conductor_container", {"name": "box", "image": "app", "state": "started"}, "image app does not exist"),
    ("conductor_network", {"container": "box", "internet": True}, "container box does not exist"),
    ("conductor_network", {"container": "db"}, "container db does not exist"),
    ("conductor_peer", {"container": "box", "peer": "db"}, "container box does not exist"),
    ("conductor_copy", {"container": "box", "content": "hello", "dest": "/greeting"}, "container box does not exist"),
    ("conductor_exec", {"container": "box", "argv": ["true"]}, "container box does not exist"),
    ("conductor_image", {"name": "golden", "source": {"container": "box"}}, "container box: does not exist"),
    ("conductor_image", EXPORT, "image app: cannot be exported because it does not exist"),
    ("conductor_image", {**EXPORT, "archive": "/srv/new/app.tar"}, "archive: directory /srv/new does not exist"),
    ("conductor_image", {"name": "copy", "source": {"archive": ARCHIVE}}, f"source: archive {ARCHIVE} does not exist"),
    ("conductor_image", {"name": "signed", "keyring": "/srv/own.gpg"}, "keyring: /srv/own.gpg does not exist"),
]


def test_tasks_warn_of_what_is_not_made_yet_and_say_what_they_would_do(bare_host):
    before = take(bare_host)
    for module, options, lacking in PLAY:
        result = bare_host.module(module, check=True, **options)
        assert result["changed"] and result["actions"], module
        assert lacking in str(result["warnings"]), module
        said = bare_host.module(module, fails=True, **options)["msg"]
        assert lacking in said, module
    assert "connect box" in bare_host.module("conductor_network", check=True, container="box")["actions"]
    planned = bare_host.module("conductor_image", check=True, **EXPORT)
    assert planned["actions"] == [f"export image app to {ARCHIVE}"] and planned["archive"] == ARCHIVE
    for module, options in (("conductor_network", {"container": "box"}), ("conductor_container", {"name": "box"})):
        assert not bare_host.module(module, check=True, state="absent", **options)["changed"]
    assert difference(before, take(bare_host)) == []


def test_play_warns_too_and_names_files_of_the_controller(bare_host, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello\n")
    rows = [(*row, "") for row in PLAY]
    for src in ("site", "site/", "site/index.html"):
        options = {"container": "box", "src": src, "dest": "/srv/"}
        rows.append(("conductor_copy", options, "container box does not exist", f"copy {src.rstrip('/')}"))
    tasks = []
    for module, options, lacking, action in rows:
        tasks.append({f"conductor.containers.{module}": options, "register": "done"})
        said = f"done.actions[0] is match('{action}$')" if action else "done.actions | length > 0"
        tasks.append({"ansible.builtin.assert": {"that": [f"'{lacking}' in done.warnings | string", said]}})
    controller = Controller(tmp_path)
    printed = controller.playbook(*tasks, hosts="localhost", on=bare_host, options=["--check", "--diff"])
    assert f"changed={len(rows)} " in printed and "failed=0" in printed


def test_container_whose_files_on_the_host_earlier_tasks_would_make(host):
    box = {"name": "box", "image": "debian", "command": ["/bin/sleep", "infinity"]}
    mounts = {"mounts": [{"source": "/srv/new", "target": "/mnt"}]}
    profile = {"seccomp": "/srv/profile.json"}
    lacking = {"mounts: source /srv/new does not exist": mounts, "seccomp: /srv/profile.json: No such file": profile}
    for told, options in lacking.items():
        planned = host.module("conductor_container", check=True, **box, **options)
        assert planned["changed"] and told in str(planned["warnings"])
        assert planned["actions"][-2:] == ["create container box from image debian", "start container box"]
        assert told in host.module("conductor_container", fails=True, **box, **options)["msg"]
        stack = {"name": "shop", "containers": {"box": {**box, **options}}}
        del stack["containers"]["box"]["name"]
        assert told in str(host.module("conductor_stack", check=True, **stack)["warnings"])
    host.module("conductor_container", **box)
    planned = host.module("conductor_container", check=True, restart=True, **box, **mounts)
    assert planned["actions"][0] == "stop container box" and "change mounts of container box" in planned["actions"]


@pytest.mark.parametrize("module", ["conductor_network", "conductor_exec"])
def test_what_can_never_be_right_is_an_error_in_check_mode_too(bare_host, module):
    options = {"conductor_network": {"expose": ["80"]}, "conductor_exec": {"chdir": "here", "argv": ["true"]}}
    bare_host.module(module, check=True, fails=True, container="box", **options[module])


def test_a_container_that_is_there_and_does_not_run_or_has_no_network_yet(host):
    for name in ("web", "db"):
        host.module("conductor_container", name=name, image="debian", state="present")
    result = host.module("conductor_exec", check=True, container="web", argv=["true"])
    assert result["changed"] and "not running" in str(result["warnings"])
    result = host.module("conductor_peer", check=True, container="web", peer="db")
    assert result["changed"] and "has no network" in str(result["warnings"])
    assert "has no network" in host.module("conductor_peer", fails=True, container="web", peer="db")["msg"]
