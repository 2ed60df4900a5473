"""The plan of images: every run converges, and an image in use is never changed."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.plan import (
    BuildImage,
    ClearStaging,
    ExportImage,
    ImageRequest,
    ImageView,
    RemoveImage,
    check_layers,
    plan_image,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import (
    ConductorError,
    Conflict,
    Damaged,
    NotFound,
)
from ansible_collections.conductor.containers.plugins.module_utils._image.spec.recipe import Recipe, with_defaults
from hypothesis import given
from hypothesis import strategies as st

recipes = st.builds(Recipe, suite=st.sampled_from([None, "trixie", "sid"]), packages=st.sampled_from([None, ("a",)]))
builders = st.sampled_from([None, "mmdebstrap", "debootstrap"])
wishes = st.builds(
    ImageRequest,
    name=st.just("web"),
    state=st.sampled_from(["present", "absent", "exported"]),
    recipe=recipes,
    builder=builders,
    force=st.booleans(),
    archive=st.just("/a.tar"),
)
there = st.builds(lambda recipe, builder: {"recipe": with_defaults(recipe, "trixie", "amd64"), "builder": builder},
                  recipes, st.sampled_from(["mmdebstrap", "debootstrap"]))  # fmt: skip
views = st.builds(
    lambda state, **rest: ImageView(**state, **rest),
    st.one_of(there, st.just({}), st.just({"damage": "image.json is damaged"})),
    users=st.sampled_from([(), ("c1",), ("c1", "c2")]),
    derived=st.sampled_from([(), ("above",)]),
    unknown_users=st.sampled_from(["", "container.json is damaged"]),
    stale=st.booleans(),
    exported=st.booleans(),
    foreign=st.booleans(),
)


def carry_out(view, wish, action):
    """Return the view of the host after `action`."""
    gone = {"recipe": None, "builder": None, "damage": "", "exported": False}
    if isinstance(action, ClearStaging):
        return replace(view, stale=False)
    if isinstance(action, RemoveImage):
        return replace(view, **gone)
    if isinstance(action, ExportImage):
        return replace(view, exported=True, foreign=False)
    assert isinstance(action, BuildImage)
    recipe = with_defaults(wish.recipe, "trixie", "amd64")
    return replace(view, **{**gone, "recipe": recipe, "builder": wish.builder or "mmdebstrap"})


@given(wishes, views, st.integers(0, 3))
def test_next_run_converges_after_any_part_of_a_plan(wish, view, done):
    try:
        actions = plan_image(wish, view).actions
    except ConductorError:
        return
    for action in actions[:done]:
        view = carry_out(view, wish, action)
    if done < len(actions):
        # The run was killed during the next action.
        view = replace(view, stale=True)
        for action in plan_image(wish, view).actions:
            view = carry_out(view, wish, action)
    assert plan_image(replace(wish, force=False), view).actions == ()


@given(wishes, views)
def test_image_in_use_is_not_changed(wish, view):
    if not view.exists or not (view.users or view.derived or view.unknown_users):
        return
    try:
        actions = plan_image(wish, view).actions
    except ConductorError as error:
        assert (
            all(user in str(error) for user in view.users or view.derived)
            or not isinstance(error, Conflict)
            or "other values" in error.message
            or "not an export" in error.message
        )
        return
    assert not any(isinstance(action, (RemoveImage, BuildImage)) for action in actions)


@given(wishes, views)
def test_image_or_archive_is_replaced_only_with_force(wish, view):
    if wish.force or not view.exists:
        return
    try:
        actions = plan_image(wish, view).actions
    except ConductorError:
        return
    assert not any(isinstance(action, BuildImage) for action in actions)
    assert not (view.foreign and any(isinstance(action, ExportImage) for action in actions))
    assert wish.state == "absent" or not any(isinstance(action, RemoveImage) for action in actions)


BUILT = ImageView(recipe=with_defaults(Recipe(packages=("a",)), "trixie", "amd64"), builder="mmdebstrap")


@pytest.mark.parametrize("state", ["present", "exported"])
def test_different_recipe_is_a_conflict_with_a_diff(state):
    with pytest.raises(Conflict, match="other values of suite, builder") as caught:
        plan_image(ImageRequest("web", state, Recipe(suite="sid"), builder="debootstrap"), BUILT)
    before, after = caught.value.facts["diff"]["before"], caught.value.facts["diff"]["after"]
    assert before == {"suite": "trixie", "builder": "mmdebstrap"} and after == {
        "suite": "sid",
        "builder": "debootstrap",
    }


def test_remedy_for_a_different_recipe_is_possible_while_the_image_is_in_use():
    for view, remedy in (
        (BUILT, "Set force: true with state=present to rebuild web, or use another name"),
        (replace(BUILT, users=("c1",)), "Use another name for the new image, since web is in use"),
        (replace(BUILT, derived=("above",)), "Use another name for the new image, since web is in use"),
    ):
        with pytest.raises(Conflict, match=remedy):
            plan_image(ImageRequest("web", recipe=Recipe(suite="sid")), view)


def test_builder_is_not_compared_if_not_given():
    assert plan_image(ImageRequest("web"), replace(BUILT, builder="debootstrap")).actions == ()


def test_diff_of_a_forced_build_shows_the_new_recipe():
    complete = with_defaults(Recipe(), "sid", "amd64")
    plan = plan_image(ImageRequest("web", force=True), replace(BUILT, complete=complete))
    assert plan.before["packages"] == ("a",) and plan.after["packages"] == () and plan.after["suite"] == "sid"


@pytest.mark.parametrize("state", ["present", "absent", "exported"])
def test_damaged_image_is_an_error_without_force(state):
    damaged = ImageView(damage="image.json is damaged")
    with pytest.raises(Damaged):
        plan_image(ImageRequest("web", state), damaged)
    if state == "exported":
        with pytest.raises(Damaged):
            plan_image(ImageRequest("web", state, force=True), damaged)
    else:
        assert len(plan_image(ImageRequest("web", state, force=True), damaged).actions) == 1


def test_export_of_a_missing_image_is_an_error():
    with pytest.raises(NotFound, match="image web: cannot be exported"):
        plan_image(ImageRequest("web", "exported", archive="/a.tar"), ImageView())


def test_file_that_is_no_export_of_the_image_is_replaced_only_with_force():
    request, view = ImageRequest("web", "exported", archive="/a.tar"), replace(BUILT, foreign=True)
    for missing in (view, ImageView(foreign=True)):
        with pytest.raises(Conflict, match=r"image web: .*/a\.tar exists and is not an export of this image"):
            plan_image(request, missing)
    assert plan_image(replace(request, force=True), view).actions == (ExportImage("web", "/a.tar"),)


def test_too_many_layers_are_a_conflict():
    check_layers("base", ["layer"] * 19)
    with pytest.raises(Conflict, match=r"image base has 20 layers; the maximum is 20\. Make it one layer"):
        check_layers("base", ["layer"] * 20)


def test_used_image_that_is_to_be_built_again_has_a_remedy_that_keeps_the_containers():
    used = replace(BUILT, users=("web", "db"))
    with pytest.raises(Conflict, match=r"built again because it is used by web, db\. Build it under another name and"):
        plan_image(ImageRequest("app", force=True), used)
    with pytest.raises(Conflict, match=r"removed because it is used by web, db\. Remove these containers first"):
        plan_image(ImageRequest("app", "absent"), used)
