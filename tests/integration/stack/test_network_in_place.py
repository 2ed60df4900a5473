"""conductor_container with the options network and peers: a container and its network in one task."""

from netbox import Inside, end_servers, is_refused, reaches, serve

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
DB = {**WEB, "name": "db"}
DEFAULTS = {"image": "debian", "command": ["/bin/sleep", "infinity"]}


def container(host, **options):
    return host.module("conductor_container", **options)


def test_container_with_network_and_peers_in_one_task(host):
    container(host, **DB, network={})
    wish = {
        **WEB,
        "network": {"expose": ["80-8080"]},
        "peers": [{"peer": "db", "direction": "to", "ports": ["5432/tcp"]}],
    }
    foreseen = container(host, check=True, **wish)
    made = container(host, **wish)
    assert sorted(made["actions"]) == sorted(foreseen["actions"]) and made["actions"][-1] == "start container web"
    assert made["container"]["state"] == "running" and made["container"]["addresses"] == [
        made["network"]["ipv4"],
        made["network"]["ipv6"],
    ]
    assert made["container"]["labels"] == {} and made["network"]["expose"][0]["host_port"] == 8080
    again = container(host, **wish)
    assert not again["changed"] and again["network"] == made["network"]
    web, db = Inside(host, "web"), Inside(host, "db")
    serve(db, 5432)
    serve(db, 5433)
    assert reaches(web, db.addresses()[0], 5432) and is_refused(web, db.addresses()[0], 5433)
    # Neither is mentioned: both stay.
    assert not container(host, **WEB)["changed"]
    assert reaches(web, db.addresses()[0], 5432)
    # The network stays, the peers go.
    assert container(host, **WEB, peers=[])["changed"] and not container(host, **WEB, peers=[])["changed"]
    assert is_refused(web, db.addresses()[0], 5432)
    changed = container(host, **WEB, network={"internet": True})
    assert changed["network"]["internet"] and changed["network"]["expose"] == []
    assert not container(host, **WEB, network={"internet": True}, peers=[])["changed"]
    end_servers()
    assert container(host, **wish, state="stopped")["changed"]
    assert container(host, name="web", state="absent", network={})["changed"]


def test_errors_of_the_network_come_before_the_container_is_made(host):
    container(host, **DB, network={"expose": ["80-8080"]})
    for options, told in (
        ({"network": {"expose": ["80-8080"]}}, "host port 8080/tcp is already exposed by container db"),
        ({"network": {"expose": [8080]}}, "expose 8080 is not valid"),
        ({"peers": ["db"]}, "container web has peers, but no network"),
        ({"network": {}, "peers": ["nobody"]}, "container nobody does not exist"),
        ({"network": {"mtu": 1}}, "mtu 1 is out of range"),
    ):
        failed = container(host, **WEB, **options, fails=True)
        assert told in failed["msg"] and "web" in failed["msg"], failed["msg"]
    assert [one["name"] for one in host.module("conductor_container_info")["containers"]] == ["db"]


def test_command_that_ends_and_wait_work_with_a_network(host):
    done = container(host, **{**WEB, "command": ["sh", "-c", "ls /sys/class/net"]}, network={}, detach=False)
    assert done["rc"] == 0 and "eth0" in done["stdout"]
    container(host, name="web", state="absent")
    failed = container(host, **WEB, network={}, wait=["false"], wait_timeout=0.3, fails=True)
    assert "was not ready after 0.3 s" in failed["msg"]
    failed = container(host, **{**DB, "command": ["/no/such"]}, network={}, fails=True)
    assert "/no/such" in failed["msg"]
    states = {one["name"]: one["state"] for one in host.module("conductor_container_info")["containers"]}
    assert states["web"] == "running" and states["db"] != "running"
    assert container(host, **DB, network={})["changed"]


def test_what_processes_of_a_caller_change_is_a_warning(host):
    container(host, **DB, network={})
    calls_db = {"image": "debian", "network": {}, "peers": [{"peer": "db", "direction": "to"}]}
    for name in ("taken", "reverting"):
        # Without a fork for each, which takes longer than the run on a busy machine.
        reverts = ["perl", "-e", 'unlink "/etc/hosts" while 1']
        container(host, name=name, command=reverts if name == "reverting" else WEB["command"], **calls_db)
    # As root inside with NET_ADMIN could.
    inside = ["ip", "-n", "conductor-taken", "link"]
    host.run(*inside, "delete", "eth0")
    host.run(*inside, "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for options in ({}, {"hostname": "data", "restart": True}):
        # On a busy machine the container may get no processor between the change and the second look at it.
        for port in range(8080, 8100):
            made = container(host, **DB, **options, network={"expose": [f"80-{port}"]})
            assert made["changed"] and made["container"]["state"] == "running"
            told = str(made["warnings"])
            assert "container taken: " in told and "already has an interface eth0" in told, told
            if "container reverting: " in told:
                break
        assert "container reverting: processes in the container revert this change" in told, told


def test_warnings_of_the_network_are_those_of_its_module(host):
    """Of a firewall that drops its packets, and a pair of ports that looks like a range."""
    chain = "{ type filter hook forward priority 0; policy drop; }"
    host.run("nft", f"add table inet other; add chain inet other forward {chain}")
    network = {"expose": ["80-8080", "3000-3100"]}
    for check in (True, False):
        told = str(container(host, **WEB, network=network, check=check)["warnings"])
        assert "container web: another firewall may drop packets" in told and "looks like a range" in told, told
    containers = {"web": {"network": network}, "db": {"network": {}}}
    container(host, name="web", state="absent")
    for check in (True, False):
        stacked = host.module("conductor_stack", name="shop", defaults=DEFAULTS, containers=containers, check=check)
        told = str(stacked["warnings"])
        assert "containers db, web: another firewall may drop packets" in told and "looks like a range" in told, told
    host.run("nft", "delete table inet other")


def test_second_run_keeps_a_host_name_that_is_not_the_name_of_the_container(host):
    named = {**WEB, "name": "web_app"}
    container(host, **named, network={})
    container(host, **DB, hostname="data", network={})
    stack = {"name": "shop", "defaults": DEFAULTS, "containers": {"my_app": {"network": {}, "count": 2}}}
    host.module("conductor_stack", **stack)
    for check in (True, False):
        for options in (named, DB):
            again = container(host, check=check, **options, network={})
            assert not again["changed"], again["actions"]
        again = host.module("conductor_stack", check=check, **stack)
        assert not again["changed"], again["actions"]
    assert container(host, **DB, network={"internet": True})["changed"]
    assert host.module("conductor_exec", container="db", argv=["hostname"])["stdout"] == "data"
