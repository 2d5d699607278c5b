"""Kept numbers: what batches add to the tallies and to the minutes when a row comes, and take away when it goes.

A contribution is a function of the rows of one batch, so that the sums are those of the rows that are there, whatever
the order and the repeats that led to them. Each is kept for everything, for the batch's organisation and for its owner,
so that a caller who may see some batches only asks for numbers as cheaply as one who sees all.

| tally: kind, phase, name | number of |
|---|---|
| `batch`, , status | batches |
| `flag`, , `live`, `stalled`, `held`, `paused` or `missed` | batches |
| `attention`, , reason | batches that need a person, without those that do so for a time |
| `phase`, phase, status | batches |
| `essays`, phase, | essays in flight |
| `took`, phase, bucket | runs that succeeded, by their duration; for everything alone |

| minute: kind, name | number of |
|---|---|
| `registered`, | batches |
| `ended`, status | batches |
| `drained`, phase | essays of phases that ended |
| `lost`, phase | essays of those that did not survive it |
| `disposition`, disposition | history records; for everything alone |
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from math import log2
from typing import Any

import msgspec
from sqlalchemy import Connection

from schemas.internal.enums import PhaseStatus
from state.projection import tables
from state.projection.batch_models import DAY_MS, MINUTE_MS, Visibility
from state.projection.sql import Row, add_to, asked

ALL = 0
"""Scope of everything."""
FLAGS = ("stalled", "held", "paused", "missed")
_BUCKETS_PER_DOUBLING = 8
_SUCCEEDED = frozenset(status.value for status in PhaseStatus if status.succeeded)
_ENDED = frozenset(status.value for status in PhaseStatus if status.terminal)
_RUNNING = PhaseStatus.DISPATCH_INITIATED.value


class Tallies:
    """Collects what a transaction adds and takes away; `write` brings it into the database.

    What happened more than a day before `now_ms` is in no minute: a rebuild would write it to remove it again.
    """

    def __init__(self, now_ms: int) -> None:
        self._first_minute = (now_ms - DAY_MS) // MINUTE_MS
        self._tallies: Counter[tuple[int, str, str, str]] = Counter()
        self._minutes: Counter[tuple[int, int, str, str]] = Counter()

    def add_batch(self, batch: Any, sign: int = 1) -> None:
        """Add a row of `batches`, or with the sign -1 take it away."""
        for scope in scopes(batch.owner_organisation, batch.owner_subject):
            self._tallies[scope, "batch", "", batch.status] += sign
            for flag in FLAGS:
                if getattr(batch, flag):
                    self._tallies[scope, "flag", "", flag] += sign
            if batch.ended_ms is None:
                self._tallies[scope, "flag", "", "live"] += sign
            else:
                self._add_minute(scope, batch.ended_ms, "ended", batch.status, sign)
            self._add_minute(scope, batch.registered_ms, "registered", "", sign)
        self.add_attention(batch, sign)

    def add_attention(self, batch: Any, sign: int = 1) -> None:
        """Add what a row of `batches` says of its need for a person, or take it away."""
        if batch.attention is not None and batch.attention_until_ms is None:
            for scope in scopes(batch.owner_organisation, batch.owner_subject):
                self._tallies[scope, "attention", "", batch.attention] += sign

    def add_phase(self, organisation: str, subject: str, phase: Any, sign: int = 1) -> None:
        """Add a row of `phases` of a batch of this owner, or take it away."""
        status, ended = phase.status, phase.completed_ms is not None and phase.status in _ENDED
        for scope in scopes(organisation, subject):
            self._tallies[scope, "phase", phase.phase, status] += sign
            if status == _RUNNING and phase.essays:
                self._tallies[scope, "essays", phase.phase, ""] += sign * phase.essays
            if ended and phase.essays:
                self._add_minute(scope, phase.completed_ms, "drained", phase.phase, sign * phase.essays)
            if ended and phase.lost:
                self._add_minute(scope, phase.completed_ms, "lost", phase.phase, sign * phase.lost)
        if ended and status in _SUCCEEDED and phase.started_ms is not None:
            bucket = bucket_of(phase.completed_ms - phase.started_ms)
            self._tallies[ALL, "took", phase.phase, str(bucket)] += sign

    def add_disposition(self, time_ms: int, disposition: str) -> None:
        """Add a history record."""
        self._add_minute(ALL, time_ms, "disposition", disposition, 1)

    def write(self, connection: Connection) -> None:
        """Bring what was collected into the database, ordered, and without what adds up to nothing."""
        rows: list[Row] = [
            {"scope": scope, "kind": kind, "phase": phase, "name": name, "n": n}
            for (scope, kind, phase, name), n in sorted(self._tallies.items())
            if n
        ]
        add_to(connection, tables.tallies, rows, column="n")
        rows = [
            {"minute": minute, "scope": scope, "kind": kind, "name": name, "n": n}
            for (minute, scope, kind, name), n in sorted(self._minutes.items())
            if n
        ]
        add_to(connection, tables.stats_minute, rows, column="n")

    def _add_minute(self, scope: int, time_ms: int, kind: str, name: str, n: int) -> None:
        minute = time_ms // MINUTE_MS
        if minute >= self._first_minute:
            self._minutes[minute, scope, kind, name] += n


@lru_cache(maxsize=65_536)
def scopes(organisation: str, subject: str) -> tuple[int, int, int]:
    """Return the scopes whose numbers a batch of this owner is part of."""
    return ALL, _scope(organisation), _scope(organisation, subject)


def scope_of(visibility: Visibility) -> int | None:
    """Return the scope of a visibility; None for one by subject alone, which has none."""
    organisation, subject = visibility.owner_organisation, visibility.owner_subject
    if organisation is None:
        return ALL if subject is None else None
    return scopes(asked(organisation), asked(subject or ""))[1 if subject is None else 2]


def _scope(*names: str) -> int:
    digest = blake2b(msgspec.json.encode(names), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def bucket_of(duration_ms: int) -> int:
    """Return the bucket of a duration. A bucket is 9 % wide."""
    return int(_BUCKETS_PER_DOUBLING * log2(max(duration_ms, 1)))


def quantile(buckets: Iterable[tuple[int, int]], share: float) -> int:
    """Return the duration (ms) below which a share of the runs lies; `buckets`: each with how many runs it has."""
    ordered = sorted((bucket, n) for bucket, n in buckets if n > 0)
    rank = share * sum(n for _, n in ordered)
    for bucket, n in ordered:
        if rank <= n:
            return round(2 ** ((bucket + max(rank / n, 0.0)) / _BUCKETS_PER_DOUBLING))
        rank -= n
    return 0
