"""Plans of copies, and their diffs."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.copy.plan import (
    MAX_DIFF_SIZE,
    FileView,
    Pair,
    differences,
    plan_copy,
    printable_path,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict

WANTED = FileView("file", 3, "digest", b"new", 0o644, 0, 0)
MISSING = FileView("missing")
DIRECTORY = FileView("directory", mode=0o755)
LINK = FileView("link", link_target="a")


def plan(pairs, room=None):
    return plan_copy("/srv/a", "box:/etc/a", {path: Pair(*pair) for path, pair in pairs.items()}, room)


def plan_file(found, wanted=WANTED):
    return plan({"": (wanted, found)})


def diff(found, wanted=WANTED):
    """Diffs of content and of attributes; None if they are the same."""
    pairs = {"": Pair(wanted, found)}
    shown = [diff for action in plan_file(found, wanted).actions for diff in differences(action, pairs)]
    content = [one for one in shown if one["after_header"] == "/srv/a"]
    attributes = [(one["before"], one["after"]) for one in shown if one["after_header"] == "box:/etc/a"]
    return content[0] if content else None, attributes[0] if attributes else None


def test_identical_file_is_not_copied():
    assert plan_file(WANTED).actions == () and diff(WANTED) == (None, None)


@pytest.mark.parametrize(
    "other", [{"digest": "other"}, {"size": 4}, {"digest": ""}, {"mode": 0o600}, {"owner": 1}, {"group": -1}], ids=str
)
def test_any_difference_requires_a_copy(other):
    (action,) = plan_file(replace(WANTED, **other)).actions
    assert action.describe() == "copy /srv/a to box:/etc/a" and action.entries == (("", WANTED),)


def test_attributes_that_differ_are_shown_alone():
    other = replace(WANTED, mode=0o4755, owner=33)
    assert diff(other) == (None, ({"mode": "4755", "owner": 33}, {"mode": "0644", "owner": 0}))
    assert diff(replace(WANTED, digest="other"))[1] is None


def test_missing_file_and_symlink_become_files():
    content, attributes = diff(MISSING)
    assert content == {"before_header": "box:/etc/a", "after_header": "/srv/a", "before": "", "after": "new"}
    assert attributes == ({"state": "absent"}, {"state": "file", "mode": "0644", "owner": 0, "group": 0})
    assert diff(LINK)[1] == ({"state": "link"}, {"state": "file", "mode": "0644"})


@pytest.mark.parametrize("kind", ["directory", "mount point", "device", "FIFO", "socket"])
@pytest.mark.parametrize("wanted", [WANTED, LINK], ids=["file", "link"])
def test_special_file_or_directory_is_not_replaced(kind, wanted):
    with pytest.raises(Conflict, match=f"box:/etc/a is a {kind}"):
        plan_file(FileView(kind), wanted)


@pytest.mark.parametrize("kind", ["file", "link", "mount point", "device", "FIFO", "socket"])
def test_non_directory_is_not_replaced_by_a_directory(kind):
    with pytest.raises(Conflict, match=f"box:/etc/a/x is a {kind}, and /srv/a/x is a directory"):
        plan({"": (DIRECTORY, DIRECTORY), "x": (DIRECTORY, FileView(kind))})


def test_symlinks_are_compared_by_target_and_owner():
    assert plan_file(LINK, LINK).actions == ()
    assert diff(LINK, replace(LINK, link_target="b", owner=33)) == (
        None,
        ({"owner": 0, "to": "a"}, {"owner": 33, "to": "b"}),
    )
    assert diff(WANTED, LINK)[1] == ({"state": "file"}, {"state": "link", "to": "a"})


def test_only_differing_entries_of_a_directory_are_copied():
    pairs = {
        "": (DIRECTORY, replace(DIRECTORY, mode=0o1777, owner=5)), "new": (DIRECTORY, MISSING),
        "new/x": (WANTED, MISSING), "same": (WANTED, WANTED), "y": (WANTED, replace(WANTED, digest="other")),
        "z": (LINK, MISSING),
    }  # fmt: skip
    (action,) = plan(pairs).actions
    assert [path for path, _wanted in action.entries] == ["new", "new/x", "y", "z"]
    assert action.describe() == "copy /srv/a to box:/etc/a: 1 directory, 2 files, 1 link"
    assert plan({**pairs, "new": (DIRECTORY, DIRECTORY)}).actions[0].describe().endswith("/a: 2 files, 1 link")
    assert plan({path: (wanted, wanted) for path, (wanted, _found) in pairs.items()}).actions == ()


def test_free_space_is_required_only_for_files_to_copy():
    pairs = {"": (DIRECTORY, DIRECTORY), "x": (WANTED, MISSING), "y": (WANTED, MISSING), "same": (WANTED, WANTED)}
    assert plan(pairs, 6).actions
    with pytest.raises(Conflict, match="box:/etc/a: needs 6 bytes for /srv/a, and 5 are free"):
        plan(pairs, 5)


def test_diff_of_binary_and_large_files_has_the_keys_of_ansible():
    """ansible-core's callbacks know these keys (CallbackBase._get_diff)."""
    shown, _attributes = diff(
        replace(WANTED, digest="x", text=b"\0"), replace(WANTED, size=MAX_DIFF_SIZE + 1, text=None)
    )
    assert {key: shown[key] for key in shown if "header" not in key} == {"dst_binary": 1, "src_larger": MAX_DIFF_SIZE}
    assert diff(replace(WANTED, digest="x", text=b"\xff"))[0]["before"] == "�"


def test_names_that_are_not_utf_8_are_displayed():
    assert printable_path("box:/etc", b"a/\xff".decode(errors="surrogateescape")) == "box:/etc/a/�"
    assert printable_path("/srv/a", "") == "/srv/a"
