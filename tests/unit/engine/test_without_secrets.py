"""Parameters of a module as they are logged and returned: without values of variables and other secrets."""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import without_secrets

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def test_secrets_of_a_module_are_hidden():
    shown = without_secrets(
        {"name": "box", "env": {"A": "s"}, "stdin": "s", "content": "s", "argv": ["a"], "cwd": None}
    )
    assert shown == {
        "name": "box", "env": {"A": HIDDEN}, "stdin": HIDDEN, "content": HIDDEN, "argv": ["a"], "cwd": None,
    }  # fmt: skip


def test_variables_of_nested_options_are_hidden():
    params = {
        "containers": {"web": {"env": {"A": "secret"}, "image": "i"}},
        "defaults": {"env": {"B": "secret"}},
        "environment": {"C": "secret"},
        "definition": {
            "services": {"web": {"environment": ["D=secret=t", "E"]}, "db": {"environment": {"F": "secret"}}}
        },
        "stdin": None,
    }
    shown = without_secrets(params)
    assert "secret" not in str(shown)
    assert shown["containers"]["web"] == {"env": {"A": HIDDEN}, "image": "i"}
    services = shown["definition"]["services"]
    assert services["web"]["environment"] == [f"D={HIDDEN}", "E"]
    assert services["db"]["environment"] == {"F": HIDDEN} and shown["stdin"] is None
    assert params["environment"] == {"C": "secret"}, "the module still has them"


def test_login_in_the_url_of_a_mirror_is_hidden():
    recipe = {"name": "web", "mirror": "https://user:se/cret@mirror.example/debian"}
    for params in (recipe, {"images": [recipe]}):
        assert f"https://{HIDDEN}@mirror.example/debian" in str(without_secrets(params))
        assert "cret" not in str(without_secrets(params))
    kept = {"mirror": "http://mirror.example/debian"}
    assert without_secrets(kept) == kept and without_secrets({"mirror": None}) == {"mirror": None}
