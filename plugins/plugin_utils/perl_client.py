# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: a perl program that the controller runs on a managed host to run a command in a container.

Every Debian has perl, which starts in a fifth of Python's time. The client passes the command to the agent
(module_utils/_agent), which enters the container. If no agent is running, the client starts one from the bundle; if the
bundle is missing, the client says so and the controller installs it.
"""

from __future__ import annotations

import secrets
import shlex

from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client
from ansible_collections.conductor.containers.plugins.plugin_utils.run_cache import agent_paths

_MISSING = "?"
_STATUS = "="
# Exit status of the client if the command was not run; the reason is between two tokens in its standard error.
_NOT_RUN = 125
# ssh(1) uses this status for its own errors, so the client encodes it if it is the command's.
_SSH_ERROR = 255

# Arguments: socket, program, Python, token, seconds within which the agent must start or accept the request, and the
# parts of the request (module_utils/_agent/handler.py). Once it is accepted, the command may take any time. Perl
# modules would take longer to load than everything else.
_CLIENT = r"""
($s,$p,$y,$t,$w,@r)=@ARGV;
sub nay{print STDERR "\n$t@_$t\n";exit 125}
sub to{socket(S,1,1,0)&&connect(S,pack("Sa*x",1,$s))}
$SIG{PIPE}="IGNORE";
$SIG{ALRM}=sub{nay("!the agent does not answer. Kill it: pkill -KILL -f $s")};
$> and nay("!entering a container requires root on the host. Log in as root, or set conductor_host_become.");
for(1..3){
alarm $w;
unless(to){
-e $p or nay("?");
system($y,"-I","-S",$p,"serve",$s) and nay("!$y $p did not start");
alarm $w;
to or next}
$q=pack("N/a*",join("\0",@r));
while(length $q){$n=syswrite(S,$q) or last;substr($q,0,$n)=""}
$a="";
alarm 0 while sysread(S,$a,4096,length $a);
$a=~/^\+(\d+)$/ and ($1==255?nay("=255"):exit $1);
$a=~/^\+?(!.*)/s and nay($1);
$a=~s/^=// and print($a) and exit 0;
$a eq "" or nay("!the agent process that ran the command was killed");
}
nay("!the agent at $s does not answer");
"""


class BundleMissing(Exception):
    """The host does not have the bundle."""


class Client:
    """One invocation of the client."""

    def __init__(self, request: list[str], python: str) -> None:
        """Prepare the command for `request` (see module_utils/_agent/handler.py); `python` is the host's."""
        # Random, so that processes inside cannot imitate messages of the client.
        self.token = f"conductor-{secrets.token_hex(8)}"
        program, socket = agent_paths()
        perl = ["/usr/bin/perl", "-e", _CLIENT.replace("\n", "")]
        # For a shell on the host.
        self.command = shlex.join(
            [*perl, socket, program, python, self.token, str(agent_client.ACCEPT_TIMEOUT), *request]
        )

    def outcome(self, rc: int, stdout: bytes, stderr: bytes) -> tuple[int, bytes, bytes]:
        """Return the command's status, output and errors from those of the client. Raises NotRun, BundleMissing."""
        # The message ends with the token, too, as ssh may print text after it (-vvv).
        before, begin, rest = stderr.partition(f"\n{self.token}".encode())
        message, end, after = rest.partition(f"{self.token}\n".encode())
        if rc != _NOT_RUN or not begin or not end:
            return rc, stdout, stderr
        stderr, text = before + after, message.decode(errors="replace")
        if text == _MISSING:
            raise BundleMissing
        if text.startswith(_STATUS):
            return _SSH_ERROR, stdout, stderr
        raise agent_client.NotRun(text[1:])
