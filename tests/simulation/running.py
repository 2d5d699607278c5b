"""Runs histories one after the other, and tells of those that fail."""

import gc
import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import structlog

from schemas.internal.codec import encode
from tests.simulation.checks import Mismatch
from tests.simulation.history import History
from tests.simulation.storyline import storyline
from tests.simulation.tally import Tally

ENOUGH = 300
"""A run of so many seeds must have seen every expected word."""
MOST_FAILURES = 3


def run_seeds(seeds: Iterable[int], *, most: int = MOST_FAILURES) -> tuple[Tally, list[str]]:
    """Run a history for each seed; returns what occurred, and a report of each that failed, of the first `most`."""
    tally, failures = Tally(), []
    with _quiet():
        for seed in seeds:
            report = run_seed(seed, tally)
            if seed % 20 == 0:
                gc.collect()
            if report is not None:
                failures.append(report)
                if len(failures) == most:
                    break
    return tally, failures


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what the processor logs about records that it sets aside: they are played on purpose."""
    before = structlog.get_config()
    gc.disable()  # a history leaves little that only a collection would free, and looking for it costs a sixth
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        gc.enable()
        structlog.configure(**before)


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


def digest_of(seed: int) -> str:
    """Return a digest of everything that a history has published and stored."""
    history = History(seed, Tally())
    with _quiet():
        history.run()
    told = sha256()
    for partition in history.log.partitions:
        for stored in partition.inbox:
            told.update(stored.value)
        for key, value in partition.changelog:
            told.update(key + (value or b""))
    for _, _, record in history.auditor.told:
        told.update(encode(record))
    return told.hexdigest()
