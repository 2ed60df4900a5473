"""Random sequences of what users and accidents do to a host. After each step the host shows what its specs say, or
check mode names exactly what it does not show; and the specs say what was asked for.

The longer form, with many at once and modules that are killed, is script/soak.
"""

from __future__ import annotations

import model
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import booleans, fixed_dictionaries, lists, none, one_of, sampled_from
from warm_modules import WarmModules

NAMES = ["web", "db", "a-name-that-is-longer-than-what-an-interface-may-have"]
NAME = sampled_from(NAMES)
PORTS = one_of(none(), lists(sampled_from(["80/tcp", "53/udp", "8000-8010/tcp"]), min_size=1, unique=True))
NETWORKS = fixed_dictionaries(
    {
        "internet": booleans(),
        "host_access": booleans(),
        "dns": one_of(none(), lists(sampled_from(["192.0.2.53", "2001:db8::53"]), unique=True)),
        "expose": lists(sampled_from(["80-8080", "53-5353/udp", "90-9090"]), unique=True),
        "mtu": sampled_from([1500, 1400]),
    }
)
# The third is started again whenever its first process ends.
POLICY = dict(zip(NAMES, ["no", "no", "always"]))


class HostMachine(RuleBasedStateMachine):
    """Three containers on one host."""

    host = None
    modules = None

    def __init__(self) -> None:
        super().__init__()
        # What was asked for, and what happened to the host since it was last put right.
        self.containers: dict[str, dict] = {}
        self.networks: dict[str, dict] = {}
        self.peers: dict[tuple[str, str], list[str]] = {}
        self.harmed = False
        self.last: tuple[str, dict] | None = None
        self.view = self.modules.look()

    def asks(self, module: str, *, fails: bool = False, **params) -> dict:
        """Run a module, which must do what is expected of it."""
        result = self.modules.module(module, **params)
        assert bool(result.get("failed")) == fails, (module, params, result)
        self.last = None if fails else (module, params)
        return result

    def container(self, name: str, state: str, **params) -> None:
        image = {} if state == "absent" else {"image": "debian", "restart_policy": POLICY[name]}
        if image and name not in self.containers:
            image["command"] = ["/bin/sleep", "infinity"]
        self.asks("conductor_container", name=name, state=state, stop_timeout=1, **image, **params)

    @rule(name=NAME)
    def create(self, name):
        self.container(name, "present")
        self.containers.setdefault(name, {"wanted": "stopped"})

    @rule(name=NAME)
    def start(self, name):
        self.container(name, "started")
        self.containers.setdefault(name, {})["wanted"] = "running"

    @rule(name=NAME)
    def stop(self, name):
        self.container(name, "stopped")
        self.containers.setdefault(name, {})["wanted"] = "stopped"

    @rule(name=NAME)
    def remove(self, name):
        self.container(name, "absent")
        self.containers.pop(name, None)
        self.networks.pop(name, None)
        self.peers = {pair: ports for pair, ports in self.peers.items() if name not in pair}

    @rule(name=NAME, value=sampled_from(["1", "2"]))
    def change_env(self, name, value):
        self.container(name, "started", env={"VALUE": value}, restart=True)
        self.containers.setdefault(name, {}).update(wanted="running", env={"VALUE": value})

    @rule(name=NAME, memory=sampled_from([0, 64 << 20]), pids=sampled_from([0, 50]))
    def limit(self, name, memory, pids):
        self.container(name, "present", memory=str(memory), pids=pids)
        self.containers.setdefault(name, {"wanted": "stopped"}).update(memory=memory, pids=pids)

    @rule(name=NAME)
    def run_inside(self, name):
        fails = not model.alive(self.view, self.view["run_states"].get(name))
        result = self.asks("conductor_exec", container=name, argv=["/bin/echo", "hello"], fails=fails)
        assert fails or result["stdout"] == "hello"
        # It changes something each time.
        self.last = None

    @rule(name=NAME, options=NETWORKS)
    def network(self, name, options):
        taken = any(set(options["expose"]) & set(o["expose"]) for n, o in self.networks.items() if n != name)
        fails = name not in self.containers or taken
        self.asks("conductor_network", container=name, fails=fails, **options)
        if not fails:
            self.networks[name] = options

    @rule(name=NAME)
    def no_network(self, name):
        self.asks("conductor_network", container=name, state="absent")
        self.networks.pop(name, None)
        self.peers = {pair: ports for pair, ports in self.peers.items() if pair[0] != name}

    @rule(name=NAME, peer=NAME, ports=PORTS, both=booleans())
    def peer(self, name, peer, ports, both):
        fails = name == peer or not {name, peer} <= set(self.networks)
        direction = "both" if both else "to"
        self.asks("conductor_peer", container=name, peer=peer, ports=ports, direction=direction, fails=fails)
        if not fails:
            self.peers.update({pair: sorted(ports or []) for pair in [(name, peer), (peer, name)][: 1 + both]})

    @precondition(lambda self: self.peers)
    @rule(both=booleans())
    def no_peer(self, both):
        name, peer = sorted(self.peers)[0]
        direction = "both" if both else "to"
        self.asks("conductor_peer", container=name, peer=peer, state="absent", direction=direction)
        for pair in [(name, peer), (peer, name)][: 1 + both]:
            self.peers.pop(pair, None)

    @precondition(lambda self: self.last and not self.harmed)
    @rule()
    def second_run(self):
        module, params = self.last
        changed = self.asks(module, **params)["changed"]
        # To make it anew is done when it is as wanted; all the same must be right after it.
        assert not changed, (module, params)

    @rule(name=NAME, which=sampled_from(["first process", "supervisor"]))
    def kill(self, name, which):
        state = self.view["run_states"].get(name)
        if which == "supervisor":
            pids = model.supervisors(self.view)
        else:
            pids = [state["pid"]] if model.alive(self.view, state) else []
        for pid in pids:
            model.kill(self.host, int(pid))
            self.harmed = True

    @rule(command=sampled_from(["flush", "delete"]))
    def lose_the_table(self, command):
        if self.view["table"]:
            self.host.run("nft", command, "table", "inet", "conductor")
            self.harmed = True

    @rule(name=NAME)
    def lose_the_link(self, name):
        if model.link_of(name) in self.view["outside"]["links"]:
            self.host.run("ip", "link", "delete", model.link_of(name))
            self.harmed = True

    @precondition(lambda self: self.harmed)
    @rule()
    def repair(self):
        for name, wanted in self.containers.items():
            self.container(name, {"running": "started"}.get(wanted["wanted"], "stopped"))
        self.asks("conductor_network", state="reconciled")
        self.harmed = False

    @invariant()
    def the_host_shows_what_the_specs_say(self):
        self.view = model.settled(self.modules.look)
        found = model.findings(self.view)
        assert self.harmed or not found, [str(finding) for finding in found]
        assert not [str(finding) for finding in found if finding.noun == "host"]
        assert not model.disagreements(self.modules.module, self.view, found)

    @invariant()
    def the_specs_say_what_was_asked_for(self):
        known = model.stored(self.view)
        assert sorted(known) == sorted(self.containers)
        for name, wanted in self.containers.items():
            assert {key: known[name].spec[key] for key in wanted} == wanted
        networks = {name: one.network for name, one in known.items() if one.network}
        assert sorted(networks) == sorted(self.networks)
        for name, wanted in self.networks.items():
            assert [networks[name][key] for key in wanted if key != "expose"] == [
                wanted[key] for key in wanted if key != "expose"
            ]
            exposed = {f"{e['container_port']}-{e['host_port']}" for e in networks[name]["expose"]}
            assert exposed == {text.partition("/")[0] for text in wanted["expose"]}
        peers = {
            (name, entry["peer"]): sorted(entry["ports"])
            for name, network in networks.items()
            for entry in network["peers"]
            if entry["peer"] in known and known[entry["peer"]].spec["id"] == entry["peer_id"]
        }
        assert peers == self.peers

    def teardown(self) -> None:
        for name in list(self.containers):
            self.remove(name)
        view = model.settled(self.modules.look)
        assert not view["containers"] and not model.findings(view)


@pytest.fixture
def modules(host):
    """Modules of the host, which can be killed."""
    return WarmModules(host)


@pytest.mark.parametrize("sequences", [7, pytest.param(20, marks=pytest.mark.long)])
def test_any_sequence_of_steps_leaves_the_host_as_its_specs_say(host, modules, sequences):
    machine = type("Machine", (HostMachine,), {"host": host, "modules": modules})
    # The same steps in each run: a failure can be repeated, and says what has changed.
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences, stateful_step_count=20, derandomize=True, database=None, deadline=None
        ),
    )


HARMS = {
    "a flushed table": "nft flush table inet conductor",
    "a lost element": "nft delete element inet conductor host_access '{ LINK }'",
    "one element too many": "nft add element inet conductor internet '{ LINK }'",
    "a lost link": "ip link delete LINK",
    "a link that is down": "ip link set LINK down",
    "a lost address": "ip -n conductor-web address delete ADDRESS/32 dev eth0",
    "a lost route": "ip route delete ADDRESS dev LINK",
    "a link of nobody": "ip link add cdtr-0123456789 type veth peer name nobody",
    "another block of ours in /etc/hosts": "sed -i '/^# BEGIN conductor/a 192.0.2.1 web' ROOT/etc/hosts",
    "a limit that was lifted": "echo max > $(find /sys/fs/cgroup -path '*conductor/web/pids.max')",
    "no forwarding": "sysctl -qw net.ipv4.ip_forward=0",
}


@pytest.mark.parametrize("command", HARMS.values(), ids=HARMS)
def test_a_harm_is_seen_by_the_model_and_by_check_mode(host, modules, command):
    """So that neither agrees with the other by seeing nothing."""
    modules.module("conductor_container", name="web", image="debian", command=["/bin/sleep", "infinity"], pids=50)
    address = modules.module("conductor_network", container="web")["network"]["ipv4"]
    assert model.findings(model.settled(modules.look)) == []
    for word, value in {
        "LINK": model.link_of("web"), "ADDRESS": address, "ROOT": "/var/lib/conductor/containers/web/rootfs",
    }.items():  # fmt: skip
        command = command.replace(word, value)
    host.run("sh", "-ec", command)
    view = model.settled(modules.look)
    found = model.findings(view)
    assert found and not model.disagreements(modules.module, view, found)
    modules.module("conductor_container", name="web")
    modules.module("conductor_network", state="reconciled")
    assert model.findings(model.settled(modules.look)) == []
