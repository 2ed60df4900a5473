"""The cache of the program's name for one run of Ansible."""

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import host_bundle, run_cache


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The directory of Ansible's temporary files in this run."""
    monkeypatch.setattr(run_cache.C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_program_name_is_cached_for_a_run(directory, monkeypatch):
    found = run_cache.agent_paths()
    with monkeypatch.context() as context:
        context.setattr(host_bundle, "find_agent_paths", lambda: pytest.fail("found out again"))
        assert run_cache.agent_paths() == found
    assert [file.name for file in directory.iterdir()] == ["conductor-served"]


def test_value_is_computed_again_without_a_cache(directory):
    found = run_cache.agent_paths()
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    assert run_cache.agent_paths() == found
