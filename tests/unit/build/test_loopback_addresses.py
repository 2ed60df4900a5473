"""Which proxies are on the host's loopback, and so have to be relayed to commands of an image."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.commands import loopback_addresses


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("http://127.0.0.1:3142", {("127.0.0.1", 3142)}),
        ("http://user:secret@127.0.0.9:3142/", {("127.0.0.9", 3142)}),
        ("http://[::1]:3142", {("::1", 3142)}),
        ("localhost:8080", {("127.0.0.1", 8080), ("::1", 8080)}),
        ("https://localhost", {("127.0.0.1", 443), ("::1", 443)}),
        ("http://192.0.2.1:3142", set()),
        ("http://proxy.example:3142", set()),
        ("http://127.0.0.1:99999", set()),
        ("", set()),
    ],
)
def test_proxies_on_the_loopback_are_found(value, found):
    assert loopback_addresses({"http_proxy": value, "no_proxy": "127.0.0.1", "HOME": "http://127.0.0.1"}) == found
