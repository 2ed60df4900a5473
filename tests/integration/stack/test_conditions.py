"""Conditions of depends_on: jobs that run once, and containers that are ready or have ended."""

DEFAULTS = {"image": "debian", "command": ["/bin/sleep", "infinity"]}


def stack(host, containers, **options):
    return host.module("conductor_stack", **{"name": "shop", "containers": containers, "defaults": DEFAULTS, **options})


def test_ready_and_completed_of_one_entry_are_both_awaited(host):
    host.run("mkdir", "-m", "777", "-p", "/run/changed/seen")
    seen = [{"source": "/run/changed/seen", "target": "/seen"}]
    containers = {
        "db": {
            "command": ["sh", "-c", "sleep 2; touch /seen/db; sleep 1"],
            "wait": ["test", "-e", "/seen/db"],
            "mounts": seen,
        },
        "app": {
            "command": ["sh", "-c", "test -e /seen/db && exec sleep infinity"],
            "depends_on": {"db": "ready"},
            "mounts": seen,
        },
        "after": {"depends_on": {"db": "completed"}},
    }
    made = stack(host, containers)
    host.run("rm", "-r", "/run/changed/seen")
    assert made["containers"]["app"]["state"] == "running", "it was started before db was ready"
    assert made["actions"][-1] == "start container after" and made["containers"]["db"]["state"] == "exited"


def test_job_runs_once_until_it_changes(host):
    containers = {"job": {"command": ["true"]}, "app": {"depends_on": {"job": "completed"}}}
    stack(host, containers)
    again = stack(host, containers)
    assert not again["changed"], again["actions"]
    more = stack(host, {**containers, "more": {}}, check=True)
    assert set(more["diff"]["after"]) == {"more"}, "the job does not run again"
    changed = {**containers, "job": {"command": ["sh", "-c", "exit 0"]}}
    done = stack(host, changed)
    assert "start container job" in done["actions"] and not stack(host, changed)["changed"]
    restarted = stack(host, changed, state="restarted")
    assert "start container job" in restarted["actions"] and "start container app" in restarted["actions"]


def test_failed_job_blocks_those_that_wait_and_runs_again(host):
    containers = {"bad": {"command": ["false"]}, "app": {"depends_on": {"bad": "completed"}}}
    failed = stack(host, containers, fails=True)
    assert set(failed["failed_containers"]) == {"bad", "app"}
    assert ".." not in failed["msg"] and ".;" not in failed["msg"], failed["msg"]
    mended = {**containers, "bad": {"command": ["true"]}}
    done = stack(host, mended)
    assert "start container bad" in done["actions"] and done["containers"]["app"]["state"] == "running"
