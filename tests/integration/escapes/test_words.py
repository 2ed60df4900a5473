"""Ways out over what we print, write down or pass on: names and texts of a hostile container.

Terminal escapes, broken JSON, words that a shell would act on. The controller reads our output, people read its log.
"""

import json

from attacks import SLEEP, inside, start
from waiting import until

HOSTILE = (
    "$(touch /run/escaped) `touch /run/escaped`; touch /run/escaped #\n\"'\\ \x1b]0;title\x07\x1b[2J \u202e \u009b31m"
)


def test_log_text_cannot_act_on_a_terminal(host):
    text = b"\x1b]0;title\x07\x1b[31m \x9b2J \xc2\x9b2J \xff\xfe \xe2\x80\xae\x00\r\x08 end\n"
    start(
        host,
        "box",
        command=["/usr/bin/python3", "-c", f"import os; os.write(1, {text!r}); import time; time.sleep(1e6)"],
    )
    log = until(lambda: host.module("conductor_container_info", name=["box"])["containers"][0]["log"], "it is logged")
    assert "end" in log and all(character.isprintable() for character in log.strip("\n"))
    assert "\\x1b]0;title" in log


def test_output_of_any_bytes_is_whole_json(host):
    """What a command printed is what its result says, but for bytes that are not UTF-8, which Ansible would refuse."""
    start(host, "box")
    code = 'import os; os.write(1, bytes(range(256)) * 2); os.write(2, b\'\\xff"}]\\n{\\"changed\\": false}\')'
    done = host.module("conductor_exec", container="box", argv=["/usr/bin/python3", "-c", code])
    assert done["changed"] and done["stdout"] == (bytes(range(256)) * 2).decode(errors="replace")
    assert done["stderr"] == '\ufffd"}]\n{"changed": false}'
    assert "stdout: bytes that are not UTF-8 are shown as \ufffd" in str(done["warnings"])


def test_names_of_files_in_errors_are_one_line(host):
    start(host, "box")
    name = f"/tmp/{HOSTILE.replace('/', '')}"
    refused = host.module("conductor_exec", container="box", argv=[name], fails=True)
    assert "No such file" in refused["msg"]
    assert host.run("ls", "/run/escaped", check=False).returncode


def test_environment_and_arguments_are_never_a_shells(host):
    start(host, "box", env={"WORDS": HOSTILE}, command=[*SLEEP])
    argv = [
        "/usr/bin/python3",
        "-c",
        "import os, sys, json; print(json.dumps([os.environ['WORDS'], sys.argv[1]]))",
        HOSTILE,
    ]
    assert json.loads(host.module("conductor_exec", container="box", argv=argv)["stdout"]) == [HOSTILE, HOSTILE]
    assert host.run("ls", "/run/escaped", check=False).returncode


def test_names_of_processes_and_the_host_inside_are_only_shown(host):
    """A name of a process, with what would end a field of /proc/PID/stat, and a host name that is none."""
    start(host, "box", capabilities={"add": ["SYS_ADMIN"]}, command=[
        "/usr/bin/python3", "-c", "import ctypes, time; libc = ctypes.CDLL(None); "
        "libc.prctl(15, b') Z 0 (\\n\\x1b[2J'); name = b'\\x1b[2J\\n$(x)\"}'; libc.sethostname(name, len(name)); "
        "print(flush=True); time.sleep(1e6)",
    ])  # fmt: skip
    found = until(lambda: host.module("conductor_container_info", name=["box"])["containers"][0]["log"], "it has run")
    assert found == "\n"
    facts = host.module("conductor_container_info", name=["box"])["containers"][0]
    assert facts["state"] == "running" and facts["hostname"] == "box"
    assert host.module("conductor_exec", container="box", argv=["/bin/true"])["rc"] == 0
    assert host.module("conductor_container", name="box", state="stopped", stop_timeout=0)["changed"]


def test_no_variable_of_who_runs_the_module_is_inside(host):
    start(host, "box")
    body = 'return ",".join(sorted(os.environ))'
    assert set(inside(host, "box", body).split(",")) <= {"PATH", "HOME", "container", "LC_CTYPE", "PWD"}
