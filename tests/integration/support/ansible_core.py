"""The ansible-core under test: script/test runs tests with several releases (docs/development.md)."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Directory with its programs, and a Python that imports it.
BIN = Path(os.environ.get("CONDUCTOR_TEST_CORE", ROOT / ".venv/bin"))
PYTHON = str(BIN / "python")
