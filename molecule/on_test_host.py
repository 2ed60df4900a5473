"""Run molecule with a host made of namespaces (tests/integration/support) as its localhost."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration/support"))

from image_cache import mount_image, test_image  # noqa: E402
from testhost import Host  # noqa: E402


def main() -> int:
    with Host() as host:
        mount_image(host, test_image())
        environment = {**os.environ, "CONDUCTOR_OUTSIDE_PID": str(host.outside_pid)}
        return host.popen("env", f"--chdir={ROOT}", "molecule", *sys.argv[1:], env=environment).wait()


sys.exit(main())
