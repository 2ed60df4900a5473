"""Many workers at once do what users do, while accidents happen; then the host is put right, and must be right.

In rounds: after each, modules that are asked for what the specs say must lead there, and then the model must find
nothing, the second run must change nothing, and at the end nothing may be left. One container plays tricks meanwhile:
it is there until the others are put right, goes when it is told to, and must have changed nothing for them.
"""

from __future__ import annotations

import collections
import re
import threading
import time
from random import Random

import model
import operations
from image_cache import mount_image, test_image
from snapshot import difference, take
from testhost import ROOT, Host
from waiting import until
from warm_modules import WarmModules

ROUND = 20.0
LOG = ROOT / ".cache" / "soak.log"
# What a module may answer in the middle of it: the request did not fit, or an accident came in between.
EXPECTED = re.compile(
    r"container \S+ does not exist|has no network|is not running|no image is given|host port|No space left on device"
    # An accident came between a change and the look at it. No accident changes elements of the firewall's sets.
    r"|did not converge(?!.*update the firewall sets)|cannot change while|recreate|exposed by|non-zero return code"
    r"|did not start|has ended|stopped before|vanished"
    # It was killed while it started a container.
    r"|the supervisor ended unexpectedly"
    # The table went between the look at it and its update.
    r"|nft -j -f - failed"
)


class Failed(Exception):
    """The soak has found something."""


class Soak:
    """One host, its workers, and what they have done."""

    def __init__(self, host: Host, workers: int, seed: int) -> None:
        self.host, self.seed = host, seed
        self.workers = [WarmModules(host) for _ in range(workers)]
        self.lock = threading.Lock()
        self.counts: collections.Counter = collections.Counter()
        self.messages: collections.Counter = collections.Counter()
        self.log = LOG.open("w", encoding="utf-8")
        self.begin = time.monotonic()
        self.unexpected: list[str] = []

    def say(self, text: str) -> None:
        """A line of progress."""
        print(f"{time.monotonic() - self.begin:7.1f} s  {text}", flush=True)

    def note(self, who: str, what: str) -> None:
        """A line of the log: what was done, by whom."""
        with self.lock:
            self.log.write(f"{time.monotonic() - self.begin:9.3f} {who} {what}\n")

    def round(self, number: int, seconds: float) -> None:
        """Workers and accidents for so long, then the host put right and looked at."""
        self.begin_tricks()
        end = time.monotonic() + seconds
        actors = [lambda i=i: self.work(i, Random(f"{self.seed} {number} {i}"), end) for i in range(len(self.workers))]
        actors.append(lambda: self.harm(Random(f"{self.seed} {number} accidents"), end))
        threads = [threading.Thread(target=self.guarded, args=(actor,)) for actor in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.log.flush()
        if self.unexpected:
            raise Failed("\n".join(self.unexpected))
        self.put_right()
        self.must(self.workers[0].module("conductor_container", name=operations.HOSTILE, state="absent"), "tricks end")
        self.look(f"round {number}")

    def begin_tricks(self) -> None:
        """The hostile container is made, and plays."""
        self.must(self.workers[0].module("conductor_container", **operations.TRICKS), "tricks begin")
        ready = f"/var/lib/conductor/containers/{operations.HOSTILE}/rootfs/srv/ready"
        try:
            until(lambda: not self.host.run("ls", ready, check=False).returncode, "all tricks are played", 60)
        except AssertionError as error:
            (found,) = self.workers[0].module("conductor_container_info", name=[operations.HOSTILE])["containers"]
            raise Failed(f"{error}: it is {found['state']}; {found['log']}") from None

    def guarded(self, actor) -> None:
        try:
            actor()
        except Exception as error:
            self.unexpected.append(f"{type(error).__name__}: {error}")

    def work(self, index: int, random: Random, end: float) -> None:
        """One worker: a call after another."""
        while time.monotonic() < end and not self.unexpected:
            module, params = operations.call(random)
            self.note(f"worker{index}", f"{module} {params}")
            result = self.workers[index].module(module, **params)
            outcome = "killed" if result is None else "failed" if result.get("failed") else "done"
            self.note(f"worker{index}", outcome + (f": {result['msg']}" if outcome == "failed" else ""))
            self.counts[outcome] += 1
            if outcome == "failed":
                self.messages[re.sub(r"box\d|a-name[\w-]*|\d+", "N", result["msg"])[:110]] += 1
                # What the hostile container spoils for those that deal with it is told by its name.
                hurt = operations.HOSTILE in params.values() and operations.HOSTILE in result["msg"]
                if not hurt and not EXPECTED.search(result["msg"]):
                    self.unexpected.append(f"{module} {params}: {result['msg']}")

    def harm(self, random: Random, end: float) -> None:
        """Accidents, a few each second."""
        while time.monotonic() < end and not self.unexpected:
            self.counts["accidents"] += 1
            if random.random() < 0.05:
                self.note("accident", "disk full")
                operations.fill_disk(self.host)
                time.sleep(random.uniform(0, 1))
                operations.free_disk(self.host)
            else:
                self.note("accident", operations.accident(random, self.host))
            time.sleep(random.uniform(0, 0.3))

    def put_right(self) -> None:
        """What a user's playbook does after all that: each container as wanted, then all networks."""
        module = self.workers[0].module
        view = model.settled(self.workers[0].look, 90)
        known = model.stored(view)
        for name in operations.NAMES:
            wanted = known[name].spec["wanted"] if name in known else "absent"
            state = {"running": "started", "absent": "absent"}.get(wanted, "stopped")
            image = {} if state == "absent" else {"image": "debian"}
            self.must(module("conductor_container", name=name, state=state, **image), f"{name} {state}")
        self.must(module("conductor_network", state="reconciled"), "reconciled")

    @staticmethod
    def must(result: dict, what: str) -> None:
        if result.get("failed"):
            raise Failed(f"could not be put right, {what}: {result['msg']}")

    def look(self, when: str) -> None:
        """The model finds nothing, and check mode nothing to do."""
        module = self.workers[0].module
        view = model.settled(self.workers[0].look, 90)
        found = model.findings(view)
        if found:
            raise Failed("\n".join([f"{when}: the host is not as its specs say:", *map(str, found)]))
        differing = model.disagreements(module, view, found)
        if differing:
            raise Failed("\n".join([f"{when}: check mode finds something to do:", *differing]))
        counts = ", ".join(f"{value} {name}" for name, value in sorted(self.counts.items()))
        running = sum(one.spec["wanted"] == "running" for one in model.stored(view).values())
        self.say(f"{when}: {counts}; {running} of {len(view['containers'])} containers run, all as specified")

    def remove_all(self) -> None:
        """Every container goes."""
        for name in operations.NAMES:
            self.must(self.workers[0].module("conductor_container", name=name, state="absent"), f"{name} absent")

    def close(self) -> None:
        self.log.close()


def main(seconds: float, workers: int, seed: int) -> int:
    """Exit status: 0 where nothing was found."""
    with Host(size="64m") as host:
        mount_image(host, test_image())
        before = take(host)
        soak = Soak(host, workers, seed)
        number = 0
        try:
            while (left := seconds - (time.monotonic() - soak.begin)) > 0:
                number += 1
                soak.round(number, min(ROUND, left))
            soak.remove_all()
            soak.look("at the end")
            soak.close()
            left_behind = difference(before, take(host))
            if left_behind:
                raise Failed("\n".join(["left behind on the host:", *left_behind]))
        except (Failed, AssertionError) as failure:
            print(f"soak: FAILED in round {number}, seed {seed}, see {LOG.relative_to(ROOT)}\n{failure}")
            return 1
        finally:
            print("soak: what modules answered meanwhile:")
            for message, count in soak.messages.most_common():
                print(f"  {count:6d}  {message}")
    print(f"soak: passed, {number} rounds, {sum(soak.counts.values())} operations and accidents, seed {seed}")
    return 0
