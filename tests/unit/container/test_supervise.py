"""The supervisor: the process that it watches."""

import os

from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor import supervise
from ansible_collections.conductor.containers.plugins.module_utils._kernel.processes import ProcessId


def test_reused_pid_of_an_adopted_process_is_not_watched():
    parent = ProcessId.of(os.getppid())
    os.close(supervise.open_first_process(parent.pid, parent.start_time))
    assert supervise.open_first_process(parent.pid, parent.start_time + 1) is None
