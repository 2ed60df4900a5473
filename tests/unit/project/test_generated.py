"""Generated files are as script/generate makes them from the declarations of options."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_generated_files_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "script/generate", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
