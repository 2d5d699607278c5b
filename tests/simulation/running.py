"""Runs histories one after the other, and tells of those that fail."""

import logging
import traceback
from collections.abc import Iterable

import structlog

from tests.simulation.checks import Mismatch
from tests.simulation.history import History
from tests.simulation.storyline import storyline
from tests.simulation.tally import Tally

ENOUGH = 300
"""A run of so many seeds must have seen every expected word."""
MOST_FAILURES = 3


def run_seeds(seeds: Iterable[int]) -> tuple[Tally, list[str]]:
    """Run a history for each seed; returns what occurred, and a report of each that failed, of the first few."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    tally, failures = Tally(), []
    for seed in seeds:
        report = run_seed(seed, tally)
        if report is not None:
            failures.append(report)
            if len(failures) == MOST_FAILURES:
                break
    return tally, failures


def run_seed(seed: int, tally: Tally) -> str | None:
    """Run one history; returns None, or how to repeat it and what led to its failure."""
    history = History(seed, tally)
    try:
        history.run()
    except Exception as error:  # noqa: BLE001 - whatever fails is told with the seed that repeats it
        trace = "" if isinstance(error, Mismatch) else "".join(traceback.format_exception(error, limit=-6))
        notes = "".join(f"\n  {note}" for note in getattr(error, "__notes__", []))
        return (
            f"FAILED: make simulate SEEDS=1 FIRST={seed}\n"
            f"{storyline(history.auditor.told)}\n  {type(error).__name__}: {error}{notes}\n{trace}"
        )
    return None
