"""Invalid input: one line with the option, the problem and the remedy, and no change."""

import re

import pytest
from snapshot import difference, take
from warm_modules import WarmModules

CONTAINER, IMAGE, EXEC, NETWORK, PEER = (
    f"conductor_{noun}" for noun in ("container", "image", "exec", "network", "peer")
)
NEW = {"name": "new", "image": "debian"}
BIND = {"source": "/etc", "target": "/data"}
SRC = {"name": "new", "source": {"archive": "/run/no.tar"}}
PASSWD, NO_SUM = {"archive": "/etc/passwd"}, "sha256:" + "0" * 64
OUT = {"state": "exported", "archive": "/run/x.tar"}

# Module, options, and a part of the message.
CASES = [
    (CONTAINER, {"name": "", "image": "debian"}, "name '' is not a valid name"),
    (CONTAINER, {"name": "../up", "image": "debian"}, "name '../up' is not a valid name"),
    (CONTAINER, {"name": "a/b", "image": "debian"}, "is not a valid name"),
    (CONTAINER, {"name": ".hidden", "image": "debian"}, "is not a valid name"),
    (CONTAINER, {"name": "x" * 64, "image": "debian"}, "Use 1 to 63"),
    (CONTAINER, {"name": "new line\n", "image": "debian"}, "is not a valid name"),
    (CONTAINER, {"name": "new"}, "no image is given to create it from"),
    (CONTAINER, {"name": "new", "image": "nothing"}, "image nothing does not exist"),
    (CONTAINER, {"name": "new", "image": "../../etc"}, "image '../../etc' is not a valid name"),
    (CONTAINER, {**NEW, "command": []}, "command: [] is not a command"),
    (CONTAINER, {**NEW, "command": [""]}, "command: [''] is not a command"),
    (CONTAINER, {**NEW, "command": ["/bin/sh"], "init": True}, "command and init are mutually exclusive"),
    (CONTAINER, {**NEW, "env": {"A=B": "1"}}, "env: 'A=B' is not the name"),
    (CONTAINER, {**NEW, "command": "sh -c 'open"}, "cannot be split (No closing quotation). Close the quote"),
    (CONTAINER, {**NEW, "env": {"A": True}}, "the value of A is not a string"),
    (CONTAINER, {**NEW, "env": {"A": 1}}, "env: the value of A is not a string. Quote it"),
    (CONTAINER, {**NEW, "env": {"A": ["x"]}}, "the value of A is not a string"),
    (CONTAINER, {**NEW, "working_dir": "relative"}, "working_dir 'relative' is not an absolute path"),
    (CONTAINER, {**NEW, "working_dir": "/a/../b"}, "has a '.' or '..' in it"),
    (CONTAINER, {**NEW, "user": "nobody:no:way"}, "user: 'nobody:no:way' is not a user"),
    (CONTAINER, {**NEW, "user": "stranger"}, "there is no user 'stranger' in the container"),
    (CONTAINER, {**NEW, "user": "root:strangers"}, "there is no group 'strangers' in the container"),
    (CONTAINER, {**NEW, "hostname": "under score!"}, "is not a host name"),
    (CONTAINER, {**NEW, "hostname": "x" * 65}, "is not a host name"),
    (CONTAINER, {**NEW, "mounts": [{"target": "/data"}]}, "source of /data None is not an absolute path"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "source": "relative"}]}, "is not an absolute path"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "source": "/no/such"}]}, "source /no/such does not exist on the host"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "source": "/run/out"}]}, "source /run/out leads through a symlink to /etc"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "target": "data"}]}, "target 'data' is not an absolute path"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "target": "/"}]}, "target / is the container's root"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "target": "/proc/sys"}]}, "target /proc/sys is in /proc"),
    (CONTAINER, {**NEW, "mounts": [BIND, BIND]}, "/data is the target of more than one mount"),
    (CONTAINER, {**NEW, "mounts": [{**BIND, "type": "tmpfs"}]}, "source requires type: bind"),
    (CONTAINER, {**NEW, "mounts": [{"type": "tmpfs", "target": "/x", "size": "huge"}]}, "'huge' is not a size"),
    (CONTAINER, {**NEW, "mounts": [{"type": "tmpfs", "target": "/x", "idmap": True}]}, "idmap requires type: bind"),
    (CONTAINER, {**NEW, "userns": "mine"}, "userns 'mine' is not valid. Use auto, host, or a dictionary"),
    (CONTAINER, {**NEW, "userns": {"base": 1000}}, "userns.base 1000 is below 65536"),
    (CONTAINER, {**NEW, "userns": {"base": "x"}}, "userns.base 'x' is not an integer"),
    (CONTAINER, {**NEW, "userns": {"base": 524288}}, "container old has 524288 to 589823"),
    (
        CONTAINER,
        {"name": "old", "userns": "host"},
        "old: userns cannot change while the container keeps its root file system",
    ),
    (CONTAINER, {**NEW, "capabilities": {"add": ["CAP_FLY"]}}, "'CAP_FLY' is not a capability"),
    (CONTAINER, {**NEW, "memory": "many"}, "'many' is not a size"),
    (CONTAINER, {**NEW, "memory": "100k"}, "is less than 1m"),
    (CONTAINER, {**NEW, "cpus": -1}, "cpus: -1.0 is not a number. Give a number from 0 up"),
    (CONTAINER, {**NEW, "pids": -3}, "pids: -3 is not a number"),
    (CONTAINER, {**NEW, "ulimits": ["nofile"]}, "'nofile' is not NAME:SOFT or NAME:SOFT:HARD"),
    (CONTAINER, {**NEW, "ulimits": ["files:1"]}, "there is no limit 'files'. Use one of as, core"),
    (CONTAINER, {**NEW, "ulimits": ["nofile:many"]}, "'many' in 'nofile:many' is not a limit"),
    (CONTAINER, {**NEW, "ulimits": ["nofile:9:5"]}, "has a soft limit above its hard limit"),
    (CONTAINER, {**NEW, "ulimits": ["core:unlimited:5"]}, "has a soft limit above its hard limit"),
    (CONTAINER, {**NEW, "ulimits": ["cpu:9", "cpu:8"]}, "cpu is given more than once"),
    (CONTAINER, {**NEW, "ulimits": ["nofile:9999999999"]}, "hard limit 9999999999 of nofile exceeds"),
    (CONTAINER, {**NEW, "oom_score_adj": 1001}, "oom_score_adj 1001 is not in the range of -1000 to 1000"),
    (CONTAINER, {**NEW, "devices": ["fuse"]}, "'fuse' is not a device"),
    (CONTAINER, {**NEW, "devices": ["/dev/no-such"]}, "/dev/no-such does not exist on the host (No such file"),
    (CONTAINER, {**NEW, "devices": ["/etc/passwd:/dev/passwd"]}, "/etc/passwd is not a device"),
    (CONTAINER, {**NEW, "devices": ["/dev/net:/dev/more"]}, "/dev/net is not a device"),
    (CONTAINER, {**NEW, "devices": ["/dev/fuse:/srv/fuse"]}, "/srv/fuse is not below /dev"),
    (CONTAINER, {**NEW, "devices": ["/dev/fuse:/dev/../fuse"]}, "has a '.' or '..' in it"),
    (CONTAINER, {**NEW, "devices": ["/dev/fuse:rr"]}, "has a permission twice"),
    (CONTAINER, {**NEW, "devices": ["/dev/fuse:/dev/full"]}, "/dev/full clashes with /dev/full, which each"),
    (CONTAINER, {**NEW, "devices": ["/dev/fuse", "/dev/fuse:/dev/fuse/x"]}, "/dev/fuse/x clashes with /dev/fuse"),
    (CONTAINER, {**NEW, "devices": ["/dev/fuse"], "dev": "host"}, "devices and dev: host are mutually exclusive"),
    (CONTAINER, {**NEW, "stop_signal": "SIGNOPE"}, "stop_signal 'SIGNOPE' is not a signal"),
    (CONTAINER, {**NEW, "stop_timeout": -1}, "stop_timeout: -1.0 is not a number"),
    (CONTAINER, {**NEW, "state": "present", "wait": ["true"]}, "wait requires that the container runs"),
    (CONTAINER, {**NEW, "state": "sideways"}, "value of state must be one of"),
    (CONTAINER, {**NEW, "container_dir": "relative/dir"}, "container_dir"),
    (CONTAINER, {**NEW, "colour": "red"}, "Unsupported parameters"),
    (CONTAINER, {"name": "old", "image": "other"}, "image other does not exist"),
    (IMAGE, {"name": "-dash"}, "is not a valid name"),
    (IMAGE, {"name": "new", "suite": "../trixie"}, "suite: '../trixie' is not valid"),
    (IMAGE, {"name": "new", "packages": ["good", "--bad"]}, "packages: '--bad' is not valid"),
    (IMAGE, {"name": "new", "mirror": "nowhere"}, "invalid mirror URL 'nowhere'. Use a URL"),
    (IMAGE, {"name": "new", "architecture": "s390x"}, "cannot run programs of architecture s390x"),
    (IMAGE, {"name": "new", "keyring": "/no/keyring"}, "keyring: /no/keyring does not exist"),
    (IMAGE, {"name": "new", "commands": [" "]}, "commands: ' ' is empty"),
    (IMAGE, {"name": "new", "commands": [[]]}, "commands: [] is empty"),
    (IMAGE, {"name": "new", "commands": [["mkdir", 5]]}, "commands: ['mkdir', 5] is not text"),
    (IMAGE, {"name": "new", "commands": ["a\0b"]}, "is not text"),
    (IMAGE, {"name": "new", "variant": "tiny"}, "variant: unknown variant 'tiny'. Use one of essential, apt"),
    (
        IMAGE,
        {"name": "new", "variant": "standard", "builder": "debootstrap"},
        "debootstrap does not support variant 'standard'",
    ),
    (IMAGE, {"name": "new", "packages": ["a-b=1"], "builder": "debootstrap"}, "does not support versions of packages"),
    (IMAGE, {"name": "new", "mirror": "http://x/ [trusted=yes]"}, "mirror: invalid mirror URL"),
    (IMAGE, {"name": "new", "keyring": "keyring.gpg"}, "is not an absolute path"),
    (IMAGE, {**SRC, "builder": "debootstrap"}, "source and builder are mutually exclusive"),
    (IMAGE, {"name": "new", "source": {"archive": "/etc"}}, "archive /etc is not a regular file"),
    (IMAGE, {"name": "new", "source": {**PASSWD, "checksum": NO_SUM}}, "archive /etc/passwd has the checksum sha256:"),
    (IMAGE, {"name": "debian", "packages": ["nano"]}, "image debian: built with other values of packages"),
    (IMAGE, {"name": "debian", "builder": "debootstrap"}, "image debian: built with other values of builder"),
    (IMAGE, {"name": "debian", "suite": "sid", **OUT}, "image debian: built with other values of suite"),
    (IMAGE, {"name": "debian", "state": "exported", "archive": "/run/dir.tar"}, "archive: /run/dir.tar is a directory"),
    (IMAGE, {"name": "debian", "force": True}, "cannot be built again because it is used by old"),
    (IMAGE, SRC, "archive /run/no.tar does not exist"),
    (IMAGE, {**SRC, "suite": "trixie"}, "source and suite are mutually exclusive"),
    (IMAGE, {"name": "new", "source": {"archive": "no.tar"}}, "archive 'no.tar' is not an absolute path"),
    (IMAGE, {"name": "new", "source": {"archive": "/a.tar", "checksum": "md5:1"}}, "checksum 'md5:1' is not valid"),
    (IMAGE, {"name": "new", "source": {}}, "source: exactly one of archive, container, image is required"),
    (
        IMAGE,
        {"name": "new", "source": {"archive": "/a", "container": "old"}},
        "exactly one of archive, container, image",
    ),
    (
        IMAGE,
        {"name": "new", "source": {"container": "old", "checksum": NO_SUM}},
        "checksum requires archive and cannot be used with container",
    ),
    (
        IMAGE,
        {"name": "new", "source": {"archive": "/a.tar", "digest": NO_SUM}},
        "digest requires container and cannot be used with archive",
    ),
    (IMAGE, {"name": "new", "source": {"container": "old", "digest": "1"}}, "digest '1' is not valid. Write sha256:"),
    (IMAGE, {"name": "new", "source": {"image": "nothing"}}, "image nothing: does not exist"),
    (IMAGE, {"name": "new", "source": {"image": "new"}}, "source: image new cannot be its own base"),
    (
        IMAGE,
        {"name": "debian", "source": {"container": "old"}, "force": True},
        "cannot be built again because it is used by old",
    ),
    (IMAGE, {"name": "new", "source": {"container": "../old"}}, "source: container '../old' is not a valid name"),
    (IMAGE, {"name": "new", "source": {"container": "nothing"}}, "source: container nothing: does not exist"),
    (IMAGE, {"name": "new", "archive": "/run/x.tar"}, "archive requires state=exported"),
    (IMAGE, {"name": "debian", "state": "exported"}, "state=exported requires archive"),
    (IMAGE, {"name": "debian", "state": "exported", "archive": "/run/x.zip"}, "has no known suffix"),
    (IMAGE, {"name": "debian", "state": "exported", "archive": "/no/dir/x.tar"}, "directory /no/dir does not exist"),
    (
        IMAGE,
        {"name": "nothing", "state": "exported", "archive": "/run/x.tar"},
        "image nothing: cannot be exported because it does not",
    ),
    (IMAGE, {"name": "debian", "state": "absent"}, "used by old"),
    (IMAGE, {"name": "new", "source": {"archive": "/a\0b"}}, "source: archive '/a\\x00b' is not an absolute path"),
    (IMAGE, {"name": "debian", "state": "exported", "archive": "/a\0b.tar"}, "'/a\\x00b.tar' is not an absolute path"),
    (IMAGE, {"name": "new", "suite": "trixie", "keyring": "/a\0b"}, "keyring: '/a\\x00b' is not an absolute path"),
    (CONTAINER, {**NEW, "image_dir": "/a\0b"}, "image_dir '/a\\x00b' is not an absolute path"),
    (CONTAINER, {**NEW, "container_dir": "/a\0b"}, "container_dir '/a\\x00b' is not an absolute path"),
    (EXEC, {"container": "nothing", "argv": ["true"]}, "container nothing does not exist"),
    (EXEC, {"container": "old", "argv": ["true"]}, "container old is not running"),
    (EXEC, {"container": "old"}, "no command is given"),
    (EXEC, {"container": "old", "cmd": "echo 'open"}, "cannot be split"),
    (EXEC, {"container": "old", "cmd": "a", "argv": ["b"]}, "mutually exclusive"),
    (EXEC, {"container": "old", "argv": ["true"], "chdir": "here"}, "chdir 'here' is not an absolute path"),
    (EXEC, {"container": "old", "argv": ["true"], "timeout": 0}, "timeout 0 is not a valid number of seconds"),
    (EXEC, {"container": "old", "argv": ["cat"], "detach": True, "timeout": 3}, "detach is mutually exclusive"),
    (NETWORK, {"container": "nothing"}, "container nothing does not exist"),
    (NETWORK, {"container": "old", "expose": ["80"]}, "80"),
    (NETWORK, {"container": "old", "expose": ["0-80"]}, "0"),
    (NETWORK, {"container": "old", "expose": ["8080-99999"]}, "99999"),
    (NETWORK, {"container": "old", "expose": [{"container_port": 80, "protocol": "sctp"}]}, "sctp"),
    (NETWORK, {"container": "old", "expose": ["80-80", "81-80"]}, "80"),
    (NETWORK, {"container": "old", "expose": [{"container_port": "1-9", "host_port": "1-3"}]}, "1-3"),
    (NETWORK, {"container": "old", "ipv4": "10.87.0.999"}, "10.87.0.999"),
    (NETWORK, {"container": "old", "ipv4": "fd00::1"}, "fd00::1"),
    (NETWORK, {"container": "old", "pool4": "192.0.2.0/24"}, "192.0.2.0/24"),
    (NETWORK, {"container": "old", "pool4": "10.0.0.1/33"}, "10.0.0.1/33"),
    (NETWORK, {"container": "old", "mac": "zz:zz"}, "zz:zz"),
    (NETWORK, {"container": "old", "mtu": 10}, "10"),
    (NETWORK, {"container": "old", "dns": ["not-an-address"]}, "not-an-address"),
    (PEER, {"container": "nothing", "peer": "old"}, "container nothing does not exist"),
    (PEER, {"container": "old", "peer": "old"}, "old"),
    (PEER, {"container": "old", "peer": "nothing", "ports": ["http"]}, "http"),
]


# In check mode a warning.
LACKING = (
    r"(image|container) (nothing|other) does not exist$|(nothing|other): does not exist$|is not running$|"
    r"cannot be exported because it does not$|(/no/keyring|/no/dir|/run/no.tar) does not exist$|"
    r"source /no/such does not exist on the host$"
)


def test_bad_input_is_one_clear_line_and_changes_nothing(host):
    host.run("ln", "-s", "/etc", "/run/out")
    host.run("mkdir", "/run/dir.tar")
    host.module("conductor_container", name="old", image="debian", state="present")
    before = take(host)
    wrong, warm = [], WarmModules(host)
    for module, options, message in CASES:
        for check in (True, False):
            # An earlier task of a play may create a missing image or container: check mode warns.
            ahead = check and re.search(LACKING, message)
            result = warm.module(module, check=check, **options)
            told = str(result.get("warnings")) if ahead else str(result.get("msg"))
            if bool(result.get("failed")) == bool(ahead):
                wrong.append(f"{module} {options} check={check}: {str(result)[:300]}")
            elif message not in told or "Traceback" in told or "\n" in told.strip():
                wrong.append(f"{module} {options} check={check}: {told}")
    wrong += difference(before, take(host))
    host.run("rm", "-r", "/run/out", "/run/dir.tar")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "options", "where"),
    [
        ("conductor_container", {**NEW, "env": {"A": "\ud800"}}, "env.A"),
        ("conductor_container", {**NEW, "name": "\ud800"}, "name"),
        ("conductor_copy", {"container": "old", "dest": "/tmp/a", "content": "\ud800"}, "content"),
        (
            "conductor_stack",
            {"name": "new", "containers": {"web": {"command": ["\ud800"]}}},
            "containers.web.command[0]",
        ),
        ("conductor_image_info", {"name": ["\ud800"]}, "name[0]"),
    ],
)
def test_half_of_a_character_is_refused(bare_host, module, options, where):
    """Ansible itself ends with a traceback where it logs such a parameter."""
    before = take(bare_host)
    for check in (True, False):
        told = bare_host.module(module, **options, check=check, fails=True)["msg"]
        assert told.endswith(f"{where} has half of a character (a surrogate such as \\ud800). Correct the text.")
    assert difference(before, take(bare_host)) == []


def test_name_of_a_program_of_any_length_is_an_error(host):
    """It is longer than a pipe takes at once. The first container starts the supervisor, the second one finds it."""
    long = ["x" * 200_000]
    tell = [
        lambda name=name: host.module(CONTAINER, **{**NEW, "name": name, "command": long}, fails=True) for name in "ac"
    ]
    first = tell[0]()["msg"]
    host.module(CONTAINER, **{**NEW, "name": "b", "command": ["/bin/sleep", "infinity"]})
    for told in (first, tell[1]()["msg"], host.module(EXEC, container="b", argv=long, fails=True)["msg"]):
        assert "File name too long. Give a program" in told and len(told) < 1500 and ".." not in told.replace("...", "")


@pytest.mark.parametrize("text", ["{", "[]", '{"colour": "red"}'])
def test_a_damaged_settings_file_is_told(host, text):
    host.run("tee", "/etc/conductor/conductor.json", stdin=text)
    assert "/etc/conductor/conductor.json" in host.module("conductor_container", **NEW, fails=True)["msg"]
    host.run("rm", "/etc/conductor/conductor.json")
