"""The cache of the program's name for one run of Ansible."""

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import run_cache as found_once


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The directory of Ansible's temporary files in this run."""
    monkeypatch.setattr(found_once.C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_program_name_is_cached_for_a_run(directory, monkeypatch):
    found = found_once.agent_paths()
    with monkeypatch.context() as context:
        context.setattr(found_once, "_served", lambda: pytest.fail("found out again"))
        assert found_once.agent_paths() == found
    assert [file.name for file in directory.iterdir()] == ["conductor-served"]


def test_value_is_computed_again_without_a_cache(directory):
    found = found_once.agent_paths()
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    assert found_once.agent_paths() == found
