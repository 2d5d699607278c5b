"""Runs histories: `python -m tests.simulation --seeds 300 --first 1`, or `make simulate SEEDS=300 FIRST=1`.

Prints what occurred how often. Exit code 1 where a history broke a promise, or where a run of at least 300 seeds never
saw a word that it must see.
"""

import argparse
import sys
import time

from tests.simulation.faults import FAULTS
from tests.simulation.running import ENOUGH, run_seeds


def main(arguments: list[str]) -> int:
    """Run the histories that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="number of histories")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    tally, failures = run_seeds(range(options.first, options.first + options.seeds))
    seconds = time.monotonic() - began
    missing = tally.missing(FAULTS) if options.seeds >= ENOUGH and not failures else []
    rate = tally.histories / seconds * 60
    lines = [
        *tally.lines(),
        *(f"NEVER SEEN {word}" for word in missing),
        *failures,
        f"{tally.histories} histories, {tally.batches:,} batches, {tally.events:,} inbox records,",
        f"{len(failures)} failed, in {seconds:.1f} s ({rate:,.0f} histories a minute)",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(failures or missing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
