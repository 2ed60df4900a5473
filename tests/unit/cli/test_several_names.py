"""Verbs of the host command with several names: each of them counts, also after an error."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli import parser
from ansible_collections.conductor.containers.plugins.module_utils._cli.commands import common, host, images
from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
from ansible_collections.conductor.containers.plugins.module_utils._errors import NotFound


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """The settings of a host with directories that are empty."""
    found = Settings(image_dir=str(tmp_path / "images"), container_dir=str(tmp_path / "containers"))
    for commands in (common, host, images):
        monkeypatch.setattr(commands, "load_settings", lambda: found)
    return found


@pytest.mark.parametrize("verb", ["rmi", "image rm"])
def test_images_after_an_error_are_removed_too(settings, capsys, tmp_path, verb):
    (tmp_path / "images/damaged").mkdir(parents=True)
    (tmp_path / "images/damaged/image.json").write_text("{}")
    assert images.do_rmi(parser.parse([*verb.split(), "--check", "a", "damaged", "b"])) == 7
    said = capsys.readouterr()
    assert said.out == "image a does not exist\nimage b does not exist\n"
    assert said.err.startswith("conductor: ") and "damaged/image.json is damaged" in said.err


def test_stats_of_a_container_that_does_not_exist_are_an_error(settings):
    with pytest.raises(NotFound, match="container nobody does not exist"):
        host.do_stats(parser.parse(["stats", "nobody"]))


def test_stats_without_names_are_empty_if_no_container_runs(settings, capsys):
    assert host.do_stats(parser.parse(["stats"])) == 0
    assert capsys.readouterr().out == "no container is running\n"
