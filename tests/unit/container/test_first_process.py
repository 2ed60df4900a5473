"""First processes: the process that the supervisor waits for."""

import os

from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.first_process import (
    open_first_process,
)
from ansible_collections.conductor.containers.plugins.module_utils._kernel.processes import ProcessId


def test_reused_pid_of_an_adopted_process_is_not_watched():
    parent = ProcessId.of(os.getppid())
    os.close(open_first_process(parent.pid, parent.start_time))
    assert open_first_process(parent.pid, parent.start_time + 1) is None
