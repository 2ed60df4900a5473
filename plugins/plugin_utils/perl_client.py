# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command of a controller comes to run in a container of a managed host: by a command on the host.

Nothing is started there for it but perl, which every Debian has and which starts in a fifth of Python's time: it hands
the command over to a server (module_utils/_agent), that enters the container. Where there is no server yet, it starts
one from our program, and where that is missing, it says so and the controller puts it there.
"""

from __future__ import annotations

import secrets
import shlex

from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import NotRun
from ansible_collections.conductor.containers.plugins.plugin_utils.run_cache import served

_MISSING = "?"
_STATUS = "="
# Status of the client where the command has none: it was not run. With it comes what is between two tokens.
_NOT_RUN = 125
# ssh(1) keeps this status for itself, so that a command's must not be the same on the way.
_OF_SSH = 255

# Arguments: socket, program, Python, token, and the parts of the request (module_utils/_agent/handler.py). No modules:
# they would take longer than all the rest.
_CLIENT = r"""
($s,$p,$y,$t,@r)=@ARGV;
sub nay{print STDERR "\n$t@_$t\n";exit 125}
sub to{socket(S,1,1,0)&&connect(S,pack("Sa*x",1,$s))}
$SIG{PIPE}="IGNORE";
$> and nay("!root on the host is needed to enter a container: log in as root, or set conductor_host_become");
for(1..3){
unless(to){
-e $p or nay("?");
system($y,"-I","-S",$p,"serve",$s) and nay("!$y $p did not start");
to or next}
$q=pack("N/a*",join("\0",@r));
while(length $q){$n=syswrite(S,$q) or last;substr($q,0,$n)=""}
$a="";
1 while sysread(S,$a,4096,length $a);
$a=~/^\+(\d+)$/ and ($1==255?nay("=255"):exit $1);
$a=~/^\+?(!.*)/s and nay($1);
$a=~s/^=// and print($a) and exit 0;
$a eq "" or nay("!whoever entered the container was killed");
}
nay("!$s gives no answer");
"""


class ProgramMissing(Exception):
    """The host does not have our program."""


class Client:
    """One call of the client."""

    def __init__(self, request: list[str], python: str) -> None:
        """Have `request` carried out, as module_utils/_agent/handler.py tells; `python` is the host's."""
        # Known to nobody inside, so that nobody there can speak for the client.
        self._token = f"conductor-{secrets.token_hex(8)}"
        program, socket = served()
        perl = ["/usr/bin/perl", "-e", _CLIENT.replace("\n", "")]
        # For a shell of the host's.
        self.command = shlex.join([*perl, socket, program, python, self._token, *request])

    def outcome(self, rc: int, stdout: bytes, stderr: bytes) -> tuple[int, bytes, bytes]:
        """The command's own, of the client's. Raises NotRun, ProgramMissing."""
        # With its end, for ssh may tell more behind it (-vvv).
        before, begin, rest = stderr.partition(f"\n{self._token}".encode())
        said, end, after = rest.partition(f"{self._token}\n".encode())
        if rc != _NOT_RUN or not begin or not end:
            return rc, stdout, stderr
        stderr, text = before + after, said.decode(errors="replace")
        if text == _MISSING:
            raise ProgramMissing
        if text.startswith(_STATUS):
            return _OF_SSH, stdout, stderr
        raise NotRun(text[1:])
