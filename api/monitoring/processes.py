"""The processes of the product as this api hears of them: who runs, who has fallen silent, who has stopped.

Silence is reckoned from when this api received a process's last record, so that clocks of other hosts do not matter.
What was in the topic before this api started came at once: there the leader's append times say how much older a record
is than the newest one.
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
"""Reports that may fail to come before a process is missing."""
SLACK_S = 3.0
"""Seconds added to that, for what stands between a process and this api."""
FORGET_S = 86_400.0
"""Silence after which a process is no longer spoken of: it is gone for good."""
_INTERVALS_S = (0.05, 60.0)
_UNCLAIMED = frozenset({"api"})
"""Kinds whose INSTANCE claims nothing on Kafka, so that many may have the same: replicas and workers of an api."""

_log = get_logger("api.monitoring.processes")


class ProcessView(Struct, frozen=True, kw_only=True):
    """One process as it was last heard of."""

    record: ProcessRecord
    state: Literal["live", "missing", "stopped", "failed"]
    silent_s: float
    """Seconds since its last record was received."""
    unready_s: float = 0.0
    """How long it has been unassigned, or its state not restored; 0 where it is not so."""
    heard_here: bool = True
    """Whether this api has heard it itself; otherwise its record was there before this api began to read."""
    shares_instance: bool = False
    """Whether another live process was started with the same kind and instance."""


class _Heard(Struct):
    """The last record of one start of a process."""

    record: ProcessRecord
    received_at: float
    appended_ms: int
    old: bool
    """Whether it was in the topic before this api began to read."""
    unready_since: float | None = None


class Processes:
    """Folds the process records; `views` is the picture that health, metrics and pages are made from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._heard_at: float | None = None
        self._newest_ms = 0
        self._starts: dict[str, dict[str, _Heard]] = {}
        """By the record's key, then by start id; the one that wrote last stands last."""
        self._alternated: dict[str, float] = {}
        """When a start of a key was heard again after another start of that key."""
        self._told: set[str] = set()

    def fold(self, name: bytes, value: bytes | None, appended_ms: int, *, old: bool) -> None:
        """Take in a record of the topic; `old` where it was there before this api began to read."""
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
            if key not in self._told:
                _log.warning("process_record_not_read", process=key, code=error.code, reason=error.message)
                self._told.add(key)
            return
        self._take(key, _Heard(found, now, appended_ms, old), now)

    def silence_s(self) -> float:
        """Return how long nothing has been heard of any process, since the start where nothing was heard at all."""
        return self._clock() - (self._started if self._heard_at is None else self._heard_at)

    def views(self) -> list[ProcessView]:
        """Return every process that is spoken of, by kind and instance."""
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
        if not running and starts:
            return  # another start goes on under this name
        starts[heard.record.start_id] = heard
        if not heard.old:
            self._look_for_twins(key, starts, again=again, now=now)

    def _look_for_twins(self, key: str, starts: dict[str, _Heard], *, again: bool, now: float) -> None:
        kind = next(reversed(starts.values())).record.kind
        if kind in _UNCLAIMED or len(starts) < 2:
            return
        if again and key not in self._alternated:
            hosts = sorted(f"{one.record.host} (process {one.record.pid})" for one in starts.values())
            _log.error("two_processes_with_one_instance", process=key, code=Code.INSTANCE_TWICE, on=hosts)
        if again:
            self._alternated[key] = now

    def _views_of(self, key: str, now: float) -> list[ProcessView]:
        starts = list(self._starts[key].values())
        live = [one for one in starts if self._live(one, now)]
        newest = starts[-1]
        if newest.record.kind in _UNCLAIMED:
            return [self._view(one, now) for one in live or [newest]]
        if len(live) < 2 or now - self._alternated.get(key, now - FORGET_S) > bound_s(newest.record.interval_s):
            # One that wrote before another began, and no more since, was replaced by it.
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
    """Return how long a process that reports every `interval_s` may be silent before it is missing."""
    shortest, longest = _INTERVALS_S
    return INTERVALS * min(max(interval_s, shortest), longest) + SLACK_S
