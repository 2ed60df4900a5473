"""The supervisor: whom it waits for."""

import subprocess
import sys
from pathlib import Path

ROOM = Path(__file__).parents[2] / "plugins/module_utils/_container"
WAIT = "import os, sys; sys.path.insert(0, sys.argv[1]); import supervise; print(supervise._wait(os.getppid(), 1))"


def test_a_process_that_has_the_pid_of_an_adopted_one_is_not_waited_for():
    done = subprocess.run(
        [sys.executable, "-c", WAIT, str(ROOM)], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "None\n"
