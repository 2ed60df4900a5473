"""What a container prints without end fills nobody's memory: not the module's nor, as a result, the controller's."""

import json

from attacks import SLEEP, patched, start

# Bytes of address space that a module may have: more than it needs, and less than what comes out in some seconds.
ROOM = ["prlimit", f"--as={700 << 20}"]
MANY = "import os\nfor _ in range(60): os.write({fd}, b'\\n' * (1 << 20))"


def test_waiting_keeps_the_last_words_only(host):
    start(host, "box")
    noisy = ["/bin/sh", "-c", "head -c 1G /dev/zero >&2; echo last words >&2; exit 1"]
    wish = {"name": "box", "wait": noisy, "wait_timeout": 20}
    found = patched(host, "conductor_container", fails=True, wrapper=ROOM, **wish)
    assert "container box was not ready" in found["msg"] and len(found["msg"]) < 4000


def test_the_output_of_a_command_is_cut_and_that_is_told(host):
    start(host, "box")
    for fd, name in ((1, "stdout"), (2, "stderr")):
        argv = ["/usr/bin/python3", "-c", MANY.format(fd=fd).replace("\\n' *", "x' *")]
        found = host.module("conductor_exec", container="box", argv=argv)
        assert len(found[name]) == 16 << 20 and found[f"{name}_truncated"] and found["rc"] == 0
        assert f"container box: {name} has more than {16 << 20} bytes" in str(found["warnings"])
        assert "deprecations" not in found
    # An end of a line for each byte is the worst of what its lines could cost.
    argv = ["/usr/bin/python3", "-c", MANY.format(fd=1) + "\nos._exit(3)"]
    found = patched(host, "conductor_exec", fails=True, container="box", argv=argv, output_limit="64k")
    assert found["rc"] == 3 and found["stdout_truncated"] and not found["stderr_truncated"]
    assert len(json.dumps(found)) < 2 << 20


def test_a_command_that_prints_less_is_whole(host):
    start(host, "box", command=SLEEP)
    found = host.module("conductor_exec", container="box", argv=["/bin/echo", "-n", "12345"], output_limit=5)
    assert found["stdout"] == "12345" and not found["stdout_truncated"] and "warnings" not in found
    refused = host.module("conductor_exec", container="box", argv=["/bin/true"], output_limit="2g", fails=True)
    assert "output_limit" in refused["msg"]
