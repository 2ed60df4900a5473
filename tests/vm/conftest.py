"""A real machine for every test, run and reached by script/vm, and the containers that a playbook deploys on it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra
import yaml

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests/vm"), str(ROOT / "tests/integration/support")]
MODULES = ROOT / "tests/integration/support/modules.yml"
CONFIG = os.environ.get("CONDUCTOR_VM_SSH_CONFIG", "")
MONITOR = os.environ.get("CONDUCTOR_VM_MONITOR", "")
SLEEP = ["/bin/sleep", "infinity"]
# Tells whoever calls by which name it is known and who has called, over both protocols.
SERVER = """
import http.server, socket
class Tier(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{socket.gethostname()} {self.client_address[0]}".encode())
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(("::", 8000), Tier).serve_forever()
"""
SERVE = ["/usr/bin/python3", "-c", SERVER]
# Calls the URLs in a file when it is asked to stop, and keeps the answers.
CALLS_AT_STOP = """
import os, signal, urllib.request
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
def call(url):
    try:
        return open_url(url, timeout=5).read().decode()
    except OSError as error:
        return repr(error)
def stop(*_):
    if os.path.exists("/srv/urls"):
        with open("/srv/urls") as urls, open("/srv/answers", "w") as answers:
            print(*[call(url) for url in urls.read().split()], sep=chr(10), file=answers, flush=True)
            os.fsync(answers.fileno())
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
"""
SERVE_TO_THE_END = ["/usr/bin/python3", "-c", CALLS_AT_STOP + SERVER]
SERVES = ["/usr/bin/python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000))"]
# Leaves a file when it is asked to stop, by a signal that nobody else sends.
WITNESS = ["/bin/sh", "-c", "trap 'touch /srv/asked; exit' USR1; while :; do sleep 1; done"]
BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
CONTAINERS = {
    "backend": {
        "image": "debian", "command": SERVE, "wait": SERVES, "network": {},
        "memory": "128m", "cpus": 0.4, "pids": 40,
    },
    "web": {
        "image": "debian", "command": SERVE_TO_THE_END, "wait": SERVES, "restart_policy": "always", "stop_timeout": 30,
        "network": {"internet": True, "expose": ["8000-8080"]},
        "peers": [{"peer": "backend", "direction": "to", "ports": ["8000/tcp"]}],
    },
    "lonely": {"image": "debian", "command": WITNESS, "stop_signal": "USR1", "network": {}},
    "system": {"image": "debian", "init": True, "wait": BOOTED, "memory": "256m", "network": {}},
}  # fmt: skip
# All of them start when the machine boots.
RESIDENTS = {
    "store": {
        "image": "debian", "command": SERVE, "wait": SERVES, "restart_policy": "unless-stopped", "network": {},
    },
    "front": {
        "image": "debian", "command": SERVE, "wait": SERVES, "autostart": True, "depends_on": ["store"],
        "network": {"internet": True, "expose": ["8000-8081"]}, "peers": [{"peer": "store", "direction": "to"}],
    },
}  # fmt: skip
STACKS = {"site": CONTAINERS, "residents": RESIDENTS}
CALL = """
import sys, urllib.request
open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
for url in sys.argv[1:]:
    try:
        print(open(url, timeout=5).read().decode())
    except OSError:
        print("refused")
"""


class Machine:
    """The managed host, as its playbooks see it (`module`, `deploy`), and as it is (`host`, of testinfra)."""

    def __init__(self, directory: Path) -> None:
        self.host = testinfra.get_host("ssh://vm", ssh_config=CONFIG)
        self.variables = directory / "variables.json"
        inventory = directory / "inventory"
        inventory.write_text("vm ansible_user=root ansible_python_interpreter=/usr/bin/python3\n")
        self.suite = os.environ["CONDUCTOR_VM_SUITE"]
        self.target = ["-i", str(inventory)]
        self.environment = {
            **os.environ,
            "ANSIBLE_SSH_ARGS": f"-F {CONFIG}",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        }

    def module(self, name: str, /, check: bool = False, fails: bool = False, **options) -> dict:
        """The result of a module of ours, which fails or not, as it should."""
        command = ["ansible", "vm", *self.target, "-m", f"conductor.containers.{name}"]
        done = self._run([*command, *(["-a", json.dumps(options)] if options else []), *(["--check"] if check else [])])
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return json.loads(re.split(r"^vm \| [A-Z!]+ => ", done.stdout, maxsplit=1, flags=re.MULTILINE)[1])

    def deploy(self, name: str = "site") -> str:
        """Deploy one of STACKS; what ansible-playbook said."""
        self.variables.write_text(json.dumps({"conductor_stacks": [{"name": name, "containers": STACKS[name]}]}))
        playbook = ["ansible-playbook", *self.target, "conductor.containers.deploy", "-e", f"@{self.variables}"]
        done = self._run(playbook)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def play(self, results: Path, variables: dict[str, str], **play) -> str:
        """Run a play, which may fail, and write the results of its tasks to the file `results`. Returns the output."""
        from task_comparison import environment as results_in

        path = results.with_suffix(".yml")
        path.write_text(yaml.safe_dump([{"hosts": "vm", **play}]))
        environment = {**self.environment, **variables, **results_in(results)}
        done = subprocess.run(
            ["ansible-playbook", *self.target, str(path)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def role(self, name: str) -> None:
        """Run a role of ours, with its defaults."""
        include = ["-m", "ansible.builtin.include_role", "-a", f"name=conductor.containers.{name}"]
        done = self._run(["ansible", "vm", *self.target, *include])
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str) -> None:
        """Start one of CONTAINERS, as the playbook would."""
        wish = CONTAINERS[name]
        self.module("conductor_container", name=name, **{key: wish[key] for key in wish.keys() - {"network", "peers"}})

    def inside(self, name: str, *argv: str, **options) -> str:
        """What a command in a container prints."""
        return self.module("conductor_exec", container=name, argv=list(argv), **options)["stdout"]

    def containers(self) -> dict[str, dict]:
        return {one["name"]: one for one in self.module("conductor_container_info")["containers"]}

    def calls(self, *urls: str) -> list[str]:
        """What the machine itself hears from each URL."""
        return self.host.check_output(f"python3 -c %s{' %s' * len(urls)}", CALL, *urls).splitlines()

    def calls_inside(self, name: str, *urls: str) -> list[str]:
        """What a container hears from each URL."""
        return self.inside(name, "/usr/bin/python3", "-c", CALL, *urls).splitlines()

    def reboot(self) -> None:
        """Reboot in order, and wait for a login."""
        self._boots_again(lambda: self._ssh("systemctl reboot", 10))

    def cut_power(self) -> None:
        """Interrupt the power for an instant, and wait for a login. What was not on the disk is lost."""
        self._boots_again(_reset)

    def _boots_again(self, end: Callable[[], object], patience: float = 600) -> None:
        before = self.boot_id()
        # Nobody may answer any more.
        with contextlib.suppress(subprocess.TimeoutExpired):
            end()
        # It would go on waiting for answers of the machine that was.
        subprocess.run(["ssh", "-F", CONFIG, "-O", "exit", "vm"], check=False, capture_output=True)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self.boot_id() not in ("", before):
                    return
            time.sleep(1)
        raise AssertionError(f"not within {patience:g} s: a login after the machine ended")

    def boot_id(self) -> str:
        return self._ssh("cat /proc/sys/kernel/random/boot_id", 30).stdout.strip()

    def _ssh(self, command: str, timeout: float) -> subprocess.CompletedProcess:
        argv = ["ssh", "-F", CONFIG, "-o", "ControlPath=none", "vm", command]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)

    def _run(self, argv: list[str]) -> subprocess.CompletedProcess:
        return subprocess.run(argv, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)


def _reset() -> None:
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(60)
        monitor.connect(MONITOR)
        with monitor.makefile("rw") as lines:
            for command in ("qmp_capabilities", "system_reset"):
                lines.readline()
                lines.write(json.dumps({"execute": command}) + "\n")
                lines.flush()
            lines.readline()


@pytest.fixture(scope="session")
def machine(tmp_path_factory) -> Machine:
    """The machine, with an image and nothing else of ours."""
    if not CONFIG:
        raise pytest.UsageError("these tests need a machine: run them by script/vm")
    return Machine(tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="session")
def deployed(machine: Machine) -> Machine:
    """The machine with CONTAINERS, as the playbook deploys them."""
    machine.deploy()
    return machine


@pytest.fixture(scope="session")
def collections() -> dict[str, str]:
    """Environment of Ansible with the collections of the package `ansible`, which is installed beside ansible-core."""
    place = ROOT / ".cache/collections"
    if not (place / "ansible_collections/community/general").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), "ansible==12.*"]
        subprocess.run(pip, check=True)
    return {"ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.venv/collections:{place}"}


@pytest.fixture(scope="session")
def public_roles(collections) -> dict[str, str]:
    """Environment of Ansible with the roles and collections of roles.yml, which are fetched unless they are there."""
    place = ROOT / ".cache/roles"
    for kind, part in (("role", "roles"), ("collection", "ansible_collections")):
        if not (place / part).exists():
            target = place / part if kind == "role" else place
            galaxy = ["ansible-galaxy", kind, "install", "-r", str(ROOT / "tests/vm/roles.yml"), "-p", str(target)]
            subprocess.run(galaxy, check=True)
    paths = collections["ANSIBLE_COLLECTIONS_PATH"]
    return {"ANSIBLE_COLLECTIONS_PATH": f"{paths}:{place}", "ANSIBLE_ROLES_PATH": str(place / "roles")}


@pytest.fixture(scope="session")
def results_of_the_machine(machine: Machine, collections, tmp_path_factory) -> Path:
    """The results of the tasks of modules.yml on the machine itself."""
    results = tmp_path_factory.mktemp("machine") / "results"
    machine.play(results, collections, tasks=yaml.safe_load(MODULES.read_text()), gather_facts=False)
    return results


@pytest.fixture
def host(machine: Machine):
    """The machine as testinfra sees it."""
    return machine.host


@pytest.fixture
def box(machine: Machine):
    """Starts the container `box` with further options; it is removed after the test."""

    def start(**options) -> dict:
        wish = {"name": "box", "image": "debian", "command": SLEEP, **options}
        return machine.module("conductor_container", **wish)["container"]

    yield start
    machine.module("conductor_container", name="box", state="absent", force=True)
