"""The log of a run of conductor_stack."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from controller import Controller
from testhost import PYTHON
from waiting import until

LOG = "/run/conductor/stacks/shop.log"
SLEEP = {"image": "debian", "command": ["/bin/sleep", "infinity"]}
SHOP = {
    "db": {**SLEEP, "expose": ["5432-15432"], "wait": ["test", "-e", "/go"], "wait_timeout": 60},
    "web": {**SLEEP, "depends_on": ["db"]},
}


def stack(host, containers, **options):
    return host.module("conductor_stack", **{"name": "shop", "containers": containers, **options})


def texts(host):
    """The lines of the log without their times."""
    lines = host.run("cat", LOG, check=False).stdout.splitlines()
    return [line.partition(" ")[2] for line in lines]


def test_lines_come_while_the_run_goes_on(host):
    foreseen = stack(host, SHOP, check=True)["actions"]
    assert texts(host) == []
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(stack, host, SHOP)
        until(lambda: "start container db" in texts(host), "db is started", 60)
        assert texts(host)[0].startswith("begin: ") and texts(host)[0].endswith(" steps planned")
        assert "start container web" not in texts(host) and not run.done()
        host.run("touch", "/var/lib/conductor/containers/db/rootfs/go")
        made = run.result()
    assert texts(host)[1:] == [*made["actions"], f"end: {len(foreseen)} done, 0 failed"]
    written = datetime.fromisoformat(host.run("cut", "-d ", "-f1", LOG).stdout.split()[-1])
    assert written.utcoffset() == timedelta(0) and datetime.now(timezone.utc) - written < timedelta(minutes=5)
    assert host.run("stat", "-c", "%U %a %F", LOG, "/run/conductor/stacks").stdout.splitlines() == [
        "root 600 regular file",
        "root 700 directory",
    ]

    before = texts(host)
    assert not stack(host, SHOP)["changed"] and texts(host) == before, "the log is of the last run that changed"
    gone = stack(host, {}, state="absent")
    assert gone["changed"] and host.run("ls", "-A", "/run/conductor/stacks").stdout == ""


def test_asynchronous_task_is_followed_by_the_log(host, tmp_path):
    controller = Controller(tmp_path)
    controller.add_host("target", host, ansible_python_interpreter=PYTHON)
    controller.playbook(
        {"conductor.containers.conductor_stack": {"name": "shop", "containers": SHOP},
         "async": 120, "poll": 0, "register": "job"},
        {"ansible.builtin.wait_for": {"path": LOG, "search_regex": "start container db", "timeout": 60}},
        {"ansible.builtin.command": "touch /var/lib/conductor/containers/db/rootfs/go"},
        {"ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "made",
         "until": "made.finished", "delay": 1, "retries": 60},
        {"ansible.builtin.assert": {"that": "'start container web' in made.actions"}},
    )  # fmt: skip
    assert texts(host)[-1].endswith(" done, 0 failed")
    stack(host, {}, state="absent")
    host.run("rm", "-r", "/root/.ansible_async")
    controller.leave(host)


def test_errors_and_images_are_logged_and_the_next_run_begins_a_new_log(host):
    images = [{"name": "app", "source": {"image": "debian"}, "commands": ["touch /made"]}]
    broken = {"good": {**SLEEP, "image": "app"}, "bad": {**SLEEP, "command": ["/no/such/program"]}}
    failed = stack(host, broken, images=images, fails=True)
    told = texts(host)
    assert told[:3] == ["begin: images first", failed["actions"][0], told[2]] and told[1].startswith("build image app")
    assert told[2].startswith("begin: ") and told[-1] == f"end: {len(failed['actions'])} done, 1 failed"
    assert [line for line in told if line.startswith("failed: ")] == [f"failed: {failed['failed_containers']['bad']}"]

    mended = stack(host, {**broken, "bad": SLEEP}, restart=True)
    assert texts(host) == [texts(host)[0], *mended["actions"], f"end: {len(mended['actions'])} done, 0 failed"]

    images[0]["commands"] = ["false"]
    assert "app" in stack(host, broken, images=images, fails=True)["msg"]
    assert texts(host)[0] == "begin: images first" and texts(host)[-1] == "end: 0 done, 1 failed"
    stack(host, {}, state="absent")
    host.module("conductor_image", name="app", state="absent")
    host.run("rm", "-r", "/var/lib/conductor/images/.logs")


def test_updates_are_logged(host):
    web = {**SLEEP, "count": 2, "update": {"order": "start-first"}}
    stack(host, {"web": web})
    updated = stack(host, {"web": {**web, "env": {"VERSION": "2"}}}, restart=True)
    assert texts(host)[1:-1] == updated["actions"] and any("web-2" in action for action in updated["actions"])
    stack(host, {}, state="absent")


@pytest.mark.parametrize(
    ("trap", "clean"),
    [
        ("mkdir -p -m 755 /run/conductor/stacks; ln -s /run/changed/victim {log}", "rm {log}"),
        ("mkdir -p /run/conductor/stacks; mkfifo {log}", "rm {log}"),
        (
            "mkdir -p /run/conductor/stacks; mount -t tmpfs -o size=4k tmpfs /run/conductor/stacks; "
            "head -c 4096 /dev/zero > /run/conductor/stacks/full",
            "umount /run/conductor/stacks",
        ),
    ],
    ids=["symlink", "fifo", "full"],
)
def test_log_that_cannot_be_written_does_not_fail_the_run(host, trap, clean):
    host.run("sh", "-c", f"echo kept > /run/changed/victim; {trap.format(log=LOG)}")
    assert stack(host, {"web": SLEEP})["changed"]
    assert host.run("cat", "/run/changed/victim").stdout == "kept\n"
    host.run("sh", "-c", f"rm /run/changed/victim; {clean.format(log=LOG)}")
    stack(host, {}, state="absent")
