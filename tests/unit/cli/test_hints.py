"""Hints of errors: the host command gives commands for the right container or image instead of options of modules."""

import ast
import json
import re
from pathlib import Path

import pytest
from ansible_collections.conductor.containers.plugins.module_utils import _errors
from ansible_collections.conductor.containers.plugins.module_utils._cli.exit_status import EXIT
from ansible_collections.conductor.containers.plugins.module_utils._cli.hints import in_own_words, use_own_words
from ansible_collections.conductor.containers.plugins.module_utils._cli.stack_file import read_stack_file
from ansible_collections.conductor.containers.plugins.module_utils._container import warnings
from ansible_collections.conductor.containers.plugins.module_utils._container.exec.running import running_container
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
from ansible_collections.conductor.containers.plugins.module_utils._image.spec.recipe import Image
from ansible_collections.conductor.containers.plugins.module_utils._image.store import image_layers
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import NetworkSpec

KINDS = {kind.__name__ for kind in EXIT} | {"container_not_found"}
ROOT = Path(__file__).parents[3]
MODULE_WORDS = re.compile(r"\bconductor_\w+|\bstate[=:]|\b(?:force|restart|recreate|prune)(?:=|: )true")
# Words for a part of a hint that is computed.
NAME = "some-name"

# About options that no verb has.
NOT_OF_VERBS = {
    "make it one layer: export it (state=exported) and import the archive (source)",
    "omit it to allow every port, or use state: absent to allow none",
}
# Their messages list the containers and images, or they are not about one.
WITHOUT_NAME = {
    "start it with state=started",
    "remove the container with state=absent and force=true",
    "use conductor_exec to read or write it",
    "use another path, or set force: true to replace that file",
    "remove that container or image with force: true, or repair it",
    "remove these containers first (conductor_container state=absent)",
    "build it under another name and set that as their image with recreate: true, which keeps only mounts, network and "
    "peers, or remove these containers first (conductor_container state=absent)",
    "remove these images first (conductor_image state=absent), or export them and import their archives",
    "move the directory away: conductor_image did not create it",
}


def texts(node):
    """The texts in an expression, with NAME for each computed part."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else NAME for part in node.values)
    elif isinstance(node, ast.Constant):
        yield str(node.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def remedies(node):
    """The hints in a node of the code: the arguments after the first of an error, or a value named `remedy`."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in KINDS:
        return node.args[1:]
    names = [node.arg] if isinstance(node, ast.keyword) else [getattr(one, "id", "") for one in targets(node)]
    return [node.value] if "remedy" in names else []


def targets(node):
    return node.targets if isinstance(node, ast.Assign) else []


def hints():
    """Each hint with words of modules."""
    for file in (ROOT / "plugins/module_utils").rglob("*.py"):
        # Errors of a stack are about options of its file.
        if "_stack" not in file.parts:
            for node in ast.walk(ast.parse(file.read_text())):
                for part in remedies(node):
                    yield from filter(MODULE_WORDS.search, texts(part))


def test_hints_name_commands_for_their_object_instead_of_options_of_modules():
    found = set(hints()) - NOT_OF_VERBS
    assert len(found) > 15
    for hint in found:
        for verb in ("run", "up"):
            error = _errors.Conflict("x", hint)
            use_own_words(error, verb)
            assert not MODULE_WORDS.search(error.hint), hint
        assert NAME in in_own_words(hint) or hint in WITHOUT_NAME, hint


def test_hints_of_up_name_its_options_and_other_verbs():
    for file in (ROOT / "plugins/module_utils/_stack").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            for text in texts(node) if isinstance(node, (ast.Dict, ast.Call, ast.Assign)) else ():
                # Descriptions of options have markup.
                if re.search(r"(?i)conductor_\w+|set prune: true", text) and not re.search(r"[OMCV]\(|^Options", text):
                    assert not MODULE_WORDS.search(in_own_words(text, "up")), text


def refused(function, *args):
    with pytest.raises(_errors.ConductorError) as error:
        function(*args)
    use_own_words(error.value, "run")
    return str(error.value)


def test_hints_are_about_the_object_of_the_error(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/image.json").write_text('{"version": 1, "name": "broken"}')
    assert "Run conductor rmi --force broken." in refused(image_layers, str(tmp_path), "broken")
    assert "Run conductor build nope." in refused(image_layers, str(tmp_path), "nope")
    assert "conductor rmi --force base." in refused(Image.from_json, {}, "/images/base/image.json")
    assert "or run conductor rm --force db." in refused(ContainerSpec.from_json, {}, "/containers/db/container.json")
    assert "conductor network add db again." in refused(NetworkSpec.from_dict, {}, "/containers/db/network.json")
    assert "Run conductor run IMAGE db." in refused(running_container, ContainerPaths.of(str(tmp_path), "db"))


def test_remedies_without_a_verb_are_left_out(monkeypatch):
    monkeypatch.setattr(warnings, "BOOT_SERVICES", ())
    (text,) = warnings.container_warnings(None, {"name": "web", "restart_policy": "always"})
    for verb in ("run", "up"):
        assert in_own_words(text, verb).endswith(". Prepare the host with role conductor.containers.host")


def test_hints_inside_of_a_message_are_translated():
    text = "stack shop: 2 of 3 containers failed: a/web is damaged. Restore it, or remove web with state=absent and "
    text += "force=true; container db is not running. Start db with conductor_container state=started"
    assert in_own_words(text, "up") == (
        "stack shop: 2 of 3 containers failed: a/web is damaged. Restore it, or run conductor rm --force web; "
        "container db is not running. Run conductor start db"
    )


def test_hint_for_a_used_image_names_only_options_that_the_verb_has():
    hint = next(text for text in hints() if text.startswith("build it under another name"))
    assert in_own_words(hint, "rmi") == "remove these containers first"
    assert "set that as their image with --recreate, which keeps" in in_own_words(hint, "up")


@pytest.mark.parametrize(("value", "more"), [("x$TAG", ", or write ${TAG:-}."), ("x${TAG:?}", ".")])
def test_a_variable_of_a_compose_file_is_set_in_the_file_beside_it(tmp_path, value, more):
    file = tmp_path / "compose.json"
    file.write_text(json.dumps({"name": "shop", "services": {"web": {"image": value}}}))
    try:
        (told,) = read_stack_file(str(file), None)[1]
    except _errors.InvalidInput as error:
        told = str(error)
    assert f". Set it in .env, beside the Compose file{more}" in told
