"""conductor_stack: several containers with their images, networks and peers in one task."""

import json

import pytest
from attacks import patched
from netbox import Inside, call, end_servers, is_refused, reaches, serve
from seams.audits import count_nft_runs
from testhost import ModuleFailed

SLEEP = ["/bin/sleep", "infinity"]
DEFAULTS = {"image": "debian", "command": SLEEP}
SHOP = {
    "web": {"count": 2, "peers": [{"peer": "db", "direction": "to", "ports": ["5432/tcp"]}], "depends_on": ["db"]},
    "db": {"wait": ["true"], "expose": ["5432-15432"]},
    "lone": {},
}


def stack(host, containers=SHOP, **options):
    return host.module("conductor_stack", **{"name": "shop", "containers": containers, "defaults": DEFAULTS, **options})


def names(host):
    return {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}


def test_stack_is_deployed_unchanged_and_removed(host):
    foreseen = stack(host, check=True)
    assert names(host) == {} and foreseen["changed"]
    made = stack(host)
    assert sorted(made["actions"]) == sorted(foreseen["actions"])
    assert names(host) == dict.fromkeys(("web-1", "web-2", "db", "lone"), "running")
    assert set(made["containers"]) == set(names(host)) and set(made["networks"]) == {"web-1", "web-2", "db"}
    assert made["containers"]["web-2"]["labels"] == {"conductor.stack": "shop", "conductor.service": "web"}
    again = stack(host)
    assert not again["changed"] and again["actions"] == []
    foreseen = stack(host, {}, state="absent", check=True)
    gone = stack(host, {}, state="absent")
    assert sorted(gone["actions"]) == sorted(foreseen["actions"])
    assert names(host) == {}
    assert not stack(host, {}, state="absent")["changed"]


def test_nft_runs_do_not_become_more_with_the_number_of_containers(host):
    """One observation for all, and one transaction for all."""
    log = "/run/changed/nft"

    def containers(count):
        return {"db": {"expose": ["5432-15432"]}, "web": {"count": count - 1, "peers": ["db"]}}

    def nft_runs(count, changed):
        made = patched(
            host, "conductor_stack", seams=[count_nft_runs(path=log)],
            name="shop", containers=containers(count), defaults=DEFAULTS,
        )  # fmt: skip
        assert made["changed"] is changed
        counted = len(host.run("cat", log).stdout)
        host.run("rm", log)
        return counted

    # The first network of a host takes one transaction more.
    stack(host, containers(2))
    stack(host, {}, state="absent")
    few = [nft_runs(2, True), nft_runs(2, False)]
    stack(host, {}, state="absent")
    assert [nft_runs(6, True), nft_runs(6, False)] == few


def test_only_declared_peers_and_ports_are_reachable(host):
    stack(host)
    web, other, db = (Inside(host, name) for name in ("web-1", "web-2", "db"))
    for box, port in ((db, 5432), (db, 5433), (other, 8080)):
        serve(box, port)
    for address in db.addresses():
        assert reaches(web, address, 5432) and reaches(other, address, 5432)
        assert is_refused(web, address, 5433)
    assert is_refused(web, other.addresses()[0], 8080) and is_refused(db, other.addresses()[0], 8080)
    # The list of peers is complete.
    changed = {**SHOP, "web": {"count": 2, "peers": [], "network": {}, "depends_on": ["db"]}}
    assert stack(host, changed)["changed"] and not stack(host, changed)["changed"]
    assert is_refused(web, db.addresses()[0], 5432)
    end_servers()


def test_stop_keeps_networks_that_are_not_given(host):
    made = stack(host)["networks"]
    expected = {name: {**network, "attached": False} for name, network in made.items()}
    # The second implies networks.
    for web in ({"count": 2}, {"count": 2, "peers": SHOP["web"]["peers"]}):
        shorter = {"web": web, "db": {}, "lone": {}}
        stopped = stack(host, shorter, state="stopped")
        assert stopped["changed"] and not stack(host, shorter, state="stopped")["changed"]
        assert stopped["networks"] == expected
        stack(host)
        assert not stack(host)["changed"]


def test_container_that_cannot_be_stopped_keeps_its_network(host):
    """Since its processes run on. Here its directory cannot be written, as on a full disk."""
    stack(host)
    directory = "/var/lib/conductor/containers/db"
    host.run("mount", "--bind", directory, directory)
    host.run("mount", "-o", "remount,bind,ro", directory)
    for state in ("stopped", "restarted"):
        assert set(stack(host, state=state, fails=True)["failed_containers"]) >= {"db"}
        assert names(host)["db"] == "running"
    host.run("umount", directory)
    stack(host)
    db, web = Inside(host, "db"), Inside(host, "web-1")
    serve(db, 5432)
    assert all(reaches(web, address, 5432) for address in db.addresses())
    end_servers()


def test_peer_that_an_earlier_task_would_create_is_a_warning_in_check_mode(host):
    containers = {"web": {"peers": ["elsewhere"]}}
    foreseen = stack(host, containers, check=True)
    assert foreseen["changed"] and "container elsewhere does not exist" in str(foreseen["warnings"])
    assert "container elsewhere does not exist" in stack(host, containers, fails=True)["msg"]
    assert names(host) == {}


def test_images_are_built_before_and_check_mode_tells_the_truth(host):
    images = [{"name": "app", "source": {"image": "debian"}, "commands": ["touch /made"]}]
    containers = {"web": {"image": "app", "wait": ["test", "-e", "/made"], "expose": ["80-8080"]}}
    foreseen = stack(host, containers, images=images, check=True)
    made = stack(host, containers, images=images)
    # The build registers the ids, for the container in which its commands run.
    foreseen["actions"] = [action for action in foreseen["actions"] if not action.startswith("register ids")]
    assert made["actions"] == foreseen["actions"] and made["actions"][0].startswith("build image app")
    assert not stack(host, containers, images=images)["changed"]
    stack(host, {}, state="absent")
    again = stack(host, containers, images=[{**images[0], "force": True}])
    assert again["actions"][0].startswith("build image app") and names(host) == {"web": "running"}
    stack(host, {}, state="absent")
    host.module("conductor_image", name="app", state="absent")
    host.run("rm", "-r", "/var/lib/conductor/images/.logs")


def test_failure_of_one_container_keeps_the_others_and_the_next_run_finishes_it(host):
    broken = {
        "bad": {"command": ["/no/such/program"], "expose": ["81-8081"]},
        "needs-bad": {"depends_on": ["bad"]},
        "good": {"expose": ["80-8080"]},
    }
    failed = stack(host, broken, fails=True)
    assert failed["changed"] and set(failed["failed_containers"]) == {"bad", "needs-bad"}
    assert "bad" in failed["msg"] and "/no/such/program" in failed["failed_containers"]["bad"]
    assert "depends" in failed["failed_containers"]["needs-bad"]
    assert "start container good" in failed["actions"] and "start container bad" not in failed["actions"]
    assert names(host)["good"] == "running" and names(host)["bad"] != "running"
    assert names(host)["needs-bad"] != "running"
    mended = {**broken, "bad": {"command": SLEEP, "expose": ["81-8081"]}}
    done = stack(host, mended)
    assert "start container good" not in done["actions"] and "start container needs-bad" in done["actions"]
    assert set(names(host).values()) == {"running"} and not stack(host, mended)["changed"]


def test_dependencies_are_ready_before_and_are_stopped_after(host):
    containers = {
        "app": {"depends_on": ["db", "job"], "command": ["sh", "-c", "test -e /seen/db && exec sleep infinity"]},
        "db": {"command": ["sh", "-c", "sleep 0.3; touch /seen/db; exec sleep infinity"],
               "wait": ["test", "-e", "/seen/db"]},
        "job": {"command": ["sh", "-c", "test ! -e /seen/app"]},
    }  # fmt: skip
    host.run("mkdir", "-p", "/run/changed/seen")
    host.run("chmod", "777", "/run/changed/seen")
    for one in containers.values():
        one["mounts"] = [{"source": "/run/changed/seen", "target": "/seen"}]
    containers["app"]["depends_on"] = {"db": "ready", "job": {"condition": "completed"}}
    made = stack(host, containers)
    started = [action for action in made["actions"] if action.startswith("start")]
    assert started[-1] == "start container app"
    assert names(host) == {"app": "running", "db": "running", "job": "exited"}
    stopped = [action for action in stack(host, containers, state="stopped")["actions"] if action.startswith("stop ")]
    assert stopped.index("stop container app") < stopped.index("stop container db")
    host.run("rm", "-r", "/run/changed/seen")


def test_fewer_containers_are_pruned_only_if_asked(host):
    stack(host)
    fewer = {**SHOP, "web": {**SHOP["web"], "count": 1}}
    kept = stack(host, fewer)
    assert not kept["changed"] and "web-2" in str(kept["warnings"][0])
    pruned = stack(host, fewer, prune=True)
    assert "remove container web-2" in pruned["actions"] and "web-2" not in names(host)
    assert not stack(host, fewer, prune=True)["changed"]


def test_containers_of_others_are_refused_and_left_alone(host):
    host.module("conductor_container", name="db", image="debian", command=SLEEP)
    host.module("conductor_container", name="other", image="debian", command=SLEEP)
    refused = stack(host, fails=True)
    assert "container db exists and belongs to no stack" in refused["msg"] and names(host).keys() == {"db", "other"}
    host.module("conductor_container", name="db", state="absent")
    stack(host)
    stack(host, {}, state="absent")
    assert names(host) == {"other": "running"}


def test_changed_options_need_restart(host):
    stack(host)
    changed = {**SHOP, "db": {**SHOP["db"], "env": {"A": "1"}}}
    refused = stack(host, changed, fails=True)
    assert "restart" in refused["msg"] and "db" in refused["msg"]
    done = stack(host, changed, restart=True)
    assert "stop container db" in done["actions"] and "stop container web-1" not in done["actions"]
    assert done["containers"]["db"]["env"] == {"A": "1"} and not stack(host, changed, restart=True)["changed"]
    assert len(host.module("conductor_network_info")["networks"]) == 3
    restarted = stack(host, changed, state="restarted")
    assert sum(action.startswith("start container") for action in restarted["actions"]) == 4


def test_ports_move_between_containers_in_one_run(host):
    first = {"one": {"expose": ["80-8080"]}, "two": {"expose": ["80-8081"]}}
    stack(host, first)
    swapped = {"one": {"expose": ["80-8081"]}, "two": {"expose": ["80-8080"]}}
    assert stack(host, swapped)["changed"] and not stack(host, swapped)["changed"]
    twice = stack(host, {"one": {"expose": ["80-8081"]}, "two": {"expose": ["80-8081"]}}, fails=True)
    assert "8081" in twice["msg"] and not stack(host, swapped)["changed"]


@pytest.mark.parametrize(
    ("containers", "told"),
    [
        ({"web": {"imag": "debian"}}, "containers.web: unknown option 'imag'. Correct it to image"),
        ({"web": {"depends_on": ["db"]}}, "'db' is no entry"),
        ({"web": {"image": "none"}}, "image none does not exist"),
        ({"web": {"peers": ["nobody"]}}, "container nobody does not exist"),
        ({"web": {"memory": "lots"}}, "web"),
    ],
)
def test_mistakes_are_errors_before_anything_is_changed(host, containers, told):
    failed = stack(host, containers, fails=True)
    assert told in failed["msg"], failed["msg"]
    assert not failed.get("changed") and names(host) == {}


def test_network_of_a_container_outside_can_be_a_peer(host):
    host.module("conductor_container", name="outside", **DEFAULTS)
    host.module("conductor_network", container="outside")
    outside = Inside(host, "outside")
    serve(outside, 8080)
    wish = {"web": {"peers": [{"peer": "outside", "direction": "to"}]}}
    stack(host, wish)
    web = Inside(host, "web")
    assert call(web, outside.addresses()[0], 8080)
    assert not stack(host, wish)["changed"]
    end_servers()
    stack(host, {}, state="absent")
    assert json.dumps(names(host)) == '{"outside": "running"}'


def test_errors_are_raised(host):
    with pytest.raises(ModuleFailed):
        stack(host, {"web": 5})
