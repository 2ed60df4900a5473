"""Choice of a container's range of ids."""

import re

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.plan.id_ranges import (
    DEFAULT,
    IdsView,
    choose_ids,
    missing_lines,
    unregistered_ids,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.rootfs import check_kernel
from ansible_collections.conductor.containers.plugins.module_utils._engine.id_range import (
    END,
    SIZE,
    IdRange,
    parse_userns,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict, HostNotCapable, InvalidInput
from hypothesis import given
from hypothesis import strategies as st

ranges = st.builds(IdRange, st.integers(1, END // 2), st.integers(1, 4 * SIZE))
owners = st.sampled_from(["conductor", "alice", "bob"])
files = st.lists(st.tuples(owners, ranges), max_size=4)


def text(entries):
    return "".join(f"{name}:{ids.base}:{ids.size}\n" for name, ids in entries)


@given(files, files, st.lists(ranges, max_size=6))
def test_chosen_range_overlaps_no_other(subuid, subgid, taken):
    view = IdsView(text(subuid), text(subgid), {f"c{number}": ids for number, ids in enumerate(taken)})
    try:
        found = choose_ids("auto", view)
    except HostNotCapable:
        return
    assert found.size == SIZE and found.end <= END
    assert not any(found.overlaps(other) for other in taken)
    assert not any(found.overlaps(ids) for name, ids in [*subuid, *subgid] if name != "conductor")
    for entries in (subuid, subgid):
        ours = [ids for name, ids in entries if name == "conductor"]
        assert not ours or any(ids.base <= found.base and found.end <= ids.end for ids in ours)


@given(st.lists(st.integers(0, 30), unique=True, max_size=20), st.integers(1, 25))
def test_released_ranges_are_reused_first(gone, count):
    taken = {}
    for number in range(31):
        taken[f"c{number}"] = choose_ids("auto", IdsView(assigned=taken))
    free = sorted(taken.pop(f"c{number}").base for number in gone)
    for _ in range(min(count, len(free))):
        ids = choose_ids("auto", IdsView(assigned=taken))
        assert ids.base == free.pop(0)
        taken[str(ids.base)] = ids


def test_ranges_begin_at_524288_without_entries_of_conductor():
    assert choose_ids("auto", IdsView("alice:100000:65536\n", "alice:100000:65536\n")) == IdRange(524288)


def test_ranges_of_other_users_are_skipped():
    assert choose_ids("auto", IdsView("alice:524288:65537\n")) == IdRange(524288 + 2 * SIZE)


def test_only_entries_of_conductor_are_used_if_it_has_any():
    view = IdsView("conductor:100:65536\n", "x\nconductor:100:65536\nconductor:y:1\n")
    assert choose_ids("auto", view) == IdRange(100)
    with pytest.raises(HostNotCapable, match="no range of 65536 ids is free"):
        choose_ids("auto", IdsView(view.subuid, view.subgid, {"web": IdRange(100)}))


@pytest.mark.parametrize("text", ["", "alice:100000:65536\n"])
def test_ranges_of_one_file_are_used_if_the_other_has_none_of_conductor(text):
    """A host may have one of the files only, and another run that registers the ids writes them one after the other."""
    for view in (IdsView("conductor:500000:65536\n", text), IdsView(text, "conductor:500000:65536\n")):
        found = choose_ids("auto", view)
        assert found == IdRange(500000) and unregistered_ids(found, view) == (found,)


def test_ids_that_are_registered_meanwhile_are_not_written_again():
    within = IdRange(DEFAULT.base + SIZE)
    assert missing_lines([within], text([("conductor", DEFAULT)])) == ""
    assert missing_lines([within, IdRange(100)], text([("conductor", DEFAULT)])) == "conductor:100:65536\n"


def test_default_pool_can_be_exhausted():
    last = IdRange(DEFAULT.end - SIZE)
    assert choose_ids("auto", IdsView(assigned={"all": IdRange(524288, last.base - 524288)})) == last
    with pytest.raises(HostNotCapable):
        choose_ids("auto", IdsView(assigned={"all": DEFAULT}))
    assert DEFAULT.end + 1000 * SIZE < 600100000, "useradd has room for its users behind it"


def test_only_missing_ranges_are_registered():
    auto, far = IdRange(524288), IdRange(3000000)
    assert unregistered_ids(auto, IdsView()) == (DEFAULT,)
    assert unregistered_ids(far, IdsView()) == (DEFAULT,), "it is in the default"
    outside = IdRange(DEFAULT.end)
    assert unregistered_ids(outside, IdsView()) == (DEFAULT, outside)
    ours = missing_lines([DEFAULT], "")
    assert ours == "conductor:524288:268435456\n"
    assert unregistered_ids(auto, IdsView(ours, ours)) == ()
    own_pool = "alice:100000:65536\nconductor:3000000:131072\n"
    assert unregistered_ids(far, IdsView(own_pool, own_pool)) == ()
    assert unregistered_ids(auto, IdsView(own_pool, own_pool)) == (auto,), "of an older release, or asked for"
    others = IdRange(100000)
    assert unregistered_ids(others, IdsView(own_pool, own_pool)) == (others,), "alice may be deleted"
    assert missing_lines([others], own_pool) == "conductor:100000:65536\n"
    assert unregistered_ids(far, IdsView(own_pool, "")) == (far,)


def test_range_of_another_container_is_a_conflict_that_names_it():
    with pytest.raises(Conflict, match="container db has 700000 to 765535"):
        choose_ids(IdRange(765535), IdsView(assigned={"db": IdRange(700000)}))
    assert choose_ids(IdRange(765536), IdsView(assigned={"db": IdRange(700000)})) == IdRange(765536)
    assert choose_ids("host", IdsView(assigned={"db": IdRange(1, END)})) is None


@pytest.mark.parametrize("file", ["subuid", "subgid"])
def test_range_of_a_user_is_a_conflict_that_names_the_user(file):
    view = IdsView(**{file: "conductor:700000:65536\nalice:100000:65536\n"})
    with pytest.raises(Conflict, match=f"user alice has 100000 to 165535 in /etc/{file}"):
        choose_ids(IdRange(165535), view)
    assert choose_ids(IdRange(165536), view) == IdRange(165536)
    assert choose_ids(IdRange(700000), view) == IdRange(700000), "those of conductor are for containers"


@pytest.mark.parametrize(
    "value",
    ["yes", "", 5, None, [], {}, {"size": SIZE}, {"base": 0}, {"base": 65535}, {"base": "a"}, {"base": 1.5},
     {"base": True}, {"base": SIZE, "size": 1000}, {"base": END}, {"base": SIZE, "length": SIZE}],
)  # fmt: skip
def test_invalid_range_is_refused(value):
    with pytest.raises(InvalidInput, match="userns"):
        parse_userns(value, "userns")


def test_numbers_may_come_as_text():
    assert parse_userns({"base": "700000", "size": "131072"}, "userns") == IdRange(700000, 131072)


@pytest.mark.parametrize("release", ["5.10.0-28-amd64", "4.19", "5.18.99+deb12"])
def test_too_old_kernel_is_refused(release):
    with pytest.raises(HostNotCapable, match=f"Linux {re.escape(release)} has no overlayfs on idmapped.*userns: host"):
        check_kernel(release)


@pytest.mark.parametrize("release", ["5.19.0", "6.1.0-18-amd64", "6.18+", "10.0-rc1"])
def test_new_enough_kernel_is_accepted(release):
    check_kernel(release)
