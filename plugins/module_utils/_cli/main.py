# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host command `conductor`: parse arguments, run the verb, map errors to one line and an exit status."""

from __future__ import annotations

import os
import sys

from .._errors import ConductorError, EffectFailed, HostNotCapable, name_in_message, one_line
from .exit_status import status_of

# Characters. Errors of a build include the end of its log.
_LONGEST_ERROR = 4000


def main() -> None:
    """Run the verb of this process's arguments, and exit."""
    # Not sys.exit: it would flush again, into a pipe that may be closed.
    os._exit(run_verb(sys.argv[1:]))


def run_verb(argv: list[str]) -> int:
    """Run the verb of `argv` with the standard streams of this process, print its error, and return its status."""
    _have_standard_streams()
    as_json = "--json" in argv[: argv.index("--") if "--" in argv else None]
    try:
        try:
            code = _run(argv)
        except SystemExit as error:
            # argparse exits for wrong usage and --help.
            code = int(error.code or 0)
        sys.stdout.flush()
    except ConductorError as error:
        code = _failed(error, as_json)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader of our output has closed the pipe.
        code = 141
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        code = _failed(EffectFailed(f"{error.strerror or error}{where}"), as_json)
    except Exception as error:
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"this is a bug in conductor: {type(error).__name__}: {error} ({place.filename}, line {place.lineno})"
        _failed(EffectFailed(what), as_json)
        code = 1
    _flush()
    return code


def _run(argv: list[str]) -> int:
    from .parser import parse

    args = parse(argv)
    if args.needs_root and os.geteuid():
        raise HostNotCapable("root is required on the host", "run the command with sudo")
    # importlib would take a millisecond to import.
    commands = __import__(f"{__package__}.commands.{args.group}", fromlist=[args.verb])
    try:
        return getattr(commands, f"do_{args.verb.replace(' ', '_')}")(args)
    except ConductorError as error:
        from .hints import use_own_words

        name_in_message(error, getattr(args, "name", None))
        use_own_words(error, args.verb)
        raise


def _failed(error: ConductorError, as_json: bool) -> int:
    """Print the error, and return its exit status."""
    from .output import print_json

    # The results before the error.
    _flush()
    try:
        if as_json:
            # The result of a failed module.
            print_json({"failed": True, "msg": str(error), **error.facts})
            sys.stdout.flush()
        print(f"conductor: {one_line(str(error), _LONGEST_ERROR)}", file=sys.stderr, flush=True)
    except OSError:
        # The streams are closed.
        pass
    return status_of(error)


def _flush() -> None:
    """Write what has been printed, if it can be."""
    try:  # noqa: SIM105 - contextlib takes a millisecond to import
        sys.stdout.flush()
    except (OSError, KeyboardInterrupt):
        pass


def _have_standard_streams() -> None:
    """Open missing standard streams, and make all text printable in any locale.

    Otherwise a file that is opened later could get the number of a standard stream.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            # open(2) uses the lowest free number.
            os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "w"))
        getattr(sys, name).reconfigure(errors="backslashreplace")
