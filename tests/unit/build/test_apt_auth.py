"""Logins of the host's apt for mirrors."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.apt_auth import (
    auth_conf,
    has_login,
    without_login,
)

URI = "https://example.org/debian"


# From the examples in apt_auth.conf(5).
@pytest.mark.parametrize(
    "machine",
    ["example.org", "example.org/deb", "example.org/debian", "example.org/debian/", "https://example.org",
     "other.org login a password b\nmachine example.org"],
)  # fmt: skip
def test_login_for_a_mirror_is_found(machine):
    assert has_login(f"machine {machine} login apt password debian\n", URI)


@pytest.mark.parametrize(
    "machine",
    ["example.org:443", "example.org/deb/", "example.org/ubuntu", "example.orga", "example.net", "http://example.org"],
)
def test_login_for_another_mirror_is_not_found(machine):
    assert not has_login(f"machine {machine} login apt password debian\n", URI)


def test_port_of_a_mirror_is_compared():
    text = "machine http://example.org:8080 login apt password debian"
    assert has_login(text, "http://example.org:8080/debian") and not has_login(text, "http://example.org:80/debian")


@pytest.mark.parametrize("address", ["example.org:99999", "example.org:port", "[::1]:0"])
def test_login_for_a_mirror_with_an_impossible_port_is_not_found(address):
    assert not has_login("machine http://example.org:80 login apt password debian", f"http://{address}/debian")


def test_files_with_logins_are_those_that_apt_reads(tmp_path):
    parts = tmp_path / "auth.conf.d"
    parts.mkdir()
    read, others = (
        ["a.b.conf", "c:d", "e_f-1", "g.conf"],
        ["a.bak", "b.conf~", ".c.conf", "d e.conf", "f.", "é", "h.conf.d"],
    )
    for name in (*read, *others):
        (parts / name).write_text(name)
    (parts / "linked").symlink_to("a.bak")
    (parts / "missing.conf").symlink_to("nothing")
    (parts / "directory.conf").mkdir()
    assert auth_conf([], str(tmp_path)).split() == [*read, "a.bak"]


def test_logins_of_uris_precede_those_of_files(tmp_path):
    (tmp_path / "auth.conf.d").mkdir()
    (tmp_path / "auth.conf").write_text("machine a login one password 1")
    (tmp_path / "auth.conf.d/b.conf").write_text("machine b login two password 2\n")
    (tmp_path / "auth.conf.d/b.conf.bak").write_text("machine c login three password 3\n")
    uris = ["https://user%40x:pa%3ass@example.org:80/debian", "https://token@example.net", URI]
    assert auth_conf(uris, str(tmp_path)).split("\n") == [
        "machine https://example.org:80/debian/ login user@x password pa:ss",
        "machine https://example.net/ login token",
        "machine a login one password 1",
        "machine b login two password 2", "", "",
    ]  # fmt: skip
    assert [without_login(uri) for uri in uris] == ["https://example.org:80/debian", "https://example.net", URI]
    assert without_login("file:/srv/a@b") == "file:/srv/a@b"
