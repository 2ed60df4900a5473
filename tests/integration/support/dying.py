"""Modules that die: `dies` runs a use case that kills itself (SIGKILL) right before its n-th effect on the host.

`main`, on the host: N, one of image container network peer stack, OPTIONS(JSON). Prints "survived" where there were
fewer effects. Children that it forks (a supervisor, a first process) go on: what becomes of them is theirs.
With JOBS as the last argument, each job of the run (a child) kills itself right before its own N-th effect instead, and
the run prints "failed" where it reports that.
"""

import json
import os
import signal

from seams import find, replace

# What each use case does to a host, by module and names in it.
EFFECTS = {
    "image": {
        "os": "mkdir rename unlink chmod chown waitpid rmdir symlink fsync utime",
        "_kernel.syscalls": "mount umount2 unshare setns clone3 move_mount",
        "_kernel.cgroup": "write_control_file",
        "_kernel.devices_controller": "write_rules update_program",
    },
    "container": {
        "os": "mkdir rename unlink rmdir chmod chown",
        "signal": "pidfd_send_signal",
        "_kernel.syscalls": "mount umount2 unshare setns clone3 move_mount",
        "_kernel.cgroup": "write_control_file",
        "_kernel.devices_controller": "write_rules update_program",
        "_container.start": "write_run_state bundle.current requests.start_process",
    },
    "network": {
        "_kernel.routing_rules": "set_fence",
        "_kernel.interfaces": "Rtnetlink.add_neighbors Rtnetlink.add_veth "
        "Rtnetlink.add_altname Rtnetlink.set_up Rtnetlink.add_address Rtnetlink.add_route "
        "Rtnetlink.delete",
        "_network.veth": "write_sysctl apply_batch attach_guard",
        "_network.forwarding": "write_sysctl",
        "_network.actions": "write_sysctl apply_batch delete_flows write_files",
        "_network.use_case": "write_network remove_network",
        "_network.peer_use_case": "write_network",
    },
}
EFFECTS["peer"] = EFFECTS["network"]
# A start attaches, and a stop detaches.
EFFECTS["container"] = {**EFFECTS["network"], **EFFECTS["container"]}
# Its commands run in a container with a network.
EFFECTS["image"] = {**EFFECTS["network"], **EFFECTS["image"]}
# Containers are created, stopped and started by jobs in forked processes, which go on: it dies before each of them.
EFFECTS["stack"] = {
    **EFFECTS["container"],
    "_engine.parallel": "start_job end_job",
    "_container.subid_files": "append_ids",
    "_stack.networks": "write_network remove_network connect_all",
    "_stack.phases": "register_ids run_jobs",
    "_stack.rolling_update": "run_jobs",
}
USE_CASES = {
    "image": "_build.use_case:ImageCase",
    "container": "_container.use_case:ContainerCase",
    "network": "_network.use_case:build",
    "peer": "_network.peer_use_case:PeerCase",
    "stack": "_stack.use_case:build",
}
DEFAULTS = {
    "image": {"state": "present", "builder": "auto", "force": False, "archive": None, "source": None},
    "container": {"wait_timeout": 60.0},
    "network": {},
    "peer": {},
    "stack": {},
}


def run(host, *arguments):
    import warm_modules

    return warm_modules.run(host, "dying", {"arguments": arguments})


def jobs_die(host, step, case, **options):
    """Run the use case on `host`, whose jobs die before their effect number `step`; the error, or None."""
    done = run(host, str(step), case, json.dumps(options), "JOBS")
    assert done.returncode == 0, done.stderr
    return None if done.stdout == "survived\n" else done.stdout


def dies(host, step, case, **options):
    """Run the use case on `host`, which dies before its effect number `step`; whether there were so many."""
    done = run(host, str(step), case, json.dumps(options))
    if done.returncode == 0:
        assert done.stdout == "survived\n"
        return False
    assert done.returncode in (-9, 137), done.stderr
    return True


def targets(case):
    """The targets (package seams) of all effects of `case`."""
    return [f"{module}:{name}" for module, names in EFFECTS[case].items() for name in names.split()]


def before_each_effect(case, do):
    """Have `do` called before each effect of `case`, in this process and what it forks."""

    def wrapped(function):
        def wrapper(*args, **kwargs):
            do()
            return function(*args, **kwargs)

        return wrapper

    for target in targets(case):
        replace(target, wrapped)


def ours(target):
    """An object of our code: "MODULE:NAME"."""
    place, name = find(target)
    return getattr(place, name)


def case_of(case, options):
    """The use case with `options`, and defaults for the others."""
    return ours(USE_CASES[case])({**DEFAULTS[case], **options}, ours("_engine.settings:Settings")())


def main(step, case, options, of="MAIN"):
    left, main_pid = iter(range(int(step))), os.getpid()
    # A job is a child; its own children, such as a supervisor, are not.
    pid_of = os.getppid if of == "JOBS" else os.getpid

    def die():
        if pid_of() == main_pid and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    before_each_effect(case, die)
    try:
        ours("_engine.engine:perform")(case_of(case, json.loads(options)))
    except ours("_errors:ConductorError") as error:
        if of == "MAIN":
            raise
        print("failed:", error)
    else:
        print("survived")
