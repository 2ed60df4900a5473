"""What the client says on a host is told from what the command, and ssh, write to the same stream."""

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import perl_client as client
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import NotRun


@pytest.fixture
def one(monkeypatch):
    monkeypatch.setattr(client, "served", lambda: ("/program", "/socket"))
    return client.Client(["box", "root", "true"], "/usr/bin/python3")


def said(one, text):
    """As it comes from a host where ssh tells what it does: the command before it, and more behind."""
    token = one._token
    return f"debug1: Sending command: {one.command}\n\n{token}{text}{token}\ndebug2: channel 2: is dead\n".encode()


def test_what_it_says_may_stand_within_the_words_of_ssh(one):
    with pytest.raises(client.ProgramMissing):
        one.outcome(125, b"", said(one, "?"))
    with pytest.raises(NotRun, match=r"^there is no container 'box'$"):
        one.outcome(125, b"", said(one, "!there is no container 'box'"))
    status, _, stderr = one.outcome(125, b"", b"of the command" + said(one, "=255"))
    assert status == 255 and one._token + "=" not in stderr.decode() and stderr.startswith(b"of the command")


def test_a_status_that_is_the_commands_is_no_word_of_the_client(one):
    assert one.outcome(125, b"out", b"err") == (125, b"out", b"err")
    assert one.outcome(3, b"", said(one, "?")) == (3, b"", said(one, "?"))
