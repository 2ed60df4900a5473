"""When each result of a task came: lines of a host's name and a clock's seconds, in the file $RESULTS_TIMED."""

import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Ansible's interface."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "results_timed"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result):
        """The only results that there are, as a play that fails is an error."""
        with open(os.environ["RESULTS_TIMED"], "a", encoding="utf-8") as file:
            file.write(f"{result._host.get_name()} {time.monotonic()}\n")
