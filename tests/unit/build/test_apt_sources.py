"""Detection of Debian among the apt sources of a host."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.apt_sources import (
    debian_archive,
    host_codename,
    host_sources,
    parse_deb822,
    parse_one_line,
)

DEBIAN, SECURITY = "http://mirror.example/debian", "http://security.example/debian-security"
CLASSIC = f"""\
# deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main
deb {DEBIAN}/ bookworm main contrib # ours
deb-src {DEBIAN} bookworm main
deb {SECURITY} bookworm-security main
deb {DEBIAN} bookworm-updates main
"""
DEB822 = f"""\
# a comment
Types: deb
URIs: {DEBIAN}
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb deb-src
URIs: {SECURITY}
Suites: bookworm-security
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
OTHERS = """\
deb [arch=amd64 signed-by=/usr/share/keyrings/browser.gpg] https://dl.example/browser/deb/ stable main
deb https://packages.example/ bookworm main
deb https://database.example/pub/repos bookworm-db main
"""


def hosts(tmp_path, **files):
    (tmp_path / "sources.list.d").mkdir(exist_ok=True)
    for name, text in files.items():
        place = tmp_path if name == "sources_list" else tmp_path / "sources.list.d"
        (place / name.replace("_", ".")).write_text(text)
    return host_sources(str(tmp_path))


def test_both_formats_give_the_same_archives(tmp_path):
    assert debian_archive(parse_one_line(CLASSIC), "bookworm") == (DEBIAN, SECURITY)
    assert debian_archive(parse_deb822(DEB822), "bookworm") == (DEBIAN, SECURITY)


def test_suites_of_other_vendors_are_not_debian(tmp_path):
    assert debian_archive(hosts(tmp_path, a_list=OTHERS, debian_sources=DEB822), "bookworm") == (DEBIAN, SECURITY)
    assert debian_archive(parse_one_line(OTHERS), "bookworm") == (None, None)


def test_any_mirror_in_debians_own_file_is_debian(tmp_path):
    sources = hosts(tmp_path, sources_list="deb https://artifacts.example/apt-remote bookworm main\n", b_list=OTHERS)
    assert debian_archive(sources, "bookworm") == ("https://artifacts.example/apt-remote", None)


def test_mirror_signed_by_debian_in_any_file_is_debian():
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    text = OTHERS + f"deb [signed-by={key}] https://artifacts.example/x bookworm main\n"
    assert debian_archive(parse_one_line(text), "bookworm")[0] == "https://artifacts.example/x"


def test_first_entry_of_a_mirror_list_file_is_used(tmp_path):
    """Debian's cloud images use such a file."""
    mirrors = tmp_path / "debian.list"
    mirrors.write_text(f"# first the near one\n{DEBIAN}\tpriority:1\nhttp://far.example/debian\n")
    sources = parse_one_line(f"deb mirror+file:{mirrors} bookworm main\n", own=True)
    assert debian_archive(sources, "bookworm") == (DEBIAN, None)


@pytest.mark.parametrize("suite", ["stable", "oldstable", "testing", "sid", "unstable"])
def test_archives_are_found_by_the_name_of_their_release(suite):
    """base-files of testing and sid have the codename of the next release in os-release(5)."""
    rest = f"deb {DEBIAN} {suite}-updates main\ndeb {SECURITY} {suite}-security main\n"
    sources = parse_one_line(OTHERS + f"deb {DEBIAN} {suite} main\n{rest}")
    assert debian_archive(sources, "forky") == (DEBIAN, SECURITY)
    assert debian_archive(parse_one_line(f"deb {DEBIAN} {suite} main\n"), "forky") == (DEBIAN, None)


def test_archive_of_the_suite_of_the_host_is_preferred():
    other = "deb http://newer.example/debian sid main\ndeb http://newer.example/debian testing-security main\n"
    assert debian_archive(parse_one_line(other + CLASSIC), "bookworm") == (DEBIAN, SECURITY)
    alone = f"deb {DEBIAN} bookworm main\n"
    assert debian_archive(parse_one_line(other + alone), "bookworm")[0] == DEBIAN


def test_unusable_sources_are_left_to_the_builder():
    sources = parse_one_line("deb mirror+http://list.example/debian bookworm main\n", own=True)
    assert debian_archive(sources, "bookworm") == (None, None)
    assert debian_archive(parse_one_line(CLASSIC), None) == (None, None)


@pytest.mark.parametrize(
    "text", ["", "deb", "deb x", " : \n\n:", "Types: deb\nURIs: x", " indented: first\nTypes: deb"]
)
def test_incomplete_sources_are_ignored(text):
    assert debian_archive(parse_one_line(text) + parse_deb822(text), "bookworm") == (None, None)


@pytest.mark.parametrize(
    ("text", "codename"),
    [
        ('ID=debian\nVERSION_CODENAME="trixie"\n', "trixie"),
        ("ID=debian\nVERSION_CODENAME=bookworm", "bookworm"),
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n", None),
        ("ID=debian\n", None),
        ("", None),
    ],
)
def test_host_suite_is_known_only_on_debian(tmp_path, text, codename):
    (tmp_path / "os-release").write_text(text)
    assert host_codename(str(tmp_path / "os-release")) == codename


def test_directories_among_the_files_with_sources_are_ignored(tmp_path):
    for name in ("a.list", "b.sources"):
        (tmp_path / "sources.list.d" / name).mkdir(parents=True)
    assert host_sources(str(tmp_path)) == []


@pytest.mark.parametrize("uri", ["http://[::1/debian", "http://deb\u2100.example/debian"])
def test_source_with_an_invalid_uri_is_ignored(uri):
    sources = parse_one_line(f"deb {uri} bookworm main\n{CLASSIC}")
    assert debian_archive(sources, "bookworm") == (DEBIAN, SECURITY)
