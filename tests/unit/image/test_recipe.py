"""Parsing of image options into a recipe, and comparison of recipes."""

import json

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import Damaged, InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._image.spec.recipe import (
    Base,
    Image,
    Recipe,
    Source,
    differing,
    parse_recipe,
    with_defaults,
)
from hypothesis import given
from hypothesis import strategies as st

words = st.lists(st.from_regex(r"[a-z][a-z0-9]{1,5}", fullmatch=True), max_size=4)
commands = st.lists(st.one_of(st.just("echo a"), st.just(["echo", "a b"])), max_size=2)
options = st.fixed_dictionaries(
    {},
    optional={
        "suite": st.sampled_from(["trixie", "sid"]),
        "mirror": st.sampled_from(["http://mirror.example/debian", "file:/srv/debian"]),
        "variant": st.sampled_from(["minbase", "standard"]),
        "components": words,
        "packages": words,
        "keyring": st.just("/k.gpg"),
        "commands": commands,
    },
)


def image(recipe):
    base = Base("below", "0123")
    return Image("web", "id", "2026-01-01T00:00:00+00:00", recipe, "mmdebstrap", 1, {"/a.tar": (1, 2)}, (3, 4), base)


@given(options)
def test_recipe_round_trips_through_json(params):
    recipe = parse_recipe(params)
    written = json.loads(json.dumps(image(recipe).to_json()))
    assert Image.from_json(written, "image.json") == image(recipe)


@given(options)
def test_defaults_are_no_difference(params):
    recipe = parse_recipe(params)
    assert differing(with_defaults(recipe, "trixie", "amd64"), recipe) == []
    assert differing(with_defaults(recipe, "trixie", "amd64"), Recipe()) == []


@given(options, options)
def test_only_options_that_are_given_can_differ(had, wanted):
    differ = differing(parse_recipe(had), parse_recipe(wanted))
    assert set(differ) <= set(wanted)
    assert all(parse_recipe(had).to_json().get(name) != parse_recipe(wanted).to_json()[name] for name in differ)


def test_order_of_packages_and_trailing_slash_are_no_difference():
    one = parse_recipe({"packages": ["b1", "a1", "b1"], "mirror": "http://mirror.example/debian/"})
    assert one == parse_recipe({"packages": ["a1", "b1"], "mirror": "http://mirror.example/debian"})


def test_empty_list_is_no_difference_from_an_image_with_a_source():
    """A template or a role may give empty lists."""
    source = {"source": {"archive": "/same.tar"}}
    without, empty = parse_recipe(source), parse_recipe({**source, "commands": [], "packages": [], "components": []})
    some = parse_recipe({**source, "commands": ["a"]})
    assert differing(without, empty) == differing(empty, empty) == differing(empty, without) == []
    assert differing(some, empty) == differing(without, some) == ["commands"]


def test_options_of_a_build_exclude_a_source():
    with pytest.raises(InvalidInput, match="source and packages, suite are mutually exclusive"):
        parse_recipe({"source": {"archive": "/a.tar"}, "packages": ["nginx"], "suite": "trixie", "components": []})


def test_order_of_commands_is_a_difference():
    assert differing(parse_recipe({"commands": ["a", "b"]}), parse_recipe({"commands": ["b", "a"]})) == ["commands"]


A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("wanted", "now", "differs"),
    [
        (Source("/same.tar"), None, False),
        (Source("/same.tar"), A, False),
        (Source("/same.tar"), B, True),
        (Source("/moved.tar"), A, False),
        (Source("/moved.tar"), None, True),
        (Source("/moved.tar", A), None, False),
        (Source("/same.tar", B), None, True),
    ],
    ids=["untouched", "same content", "new content", "moved", "moved and gone", "by checksum", "other checksum"],
)
def test_archive_is_compared_by_content(wanted, now, differs):
    built = Recipe(source=Source("/same.tar", A))
    assert differing(built, Recipe(source=wanted), now) == (["source"] if differs else [])
    assert differing(Recipe(suite="trixie"), Recipe(source=wanted), now) == ["source"]


@pytest.mark.parametrize(
    ("wanted", "differs"),
    [
        (Source(container="work"), False),
        (Source(container="other"), True),
        (Source(container="work", digest=A), False),
        (Source(container="other", digest=A), False),
        (Source(container="work", digest=B), True),
        (Source(image="work"), True),
    ],
    ids=["by name", "other name", "by digest", "moved", "other digest", "an image of that name"],
)
def test_container_is_compared_by_digest(wanted, differs):
    built = Recipe(source=Source(container="work", digest=A))
    assert differing(built, Recipe(source=wanted)) == (["source"] if differs else [])
    assert differing(Recipe(source=Source(image="work")), Recipe(source=wanted)) == (
        [] if wanted == Source(image="work") else ["source"]
    )


@pytest.mark.parametrize(
    "text",
    ['{}', '{"recipe": 5}', '{"recipe": {"suite": "a", "colour": 1}}', '{"recipe": {"packages": 5}}',
     '{"recipe": {}, "exports": []}', '{"recipe": {"source": {}}}', '{"recipe": {}, "name": "web", "more": 1}',
     '{"recipe": {}, "base": {"name": "below"}}'],
)  # fmt: skip
def test_invalid_image_json_is_damaged_and_names_the_file(text):
    with pytest.raises(Damaged, match=r"/images/web/image\.json"):
        Image.from_json(json.loads(text), "/images/web/image.json")


@pytest.mark.parametrize(
    "params",
    [
        {"packages": ["--force"]}, {"packages": ["a,b"]}, {"suite": "-x"}, {"architecture": "-"},
        {"components": ["a b"]}, {"mirror": "http://x y/"}, {"mirror": "--help"},
        {"variant": "-"}, {"commands": [["a", None]]},
    ],
)  # fmt: skip
def test_values_cannot_inject_builder_arguments(params):
    with pytest.raises(InvalidInput):
        parse_recipe(params)


@pytest.mark.parametrize(
    "mirror",
    [
        "https://user:hush@mirror.example/debian", "https://hush@mirror.example", "https://user:hu/sh@mirror.example/",
        "//user:hush@mirror.example", "ftp://user:@mirror.example:21/hush",
    ],
)  # fmt: skip
def test_mirror_with_a_login_is_refused_without_showing_it(mirror):
    with pytest.raises(InvalidInput, match=r"/etc/apt/auth\.conf\.d") as caught:
        parse_recipe({"mirror": mirror})
    assert "hush" not in str(caught.value) and "user" not in caught.value.message


@pytest.mark.parametrize(
    "mirror",
    ["http://mirror.example:0", "http://mirror.example:65536/debian", "http://mirror.example:99999999999", "ftp://mirror:٣",
     "http://mirror\u2100.example/debian"],
)  # fmt: skip
def test_mirror_with_an_impossible_address_is_refused(mirror):
    with pytest.raises(InvalidInput, match=r"mirror: invalid mirror URL .*port"):
        parse_recipe({"mirror": mirror})


@pytest.mark.parametrize(
    "mirror", ["http://mirror.example:8080/a@b/debian", "file:///srv/a@b", "https://mirror", "http://a:65535"]
)
def test_mirror_without_a_login_is_accepted(mirror):
    assert parse_recipe({"mirror": mirror}).mirror == mirror
