"""Runs conductor_container's use case and kills itself (SIGKILL) right before its n-th effect on the host.

Arguments: n and the module's options as JSON. Prints "survived" where there were fewer effects. Children that it forks
(the supervisor, the first process) go on: what becomes of them is theirs.
"""

import importlib
import json
import os
import signal
import sys

BASE = "ansible_collections.conductor.containers.plugins.module_utils."
left = iter(range(int(sys.argv[1])))
main = os.getpid()


def module(name):
    return importlib.import_module(BASE + name)


def counted(function):
    def wrapper(*args, **kwargs):
        if os.getpid() == main and next(left, None) is None:
            os.kill(main, signal.SIGKILL)
        return function(*args, **kwargs)

    return wrapper


def count(place, *names):
    for name in names:
        setattr(place, name, counted(getattr(place, name)))


case, settings, run = module("_case.container"), module("_store.settings").Settings(), module("_case.run")
count(os, "mkdir", "rename", "unlink", "rmdir", "chmod")
count(module("_linux.libc"), "mount", "umount2", "unshare", "setns", "clone3")
count(module("_linux.cgroups"), "_write")
count(module("_container.start"), "write_run_state", "install_runtime")
count(signal, "pidfd_send_signal")
params = {"wait_timeout": 60.0, **json.loads(sys.argv[2])}
run.perform(case.ContainerCase(params, settings))
print("survived")
