"""Messages of the client are told apart from output of the command and of ssh in the same stream."""

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import perl_client as client
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import NotRun


@pytest.fixture
def one(monkeypatch):
    monkeypatch.setattr(client, "agent_paths", lambda: ("/program", "/socket"))
    return client.Client(["box", "root", "true"], "/usr/bin/python3")


def said(one, text):
    """As it comes from a host where ssh tells what it does: the command before it, and more behind."""
    token = one.token
    return f"debug1: Sending command: {one.command}\n\n{token}{text}{token}\ndebug2: channel 2: is dead\n".encode()


def test_message_of_the_client_is_found_between_output_of_ssh(one):
    with pytest.raises(client.BundleMissing):
        one.outcome(125, b"", said(one, "?"))
    with pytest.raises(NotRun, match=r"^container box does not exist$"):
        one.outcome(125, b"", said(one, "!container box does not exist"))
    status, _, stderr = one.outcome(125, b"", b"of the command" + said(one, "=255"))
    assert status == 255 and one.token + "=" not in stderr.decode() and stderr.startswith(b"of the command")


def test_exit_status_of_the_command_is_not_a_message(one):
    assert one.outcome(125, b"out", b"err") == (125, b"out", b"err")
    assert one.outcome(3, b"", said(one, "?")) == (3, b"", said(one, "?"))
