"""script/soak: its options."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests/integration/support"), str(ROOT / ".venv/collections")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=5, help="how long there are random operations (5)")
    length.add_argument("--hours", type=float)
    length.add_argument("--cycles", type=int, help="instead: so many containers come and go, and nothing may grow")
    parser.add_argument("--workers", type=int, default=4, help="how many act at once (4)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31), help="of a run to be repeated")
    options = parser.parse_args()
    if options.cycles:
        import cycles

        return cycles.main(options.cycles)
    import chaos

    seconds = options.hours * 3600 if options.hours else options.minutes * 60
    print(f"soak: {seconds:g} s, {options.workers} workers, seed {options.seed}", flush=True)
    return chaos.main(seconds, options.workers, options.seed)


if __name__ == "__main__":
    sys.exit(main())
