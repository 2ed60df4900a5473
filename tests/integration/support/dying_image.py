"""Runs conductor_image's use case and kills itself (SIGKILL) right before its n-th effect on the host.

Arguments: n and the module's options as JSON. Prints "survived" where there were fewer effects.
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


case, settings, run = module("_case.image"), module("_store.settings").Settings(), module("_case.run")
count(os, "mkdir", "rename", "unlink", "chmod", "waitpid", "rmdir", "symlink", "fsync")
count(module("_linux.libc"), "clone3")
defaults = {"state": "present", "builder": "auto", "force": False, "archive": None, "source": None}
run.perform(case.ImageCase({**defaults, **json.loads(sys.argv[2])}, settings))
print("survived")
