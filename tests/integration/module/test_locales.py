"""Paths are UTF-8 whatever the locale: names in containers, on the host and in options."""

import json

import pytest
from attacks import SLEEP
from locales import PLAIN_C, latin_1, module_in, run_in
from testhost import PYTHON

NAME = "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher"
TREE = rf"""
mkdir -p /run/{NAME}/{NAME}; cd /run/{NAME}
echo hello > {NAME}/{NAME}.txt; echo bytes > "$(printf 'no-text-\377')"; ln -s {NAME}/{NAME}.txt link-{NAME}
"""


@pytest.fixture(params=["C", "ISO-8859-1"])
def locale(request, tmp_path):
    """Variables of a locale in which Python's encoding of paths is not UTF-8."""
    return PLAIN_C if request.param == "C" else latin_1(tmp_path)


@pytest.fixture
def named(host):
    """The host, with a mounted directory that has a name beyond ASCII, and files with such names."""
    # The root of a test host is an overlay, of which the kernel makes no idmapped mounts.
    host.run("sh", "-ec", f"mkdir /run/{NAME}; mount -t tmpfs named /run/{NAME}; mount --make-shared /run/{NAME}")
    host.run("sh", "-ec", f"{TREE}mkdir /run/got-{NAME}")
    yield host
    host.module("conductor_container", name="box", state="absent", force=True)
    host.run("sh", "-ec", f"umount /run/{NAME}; rm -rf /run/{NAME} /run/got-*")


def content(host, path):
    """Names below a directory with the targets of symlinks, and the content of files, all as base64."""
    printed = f"cd {path}; find . -printf '%P %l\\n' | LC_ALL=C sort; find . -type f -exec cat {{}} + | sort"
    return host.run("sh", "-ec", f"({printed}) | base64").stdout


def test_locale_encodes_paths_by_itself(host, locale):
    command = [PYTHON, "-c", "import sys; print(sys.getfilesystemencoding())"]
    assert host.run(*command, env=locale).stdout.strip() in ("ascii", "iso8859-1")


def test_all_files_of_a_directory_are_copied(named, locale):
    named.module("conductor_container", name="box", image="debian", command=SLEEP)
    options = {"container": "box", "src": f"/run/{NAME}"}
    done = module_in(named, locale, "conductor_copy", **options, dest="/srv/")
    assert done["changed"] and "2 directories, 2 files, 1 link" in done["actions"][0]
    assert not named.module("conductor_copy", **options, dest="/srv")["changed"]
    back = {"container": "box", "direction": "out", "src": f"/srv/{NAME}"}
    module_in(named, locale, "conductor_copy", **back, dest=f"/run/got-{NAME}")
    assert content(named, f"/run/got-{NAME}/{NAME}") == content(named, f"/run/{NAME}")
    module_in(named, locale, "conductor_copy", container="box", content="x\n", dest=f"/srv/{NAME}/{NAME}/new-{NAME}")
    read = named.module("conductor_exec", container="box", argv=["cat", f"/srv/{NAME}/{NAME}/new-{NAME}"])
    assert read["stdout"] == "x"


def test_pattern_of_names_is_found(named, locale):
    named.module("conductor_container", name="box", image="debian", command=SLEEP)
    named.module("conductor_copy", container="box", src=f"/run/{NAME}", dest="/srv")
    for pattern in (f"/srv/b?cher/*/{NAME}.t?t", f"/srv/{NAME}", f"/s?v/{NAME}/link-b*"):
        done = module_in(named, locale, "conductor_exec", container="box", argv=["true"], creates=pattern)
        assert not done["changed"], pattern


@pytest.mark.parametrize("propagation", ["private", "slave"])
def test_mounts_and_their_targets_behind_symlinks(named, locale, propagation):
    named.module("conductor_container", name="box", image="debian", command=SLEEP, state="present")
    upper = "/var/lib/conductor/containers/box/upper"
    named.run("sh", "-ec", f"mkdir -p {upper}/srv; ln -s {NAME} {upper}/srv/link")
    mounts = [{"source": f"/run/{NAME}", "target": f"/srv/link/{NAME}", "propagation": propagation}]
    wish = {"name": "box", "mounts": mounts, "working_dir": f"/srv/{NAME}/{NAME}", "env": {"NAME": NAME}}
    assert module_in(named, locale, "conductor_container", **wish)["container"]["state"] == "running"
    argv = ["sh", "-c", f"pwd; echo $NAME; ls /srv; cat {NAME}/{NAME}.txt"]
    found = named.module("conductor_exec", container="box", argv=argv)["stdout"].split()
    assert sorted(found) == sorted([f"/srv/{NAME}/{NAME}", NAME, NAME, "link", "hello"])
    assert not module_in(named, locale, "conductor_container", **wish)["changed"]


def test_path_that_the_locale_cannot_express_is_an_error_that_names_both(host, locale):
    other = "/run/\N{CYRILLIC SMALL LETTER ZHE}"
    for module, options in (
        ("conductor_container", {"name": "box", "container_dir": other}),
        ("conductor_image", {"name": "app", "source": {"archive": f"{other}.tar"}}),
    ):
        failed = json.loads(run_in(host, locale, module, **options).stdout)
        assert failed["failed"] and f"{other}" in failed["msg"] and "Set a locale with UTF-8" in failed["msg"]
