"""Make the checkout importable as its collection, the way script/bootstrap lays it out."""

import sys
from pathlib import Path

COLLECTIONS = Path(__file__).parents[1] / ".venv" / "collections"
if str(COLLECTIONS) not in sys.path:
    sys.path.insert(0, str(COLLECTIONS))
