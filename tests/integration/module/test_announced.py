"""Check mode says what a run does, and a run says what it has done: each change of the host belongs to an action."""

import re

import pytest
from snapshot import take

SLEEP = ["/bin/sleep", "infinity"]
WEB = {"name": "web", "image": "debian", "command": SLEEP}
# By kind of what a snapshot shows: the actions that may change it.
CAUSES = {
    "mount": "start|stop|clean|remove",
    "netns": "namespace|start|clean|remove",
    "process": "start|stop|clean|remove|watch",
    "cgroup": "start|stop|clean|remove|limit",
    "link": "connect|delete the link",
    "address": "connect|delete the link",
    "route": "connect|delete the link",
    "qdisc": "connect|delete the link",
    "rule": "forward|fence",
    "table of routes": "forward|fence",
    "nft": "firewall|connect|delete the link",
    "sysctl": "forwarding|advertise",
    "subids": "register",
    "file": "create|start|stop|clean|remove|write|update|register|connect|change|image|export",
}
CALLED = [
    ("container", WEB),
    ("container", {**WEB, "name": "db"}),
    ("network", {"container": "web"}),
    ("network", {"container": "db"}),
    ("peer", {"container": "web", "peer": "db"}),
]
SHOP = {
    "name": "shop",
    "defaults": {"image": "debian", "command": SLEEP},
    "containers": {
        "web": {"count": 2, "peers": ["db"], "internet": True, "depends_on": ["db"]},
        "db": {"expose": ["80-8080"], "wait": ["true"]},
        "lone": {},
    },
}
CHANGED_SHOP = {
    **SHOP,
    "containers": {
        "web": {"count": 1, "peers": [{"peer": "db", "direction": "to"}], "hostname": "www"},
        "db": {"expose": ["80-8081"], "memory": "64m", "env": {"A": "1"}},
        "lone": {"network": {}},
        "new": {"peers": ["lone"]},
    },
}
# Each with what was done before: module, its parameters, and those of the run that is looked at.
RUNS = {
    "container present": ([], "container", {**WEB, "state": "present"}),
    "container started": ([], "container", WEB),
    "container started with a network": (
        [("container", {**WEB, "state": "present"}), ("network", {"container": "web", "internet": True})],
        "container",
        WEB,
    ),
    "container stopped": (
        [("container", WEB), ("network", {"container": "web"})],
        "container",
        {"name": "web", "state": "stopped"},
    ),
    "container absent": (
        [("container", WEB), ("network", {"container": "web", "expose": ["80-8080"]})],
        "container",
        {"name": "web", "state": "absent"},
    ),
    "container recreated": (
        [("container", WEB), ("network", {"container": "web"})],
        "container",
        {**WEB, "userns": "host", "recreate": True},
    ),
    "container restarted for a changed option": (
        [("container", WEB), ("network", {"container": "web"})],
        "container",
        {**WEB, "command": ["/bin/sleep", "1000"], "restart": True},
    ),
    "container started again that has ended": (
        [
            ("container", {**WEB, "state": "present"}),
            ("network", {"container": "web", "internet": True}),
            ("container", {**WEB, "command": ["/bin/true"], "detach": False}),
        ],
        "container",
        WEB,
    ),
    "container absent that another calls": (CALLED, "container", {"name": "db", "state": "absent"}),
    "hostname of a container that another calls": (
        [*CALLED, ("container", {"name": "db", "state": "stopped"})],
        "container",
        {"name": "db", "hostname": "data", "state": "present"},
    ),
    "limits of a container": ([("container", WEB)], "container", {**WEB, "memory": "64m"}),
    "first network": ([("container", WEB)], "network", {"container": "web", "internet": True, "expose": ["80-8080"]}),
    "last network": (
        [("container", WEB), ("network", {"container": "web"})],
        "network",
        {"container": "web", "state": "absent"},
    ),
    "peers": (
        [
            ("container", WEB),
            ("container", {**WEB, "name": "db"}),
            ("network", {"container": "web"}),
            ("network", {"container": "db"}),
        ],
        "peer",
        {"container": "web", "peer": "db"},
    ),
    "stack started": ([], "stack", SHOP),
    "stack present": ([], "stack", {**SHOP, "state": "present"}),
    "stack started that is stopped": (
        [("stack", SHOP), ("stack", {**SHOP, "state": "stopped"})],
        "stack",
        SHOP,
    ),
    "stack changed": ([("stack", SHOP)], "stack", {**CHANGED_SHOP, "restart": True, "prune": True}),
    "stack stopped": ([("stack", SHOP)], "stack", {**SHOP, "state": "stopped"}),
    "stack absent": ([("stack", SHOP)], "stack", {"name": "shop", "state": "absent"}),
    "image of a container": (
        [("container", {**WEB, "state": "present"})],
        "image",
        {"name": "copy", "source": {"container": "web"}},
    ),
}


@pytest.mark.parametrize("run", RUNS)
def test_what_a_run_changes_is_announced_and_told(host, run):
    before, module, params = RUNS[run]
    for other, given in before:
        host.module(f"conductor_{other}", **given)
    announced = host.module(f"conductor_{module}", check=True, **params)
    first = take(host)
    done = host.module(f"conductor_{module}", **params)
    second = take(host)
    if module == "stack":
        # Containers are changed at the same time, in no certain order.
        announced["actions"].sort()
        done["actions"].sort()
    assert announced["actions"] == done["actions"]
    assert announced["changed"] and done["changed"]
    assert announced["diff"] == done["diff"]
    told = "\n".join(done["actions"])
    for line in set(first) ^ set(second):
        kind = line.partition(": ")[0]
        # Programs and directories of ours that stay, whatever is done, and what the snapshot itself runs.
        if re.match(
            r"file: /(var/lib/conductor/lib|run/conductor/locks|run/changed/root/work)|process: (sh|find) ", line
        ):
            continue
        assert re.search(CAUSES[kind], told), (line, done["actions"])
    again = host.module(
        f"conductor_{module}", **{key: value for key, value in params.items() if key not in ("recreate", "restart")}
    )
    assert not again["changed"]
    if module == "image":
        host.module("conductor_image", name="copy", state="absent")
        # The log of a build stays for who looks for it; here it is the test's own.
        host.run("rm", "-r", "/var/lib/conductor/images/.logs")
