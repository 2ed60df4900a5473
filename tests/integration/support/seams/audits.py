"""Seams that record what a process of ours does after it has entered a container, whose files it sees from then on."""

import contextlib
import json
import os
import sys

from seams import seam

EVENTS = ("import", "open", "ctypes.dlopen", "compile", "exec")


class Audit:
    """What this process has imported, opened and mapped inside (sys.addaudithook())."""

    def __init__(self) -> None:
        self.inside = False
        self.seen: list[str] = []
        self.before: set[str] = set()
        self.is_installed = False

    def install(self) -> None:
        if not self.is_installed:
            self.is_installed = True
            sys.addaudithook(self.hook)

    def hook(self, event, arguments) -> None:
        if self.inside and event in EVENTS:
            self.seen.append(f"{event} {arguments[0]!r}")

    def write(self, path: str) -> None:
        """Stop, and write the record to the file `path` at once."""
        self.inside = False
        with open(f"{path}.tmp", "w") as file:
            json.dump({"seen": self.seen, "mapped": sorted(mapped_files() - self.before)}, file)
        os.rename(f"{path}.tmp", path)


AUDIT = Audit()


def mapped_files() -> set[str]:
    """Files that are mapped into this process."""
    with open("/proc/self/maps") as file:
        return {line.split(None, 5)[5].strip() for line in file if line.count("/")}


@seam("_kernel.syscalls:pivot_root")
def audit_from_pivot_root(original):
    """The record begins when the first process of a container has left the host's root."""
    AUDIT.install()

    def pivot_root(*arguments):
        AUDIT.before |= mapped_files()
        result = original(*arguments)
        AUDIT.inside = True
        return result

    return pivot_root


@seam("_kernel.syscalls:setns")
def audit_from_setns(original, marker=None):
    """The record begins when a namespace was joined: the first one, or that of the file system that has `marker`."""
    AUDIT.install()

    def setns(*arguments):
        if not AUDIT.inside:
            AUDIT.before |= mapped_files()
        result = original(*arguments)
        if not AUDIT.inside and (marker is None or os.path.exists(marker)):
            AUDIT.inside = True
        return result

    return setns


@seam("os:chdir")
def audit_from_chdir(original, marker):
    """The record begins when this process is in the file system that has `marker`, whoever changed its root."""
    AUDIT.install()

    def chdir(directory):
        original(directory)
        if not AUDIT.inside and os.path.exists(marker):
            AUDIT.before |= mapped_files()
            AUDIT.inside = True

    return chdir


@seam("os:execve")
def audit_until_exec(original, path):
    """The record ends when the program of the command is executed, and is then in the file `path` inside."""

    def execve(*arguments):
        AUDIT.write(path)
        original(*arguments)

    return execve


@seam("_agent.daemon:answer")
def audit_until_answer(original, path):
    """The record ends when the agent has answered a request, and is then in the file `path`."""

    def answer(*request):
        original(*request)
        AUDIT.write(path)

    return answer


@seam()
def list_descriptors_before(original, path):
    """The symlinks of /proc/self/fd above 2 are written to the file `path` before the target."""

    def listing(*arguments, **options):
        links = []
        for number in range(3, 50):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f"/proc/self/fd/{number}"))
        with open(path, "w") as file:
            json.dump(links, file)
        return original(*arguments, **options)

    return listing


@seam("_kernel.nft:run")
def count_nft_runs(original, path):
    """The file `path` gets a byte for each run of nft."""

    def run(*arguments, **options):
        with open(path, "a") as file:
            file.write("!")
        return original(*arguments, **options)

    return run


@seam("_kernel.rtnetlink:Interrupted")
def count_interrupted_dumps(original, path):
    """The file `path` gets a byte for each dump that the kernel could not make consistent, and that is repeated."""

    class Counted(original):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            with open(path, "a") as file:
                file.write("!")

    return Counted
