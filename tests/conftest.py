"""Make the checkout importable as its collection, the way script/bootstrap lays it out; and what tests share."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

COLLECTIONS = Path(__file__).parents[1] / ".venv" / "collections"
SUPPORT = Path(__file__).parent / "integration" / "support"
for directory in (COLLECTIONS, SUPPORT):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))

# How long an example takes says how busy the machine is.
settings.register_profile("no times", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no times")
