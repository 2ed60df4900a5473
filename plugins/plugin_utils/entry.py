# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command of a controller comes to run in a container of a managed host: by a command on the host.

On the host nothing is started for it but perl, which every Debian has and which starts in a fifth of Python's time: it
hands the command over to a server (module_utils/_entry), that enters the container. Where there is no server yet, it
starts one from our program, and where that is missing, it says so and the controller puts it there. Where there is one,
and it can be reached from the controller, stream.py speaks to it without anything between.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex

from ansible import constants as C

_ROOMS = tuple(
    "_errors.py _zipapp.py _linux/ _model/ _store/ _plan/ _network/ _container/ _case/ _image/ _entry/".split()
)
# What modules of Ansible have in common is nothing without Ansible.
_WITHOUT = ("_case/run.py",)
_MISSING = "?"
_STATUS = "="
# Status of the client where the command has none: it was not run. With it comes a line that begins with the token.
_NOT_RUN = 125
# ssh(1) keeps this status for itself, so that a command's must not be the same on the way.
_OF_SSH = 255

# Arguments: socket, program, Python, token, and the parts of the request (module_utils/_entry/request.py). No modules:
# they would take longer than all the rest.
_CLIENT = r"""
($s,$p,$y,$t,@r)=@ARGV;
sub nay{print STDERR "\n$t@_\n";exit 125}
sub to{socket(S,1,1,0)&&connect(S,pack("Sa*x",1,$s))}
$SIG{PIPE}="IGNORE";
$> and nay("!root on the host is needed to enter a container: log in as root, or set conductor_host_become");
for(1..3){
unless(to){
-e $p or nay("?");
system($y,"-I","-S",$p,"serve",$s) and nay("!$y $p did not start");
to or next}
$q=pack("N/a*",join("\0","own",@r));
while(length $q){$n=syswrite(S,$q) or last;substr($q,0,$n)=""}
$a="";
1 while sysread(S,$a,4096,length $a);
$a=~/^\+(\d+)$/ and ($1==255?nay("=255"):exit $1);
$a=~/^\+?(!.*)/s and nay($1);
$a eq "" or nay("!whoever entered the container was killed");
}
nay("!$s gives no answer");
"""


class NotRun(Exception):
    """The command was not run, and why."""


class ProgramMissing(Exception):
    """The host does not have our program."""


def served() -> tuple[str, str]:
    """Paths on a host: of the program that serves there, and of its socket. Another program has others.

    They are kept while Ansible runs, where its processes have their temporary files: each task is a process of its own,
    and would have to read all of our sources, and to load who reads them.
    """
    kept = os.path.join(C.DEFAULT_LOCAL_TMP, "conductor-served")
    try:
        with open(kept, encoding="utf-8") as file:
            program, socket = file.read().split()
    except FileNotFoundError:
        program, socket = _served()
        # Where they cannot be kept they are found out again.
        with contextlib.suppress(OSError):
            with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
                file.write(f"{program} {socket}")
            os.replace(file.name, kept)
    return program, socket


def _served() -> tuple[str, str]:
    from ansible_collections.conductor.containers.plugins.module_utils import _zipapp
    from ansible_collections.conductor.containers.plugins.module_utils._model.layout import LIBRARY_DIR, RUN_DIR

    digest = _zipapp.digest(_ROOMS, without=_WITHOUT)
    return f"{LIBRARY_DIR}/entry-{digest}.pyz", f"{RUN_DIR}/entry/{digest}"


def put_program() -> tuple[str, bytes]:
    """Command that puts the program on a host, and what it is to be fed with. It appears whole or not at all."""
    from ansible_collections.conductor.containers.plugins.module_utils import _zipapp

    content = _zipapp.build(_ROOMS, "_entry.main", without=_WITHOUT)
    # What was of use to another release, and not for a week, goes.
    script = (
        'umask 022; mkdir -p "${1%/*}" && cat > "$1.$$" && mv "$1.$$" "$1" && '
        'find "${1%/*}" -name "entry-*" ! -path "$1" -mtime +7 -delete'
    )
    program, _ = served()
    return shlex.join(["/bin/sh", "-c", script, "sh", program]), content


class Entry:
    """What is asked of the server, at its `socket` on the host: the `request`."""

    def __init__(self, container: str, user: str, command: str, python: str) -> None:
        """Run `command`, which is for a shell, as `user` in `container`; `python` is the host's."""
        # Known to nobody inside, so that nobody there can speak for the client.
        self._token = f"conductor-{secrets.token_hex(8)}"
        self._program, self.socket = served()
        self._python = python
        self.request = [container, user, "/bin/sh", "-c", command]

    @property
    def command(self) -> str:
        """A call of the client, for a shell of the host's."""
        client = ["/usr/bin/perl", "-e", _CLIENT.replace("\n", "")]
        return shlex.join([*client, self.socket, self._program, self._python, self._token, *self.request])

    def outcome(self, rc: int, stdout: bytes, stderr: bytes) -> tuple[int, bytes, bytes]:
        """The command's own, of the client's. Raises NotRun, ProgramMissing."""
        mark = f"\n{self._token}".encode()
        if rc != _NOT_RUN or mark not in stderr:
            return rc, stdout, stderr
        stderr, _, said = stderr.rpartition(mark)
        text = said.decode(errors="replace").strip()
        if text == _MISSING:
            raise ProgramMissing
        if text.startswith(_STATUS):
            return _OF_SSH, stdout, stderr
        raise NotRun(text[1:])
