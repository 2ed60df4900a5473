# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and help texts of the verbs for one container."""

from __future__ import annotations

import argparse

from .common import Verb, add_changes, add_container, add_containers
from .values import lines, published, since, variable, volume


def _options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("image", metavar="IMAGE", help="name of the image")
    verb.add_argument("name", metavar="NAME", help="name of the container")
    verb.add_argument(
        "-e", "--env", metavar="NAME=VALUE", action="append", type=variable, help="environment variable; repeatable"
    )
    verb.add_argument(
        "-v", "--volume", metavar="SOURCE:TARGET[:ro,noidmap,rslave]", action="append", type=volume,
        help="mount a file or directory of the host, with the same owners inside unless noidmap is given; with rslave "
        "also what the host mounts below it later; repeatable",
    )  # fmt: skip
    verb.add_argument(
        "-p", "--publish", metavar="[ADDRESS:]HOST_PORT:CONTAINER_PORT[/udp]", action="append", type=published,
        help="give the container a network, and expose a port on the host; repeatable",
    )  # fmt: skip
    verb.add_argument("-m", "--memory", metavar="SIZE", help="limit of memory, for example 512m")
    verb.add_argument("--internet", action="store_true", help="give the container a network with Internet access")
    verb.add_argument("--init", action="store_true", help="boot the init of the image; not with COMMAND")
    verb.add_argument(
        "--restart", metavar="POLICY", help="start it again when it ends: no, on-failure, always or unless-stopped"
    )
    verb.set_defaults(takes_command=True)
    add_changes(verb)


def _run(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor run [options] IMAGE NAME [-- COMMAND [ARGUMENT ...]]"
    shell = verb.add_mutually_exclusive_group()
    shell.add_argument("-d", "--detach", action="store_true", help="do not open a shell")
    shell.add_argument(
        "--rm", action="store_true", help="wait for the end of the command or shell, and DELETE the container then"
    )
    _options(verb)


def _create(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor create [options] IMAGE NAME [-- COMMAND [ARGUMENT ...]]"
    _options(verb)


def _start(verb: argparse.ArgumentParser) -> None:
    add_containers(verb)
    add_changes(verb)


def _stop(verb: argparse.ArgumentParser) -> None:
    add_containers(verb)
    verb.add_argument("--keep", action="store_true", help="stop the container, and keep it with its data")
    verb.add_argument("-y", "--yes", action="store_true", help="do not ask before it is deleted")
    verb.add_argument(
        "--force", action="store_true", help="delete the container even if its container.json is damaged or missing"
    )
    add_changes(verb)


def _rm(verb: argparse.ArgumentParser) -> None:
    add_containers(verb)
    verb.add_argument("-f", "--force", action="store_true", help="stop running and delete damaged containers, too")
    add_changes(verb)


def _kill(verb: argparse.ArgumentParser) -> None:
    add_containers(verb)
    verb.add_argument("-s", "--signal", metavar="SIGNAL", default="KILL", help="name or number; default: KILL")
    verb.add_argument("--check", action="store_true", help="send nothing, only print the actions")
    verb.set_defaults(diff=False)


def _rename(verb: argparse.ArgumentParser) -> None:
    add_container(verb)
    verb.add_argument("new", metavar="NEW", help="the new name")
    add_changes(verb)


def _cp(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", metavar="SOURCE", help="file or directory, inside a container if it is NAME:PATH")
    verb.add_argument("target", metavar="TARGET", help="NAME:PATH or a path of the host")
    add_changes(verb)


def _inspect(verb: argparse.ArgumentParser) -> None:
    add_containers(verb)


def _exec(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor exec [options] NAME [-- COMMAND [ARGUMENT ...]]"
    add_container(verb)
    verb.add_argument("-u", "--user", metavar="USER[:GROUP]", help="user of the command; default: the container's user")
    verb.add_argument(
        "-e", "--env", metavar="NAME=VALUE", action="append", default=[], help="environment variable; repeatable"
    )
    verb.add_argument("-w", "--workdir", metavar="DIR", help="working directory; default: the container's")
    verb.set_defaults(takes_command=True, diff=False)
    verb.add_argument("--check", action="store_true", help="run nothing, only check that the command could run")


def _logs(verb: argparse.ArgumentParser) -> None:
    add_container(verb)
    verb.add_argument("-f", "--follow", action="store_true", help="continue until the container has ended")
    verb.add_argument("-n", "--tail", metavar="LINES", type=lines, help="begin with the last lines; default: all")
    verb.add_argument(
        "--since", metavar="TIME", type=since, help="only output since then: 10m, 1h30m, or a date, as 2026-11-29T12:00"
    )


VERBS: dict[str, Verb] = {
    "run": (
        "run a container from an image",
        """\
COMMAND is the container's first process. It runs in the background, and `conductor logs` prints its output. The
default is /bin/bash, which runs until the container is stopped.

Without COMMAND, if standard input and output are a terminal, a shell in the container is opened as by
`conductor exec NAME`. The container keeps running after the shell exits. Use --detach to open no shell.

An existing container is started again with its data. Options that are not given stay, and COMMAND replaces the
command or the init that it had.

examples:
  conductor run debian box
  conductor run debian web -- /usr/bin/python3 -m http.server 8080
  conductor run -p 80:8080 -m 256m -e MODE=test debian web -- /usr/bin/python3 -m http.server 8080
  conductor run --init --restart always debian machine
  conductor run --rm debian trial -- cat /etc/os-release
""",
        _run,
    ),
    "create": (
        "create a container from an image, and do not start it",
        "example:\n  conductor create debian box -- sleep infinity\n",
        _create,
    ),
    "stop": (
        "stop a container and DELETE IT WITH ITS DATA",
        """\
Without --keep the container is deleted with its files, its network and its log. On a terminal, this is asked before.

examples:
  conductor stop box           stop and delete it
  conductor stop -y box web    the same for two containers, without a question
  conductor stop --keep box    stop it; start it again with: conductor start box
""",
        _stop,
    ),
    "start": ("start stopped or exited containers", "example:\n  conductor start box web\n", _start),
    "restart": (
        "stop and start containers, with their data",
        "Starts containers that do not run, too.\n\nexample:\n  conductor restart box\n",
        _start,
    ),
    "kill": (
        "send a signal to the first process of containers",
        """\
The container has ended if its first process ends by the signal. Its restart policy then applies: use
`conductor stop --keep` to stop a container that is to stay stopped.

examples:
  conductor kill box
  conductor kill -s HUP web
""",
        _kill,
    ),
    "rename": (
        "give a stopped container another name",
        """\
Its peers keep their connections to it, and find it by its new name. A container of a stack is renamed in the stack.

example:
  conductor rename box web
""",
        _rename,
    ),
    "rm": (
        "DELETE containers that do not run, with their data",
        "examples:\n  conductor rm box\n  conductor rm -f box web\n",
        _rm,
    ),
    "cp": (
        "copy files into or out of a container",
        """\
As by the module conductor_copy: a target that ends with / is a directory into which the source is copied under its own
name, and a source that ends with / is the content of the directory.

examples:
  conductor cp nginx.conf web:/etc/nginx/
  conductor cp web:/var/log/nginx/ /tmp/logs
""",
        _cp,
    ),
    "exec": (
        "run a command in a container",
        """\
COMMAND defaults to /bin/bash. If standard input and output are a terminal, the command gets a terminal of the
container with the same size, and all keys and job control work. Otherwise its streams are passed through.

examples:
  conductor exec box
  conductor exec box -- ps aux
  tar -c . | conductor exec -w /srv box -- tar -x
""",
        _exec,
    ),
    "logs": (
        "print the output of a container's first process",
        """\
On a terminal, control characters are shown as escapes. Otherwise the output is printed unchanged. Its times are
recorded once a second while a container writes, so that --since may print up to one second more.

examples:
  conductor logs box
  conductor logs -f --tail 20 box
  conductor logs --since 10m box
""",
        _logs,
    ),
    "inspect": ("print all facts about containers as JSON", "example:\n  conductor inspect box\n", _inspect),
    "port": (
        "list the exposed ports of a container",
        "Prints a line for each: the port inside, and the address and port of the host.\n\n"
        "example:\n  conductor port web\n",
        add_container,
    ),
    "top": ("list the processes of a container", "example:\n  conductor top box\n", add_container),
}
