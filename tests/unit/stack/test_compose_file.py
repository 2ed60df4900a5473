"""Compose files of the controller: YAML with lines, files of variables beside it, and relative paths."""

import sys

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import HostNotCapable, InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.file import (
    load_document,
    read_compose_file,
)


def load(text):
    return load_document(text, "compose.yml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 22:22\nb: no\nc: 0755\nd: 1.10\ne: 2026-01-01\nf: 0x1f",
         {"a": "22:22", "b": "no", "c": "0755", "d": "1.10", "e": "2026-01-01", "f": "0x1f"}),
        ("a: true\nb: False\nc: -5\nd: 0\ne:\nf: ~\ng: null",
         {"a": True, "b": False, "c": -5, "d": 0, "e": None, "f": None, "g": None}),
        ("a: '5'\nb: \"true\"\nc: |\n  text\n", {"a": "5", "b": "true", "c": "text\n"}),
        ("a: !!str 5\nb: !!int '5'\nc: !!bool true", {"a": "5", "b": 5, "c": True}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}",
         {"a": {"b": 1}, "c": {"b": 2, "d": 3}, "e": {"b": 1, "d": 3}}),
        ("80: a", {"80": "a"}),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
        ("", None),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, value):
    assert load(text)[0] == value


def test_lines_of_keys_and_entries():
    web = "  web: &web\n    ports:\n      - 80:80\n      -\n        target: 80\n"
    _, place = load(f"services:\n{web}  db:\n    <<: *web\n    image: a\n")
    lines = {
        ("services",): 1, ("services", "web"): 2, ("services", "web", "ports", 0): 4,
        ("services", "web", "ports", 1, "target"): 6, ("services", "db"): 7, ("services", "db", "image"): 9,
        ("services", "db", "ports", 0): 4, ("services", "web", "ports", 1, "none", "deeper"): 6, ("none",): 1, (): 1,
    }  # fmt: skip
    assert {path: place(path) for path in lines} == {path: f"compose.yml:{line}: " for path, line in lines.items()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: [1\n", "compose.yml:3: invalid YAML: "),
        ("a: 1\n---\nb: 2\n", "compose.yml:2: invalid YAML: "),
        ("a: 1\nb: 1\na: 2\n", "compose.yml:3: key a is given twice. Omit one of them."),
        ("a:\n  ? [b]\n  : c\n", "compose.yml:2: a key is not a string."),
        ("a:\n  b: !reset null\n", "compose.yml:2: tag !reset is not supported. Omit it."),
        ("a:\n  b: !override [1]\n", "compose.yml:2: tag !override is not supported."),
        ("a: 1\nb: *none\n", "compose.yml:2: invalid YAML: "),
        ("a: &x\n  - *x\n", "too large"),
        ("a: &x {<<: *x}\n", "too large"),
        ("a: {<<: 5}\n", "compose.yml:1: << is not a mapping."),
        ("\x01", "compose.yml:1: invalid YAML: "),
        ("a: 1\nb: \x00\n", "compose.yml:2: invalid YAML: special characters are not allowed. Correct the file."),
        ("a: !!int x\n", "compose.yml:1: 'x' is not of the type int of its tag. Omit the tag."),
        ("a: !!bool x\n", "compose.yml:1: 'x' is not of the type bool of its tag."),
        ("a: !!null x\n", "compose.yml:1: 'x' is not of the type null of its tag."),
        ("[" * 5000, "compose.yml:1: values are nested too deeply"),
    ],
)
def test_invalid_yaml_is_refused_by_line(text, told):
    with pytest.raises(InvalidInput) as caught:
        load(text)
    assert told in str(caught.value) and caught.value.hint


def test_aliases_of_aliases_are_bounded():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InvalidInput, match="an alias makes the document too large"):
        load("\n".join(lines))


@pytest.fixture
def project(tmp_path):
    """A directory with a Compose file, from which `read` reads as the action plugin does."""
    (tmp_path / "compose.yml").write_text(
        "services:\n"
        "  web:\n"
        "    image: ${IMAGE}\n"
        "    env_file: [web.env, {path: none.env, required: false}]\n"
        "    volumes: ['./html:/var/www']\n"
    )
    (tmp_path / ".env").write_text("IMAGE=debian\nHOST=example\n")
    (tmp_path / "web.env").write_text("URL=http://${HOST}\n")
    return tmp_path


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def compose(project, **params):
    path = str(project / "compose.yml")
    return read_compose_file(path, "shop/compose.yml", {"name": "shop", **params}, read)


def test_files_of_variables_and_relative_paths_are_beside_the_file(project):
    params, warnings = compose(project)
    web = params["containers"]["web"]
    assert (web["image"], web["env"], warnings) == ("debian", {"URL": "http://example"}, [])
    assert web["mounts"][0]["source"] == f"{project}/html"


def test_environment_takes_precedence_and_project_directory_is_one_of_the_host(project):
    params, _ = compose(project, environment={"HOST": "other"}, project_directory="/srv/shop", images=[{"name": "x"}])
    web = params["containers"]["web"]
    assert web["env"] == {"URL": "http://other"} and web["mounts"][0]["source"] == "/srv/shop/html"
    assert params["images"] == [{"name": "x"}]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("compose.yml", "services:\n  web:\n    image: a\n    build: .\n  db:\n    image: a:b\n",
         "shop/compose.yml:4: services.web.build: not supported. "),
        ("compose.yml", "services:\n  web:\n    image: a\n    build: .\n  db:\n    image: a:b\n",
         "\nshop/compose.yml:6: services.db.image: 'a:b' is not the name of an image"),
        ("compose.yml", "", "shop/compose.yml:1: the document: not a mapping."),
        ("compose.yml", "services:\n  a:\n    image: a\n    env_file: a.env\n",
         "shop/compose.yml:4: services.a.env_file: a.env is not a file on the controller."),
        (".env", "A=1\nB C\n", "shop/.env: line 2 is not NAME=VALUE."),
        ("web.env", "A='1\n", "shop/compose.yml:4: services.web.env_file[0]: line 1 has a quote that is not closed"),
    ],
)  # fmt: skip
def test_errors_begin_with_file_and_line(project, name, text, told):
    (project / name).write_text(text)
    with pytest.raises(InvalidInput) as caught:
        compose(project)
    assert told in "\n" + str(caught.value)


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ("  a: {image: x}\n  b: {image: x, depends_on: [b]}\n", ":3: services.b: depends_on names the entry itself."),
        (
            "  a: {image: x, depends_on: [c]}\n"
            "  b: {image: x, depends_on: [c]}\n"
            "  c: {image: x, depends_on: [b], scale: 2}\n",
            ":3: services.b: depends_on: b, c depend on each other. Remove one of these dependencies.",
        ),
        (
            "  web: {image: x, scale: 2}\n  web-1: {image: x}\n",
            ":3: services.web-1: web has a container web-1, too. Rename one of them.",
        ),
        (
            "  web-update: {image: x}\n  web: {image: x, deploy: {update_config: {order: start-first}}}\n",
            ":3: services.web: update: order start-first needs a container web-update, and web-update has one.",
        ),
    ],
)
def test_error_between_services_has_the_line_of_one_of_them(project, services, told):
    (project / "compose.yml").write_text(f"services:\n{services}")
    with pytest.raises(InvalidInput) as caught:
        compose(project)
    assert str(caught.value).startswith(f"shop/compose.yml{told}")


def test_error_of_the_name_of_the_stack_has_no_line(project):
    with pytest.raises(InvalidInput) as caught:
        compose(project, name="a/b")
    assert str(caught.value).startswith("name 'a/b' is not a valid name.")


def test_variables_without_a_value_are_warned_about_by_line(project):
    (project / ".env").write_text("IMAGE=debian\n")
    assert compose(project)[1] == [
        "shop/compose.yml:4: services.web.env_file[0]: variable HOST in web.env is not set, and an empty string is "
        "used. Set it in environment."
    ]


def test_missing_library_is_an_error_with_a_remedy(monkeypatch):
    # None makes the import fail (https://docs.python.org/3/reference/import.html#the-module-cache).
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(HostNotCapable, match="Install the package python3-yaml, or give a file in JSON"):
        load("a: 1")
