"""The state of every process, derived from the reports on the processes topic: live, missing, stopped or failed.

The silence of a process counts from the time at which this api received its last record, so clocks of other hosts do
not matter. Records that were in the topic before this api started arrive together; for these the leader's append times
give their age relative to the newest record.
"""

import time
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from runtime.logs import get_logger
from schemas.errors import Code, OrchestratorError
from schemas.internal.processes import ProcessRecord, ProcessState
from schemas.internal.records import decode_process

INTERVALS = 3
"""Report intervals that may pass without a report before a process is missing."""
SLACK_S = 3.0
"""Seconds added to these intervals, for the delay between a process and this api."""
FORGET_S = 86_400.0
"""Seconds of silence after which a process is no longer listed."""
_INTERVALS_S = (0.05, 60.0)
_SHARED_INSTANCE = frozenset({"api"})
"""Kinds whose processes may share one INSTANCE, because it names no group member: replicas and workers of an api."""

_logger = get_logger("api.monitoring.processes")


class ProcessView(Struct, frozen=True, kw_only=True):
    """One process, as its last report describes it."""

    record: ProcessRecord
    state: Literal["live", "missing", "stopped", "failed"]
    silent_s: float
    """Seconds since its last record was received."""
    unready_s: float = 0.0
    """Seconds for which it has been unassigned or its state not restored; 0 if it is ready."""
    heard_here: bool = True
    """Whether this api received a report while running; False if the record is older than its start."""
    shares_instance: bool = False
    """Whether another live process has the same kind and instance."""


class _Heard(Struct):
    """The last record of one start of a process."""

    record: ProcessRecord
    received_at: float
    appended_ms: int
    old: bool
    """Whether it was in the topic before this api started to read."""
    unready_since: float | None = None
    first_at: float = 0.0
    """When the first record of this start was received."""


class Processes:
    """Folds the process records; health and metrics are derived from `views`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._heard_at: float | None = None
        self._newest_ms = 0
        self._starts: dict[str, dict[str, _Heard]] = {}
        """Last records by the record's key, then by start id; the newest one is last."""
        self._alternated: dict[str, float] = {}
        """When two starts of a key last reported in turns, by key."""
        self._warned: set[str] = set()

    def fold(self, name: bytes, value: bytes | None, appended_ms: int, *, old: bool) -> None:
        """Take in a record of the topic; `old` if it was there before this api started to read."""
        now = self._clock()
        key = name.decode(errors="replace")
        if not old:
            self._heard_at = now
        self._newest_ms = max(self._newest_ms, appended_ms)
        if value is None:
            self._starts.pop(key, None)
            return
        try:
            found = decode_process(value)
        except OrchestratorError as error:
            if key not in self._warned:
                _logger.warning("process_record_not_read", process=key, code=error.code, reason=error.message)
                self._warned.add(key)
            return
        self._take(key, _Heard(found, now, appended_ms, old), now)

    def silence_s(self) -> float:
        """Return the seconds since the last report of any process, or since the start if there was none."""
        return self._clock() - (self._started if self._heard_at is None else self._heard_at)

    def views(self) -> list[ProcessView]:
        """Return every listed process, in the order of kind and instance."""
        now = self._clock()
        found = [view for key in sorted(self._starts) for view in self._views_of(key, now)]
        return [view for view in found if view.silent_s <= FORGET_S]

    def _take(self, key: str, heard: _Heard, now: float) -> None:
        starts = self._starts.setdefault(key, {})
        again = heard.record.start_id in starts and heard.record.start_id != next(reversed(starts))
        before = starts.pop(heard.record.start_id, None)
        running = heard.record.state is ProcessState.RUNNING
        if running and not (heard.record.assigned and heard.record.restored):
            since = before.unready_since if before is not None else None
            heard.unready_since = now if since is None else since
        for start_id in [one for one, other in starts.items() if not self._live(other, now)]:
            del starts[start_id]
        heard.first_at = now if before is None else before.first_at
        # One that has not reported since this start began was replaced by it; one refused at once began none.
        runs_on = [one for one in starts.values() if before is None or one.received_at >= before.first_at]
        if not running and runs_on:
            return  # another start with this key still runs
        starts[heard.record.start_id] = heard
        if not heard.old:
            self._detect_shared_instance(key, starts, again=again, now=now)

    def _detect_shared_instance(self, key: str, starts: dict[str, _Heard], *, again: bool, now: float) -> None:
        kind = next(reversed(starts.values())).record.kind
        if kind in _SHARED_INSTANCE or len(starts) < 2:
            return
        if again and key not in self._alternated:
            hosts = sorted(f"{one.record.host} (process {one.record.pid})" for one in starts.values())
            _logger.error("two_processes_with_one_instance", process=key, code=Code.INSTANCE_TWICE, on=hosts)
        if again:
            self._alternated[key] = now

    def _views_of(self, key: str, now: float) -> list[ProcessView]:
        starts = list(self._starts[key].values())
        live = [one for one in starts if self._live(one, now)]
        newest = starts[-1]
        if newest.record.kind in _SHARED_INSTANCE:
            return [self._view(one, now) for one in live or [newest]]
        if len(live) < 2 or now - self._alternated.get(key, now - FORGET_S) > bound_s(newest.record.interval_s):
            # A start that has not reported since the next one began was replaced by it.
            self._alternated.pop(key, None)
            return [self._view(newest, now)]
        return [self._view(one, now, shares_instance=True) for one in live]

    def _view(self, heard: _Heard, now: float, *, shares_instance: bool = False) -> ProcessView:
        state: Literal["live", "missing", "stopped", "failed"] = "missing"
        if heard.record.state is not ProcessState.RUNNING:
            state = "stopped" if heard.record.state is ProcessState.STOPPED else "failed"
        elif self._live(heard, now):
            state = "live"
        return ProcessView(
            record=heard.record,
            state=state,
            silent_s=self._silent_s(heard, now),
            unready_s=0.0 if heard.unready_since is None else now - heard.unready_since,
            heard_here=not heard.old,
            shares_instance=shares_instance,
        )

    def _live(self, heard: _Heard, now: float) -> bool:
        running = heard.record.state is ProcessState.RUNNING
        return running and self._silent_s(heard, now) <= bound_s(heard.record.interval_s)

    def _silent_s(self, heard: _Heard, now: float) -> float:
        older_ms = max(0, self._newest_ms - heard.appended_ms) if heard.old else 0
        return max(now - heard.received_at, older_ms / 1_000)


def bound_s(interval_s: float) -> float:
    """Return the seconds of silence after which a process that reports every `interval_s` is missing."""
    shortest, longest = _INTERVALS_S
    return INTERVALS * min(max(interval_s, shortest), longest) + SLACK_S
