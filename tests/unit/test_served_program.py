"""How a controller calls the program on a host: its name is found out once in a run."""

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import run_cache as found_once


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Where Ansible has its temporary files in this run."""
    monkeypatch.setattr(found_once.C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_the_programs_name_is_found_out_once_in_a_run(directory, monkeypatch):
    found = found_once.served()
    with monkeypatch.context() as context:
        context.setattr(found_once, "_served", lambda: pytest.fail("found out again"))
        assert found_once.served() == found
    assert [file.name for file in directory.iterdir()] == ["conductor-served"]


def test_where_it_cannot_be_kept_it_is_found_out_again(directory):
    found = found_once.served()
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    assert found_once.served() == found
