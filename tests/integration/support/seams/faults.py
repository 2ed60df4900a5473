"""Seams at which a step of our code fails: the process dies, a system call has an error, a limit is small."""

import os
import signal

from seams import find, seam


@seam()
def die_before(original, after=0):
    """The process is killed (SIGKILL) before the target is called, after it was called `after` times."""
    calls = []

    def call(*arguments, **options):
        calls.append(1)
        if len(calls) > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    return call


@seam()
def fail_with(_original, errno):
    """The target raises OSError with the number `errno`."""

    def fail(*_arguments, **_options):
        raise OSError(errno, os.strerror(errno))

    return fail


@seam()
def set_value(_original, value):
    """The target has another value, like a limit that is reached soon."""
    return value


@seam("_kernel.files.copy_source:free_bytes")
def hide_free_space(_original):
    """It is unknown how much space is free."""
    return lambda fd: None


@seam("_kernel.conntrack:most_entries")
def track_few_connections(_original, most):
    """The kernel tracks at most `most` connections, as on a machine with little memory."""
    return lambda: most


@seam("sys:modules")
def hide_pyroute2(original):
    """pyroute2 is not installed."""
    original["pyroute2"] = None
    return original


@seam("_kernel.nft:list_objects")
def refuse_listing_of_rulesets(original):
    """nft cannot list whole families, as with a table of a newer release."""

    def list_objects(commands):
        if "ruleset" in commands:
            errors, name = find("_errors:EffectFailed")
            raise getattr(errors, name)("nft failed")
        return original(commands)

    return list_objects
