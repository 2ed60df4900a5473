"""When a file is copied, and what is shown of it."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict
from ansible_collections.conductor.containers.plugins.module_utils._plan.copy import (
    SHOWN,
    FileView,
    content_diff,
    plan_copy,
)

WANTED = FileView("file", 3, "digest", b"new", 0o644, 0, 0)
MISSING = FileView("missing")


def plan(found, wanted=WANTED):
    return plan_copy("/srv/a", "box:/etc/a", wanted, found)


def diff(found, wanted=WANTED):
    return content_diff("/srv/a", "box:/etc/a", wanted, found)


def test_the_same_file_is_left_alone():
    assert plan(WANTED).actions == () and diff(WANTED) is None


@pytest.mark.parametrize(
    "other", [{"digest": "other"}, {"size": 4}, {"digest": ""}, {"mode": 0o600}, {"owner": 1}, {"group": -1}], ids=str
)
def test_whatever_differs_is_a_copy(other):
    assert [action.describe() for action in plan(replace(WANTED, **other)).actions] == ["copy /srv/a to box:/etc/a"]


def test_attributes_that_differ_are_shown_alone():
    planned = plan(replace(WANTED, mode=0o4755, owner=33))
    assert planned.before == {"mode": "4755", "owner": 33} and planned.after == {"mode": "0644", "owner": 0}
    assert diff(replace(WANTED, mode=0o4755)) is None
    assert plan(replace(WANTED, digest="other")).after == {}


def test_a_file_that_is_not_there_and_a_link_are_made_files():
    assert plan(MISSING).before == {"state": "absent"}
    assert plan(MISSING).after == {"state": "file", "mode": "0644", "owner": 0, "group": 0}
    assert plan(FileView("link")).before == {"state": "link"} and plan(FileView("link")).actions
    assert diff(MISSING) == {"before_header": "box:/etc/a", "after_header": "/srv/a", "before": "", "after": "new"}


@pytest.mark.parametrize("kind", ["directory", "mount point", "device", "FIFO", "socket"])
def test_what_is_no_file_is_not_replaced(kind):
    with pytest.raises(Conflict, match=f"box:/etc/a is a {kind}"):
        plan(FileView(kind))


def test_what_is_no_text_or_too_long_is_named_as_ansible_does():
    """ansible-core's callbacks know these keys (CallbackBase._get_diff)."""
    shown = diff(replace(WANTED, digest="x", text=b"\0"), replace(WANTED, size=SHOWN + 1, text=None))
    assert {key: shown[key] for key in shown if "header" not in key} == {"dst_binary": 1, "src_larger": SHOWN}
    assert diff(replace(WANTED, digest="x", text=b"\xff"))["before"] == "�"
