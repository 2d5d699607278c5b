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

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from math import log2
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection

from schemas.internal.enums import PhaseStatus
from state.projection import tables
from state.projection.batch_models import DAY_MS, MINUTE_MS, Visibility
from state.projection.sql import Row, add_to, asked

Owner = tuple[str, str]
"""Organisation and subject."""
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
        self._tallies: defaultdict[tuple[Owner, str, str, str], int] = defaultdict(int)
        self._minutes: defaultdict[tuple[Owner, int, str, str], int] = defaultdict(int)
        self._took: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._dispositions: defaultdict[tuple[int, str], int] = defaultdict(int)

    def change_batch(self, old: Any | None, new: Any | None) -> None:
        """Put a row of `batches` in the place of another one; None: there is none."""
        if old is not None and new is not None and _told(old) == _told(new):
            return
        if old is not None:
            self._add_batch(old, -1)
        if new is not None:
            self._add_batch(new, 1)

    def change_phase(self, owner: Owner, phase: Any, sign: int) -> None:
        """Add a row of `phases` of a batch of this owner, or with the sign -1 take it away."""
        status, name = phase.status, phase.phase
        self._tallies[owner, "phase", name, status] += sign
        if status == _RUNNING:
            self._tallies[owner, "essays", name, ""] += sign * phase.essays
        elif phase.completed_ms is not None and status in _ENDED:
            self._add_minute(owner, phase.completed_ms, "drained", name, sign * phase.essays)
            self._add_minute(owner, phase.completed_ms, "lost", name, sign * phase.lost)
            if status in _SUCCEEDED and phase.started_ms is not None:
                self._took[name, bucket_of(phase.completed_ms - phase.started_ms)] += sign

    def change_attention(self, owner: Owner, attention: str | None, until_ms: int | None, sign: int) -> None:
        """Add a need for a person of a batch of this owner, or take it away; one for a time is not kept."""
        if attention is not None and until_ms is None:
            self._tallies[owner, "attention", "", attention] += sign

    def add_disposition(self, time_ms: int, disposition: str) -> None:
        """Add a history record."""
        minute = time_ms // MINUTE_MS
        if minute >= self._first_minute:
            self._dispositions[minute, disposition] += 1

    def write(self, connection: Connection) -> None:
        """Bring what was collected into the database, without what adds up to nothing."""
        tallies: defaultdict[tuple[int, str, str, str], int] = defaultdict(int)
        for (phase, bucket), n in self._took.items():
            tallies[ALL, "took", phase, str(bucket)] = n
        for (owner, kind, phase, name), n in self._tallies.items():
            if n:
                for scope in scopes(*owner):
                    tallies[scope, kind, phase, name] += n
        rows: list[Row] = [
            {"scope": scope, "kind": kind, "phase": phase, "name": name, "n": n}
            for (scope, kind, phase, name), n in tallies.items()
            if n
        ]
        add_to(connection, tables.tallies, rows, column="n")
        minutes: defaultdict[tuple[int, int, str, str], int] = defaultdict(int)
        for (minute, name), n in self._dispositions.items():
            minutes[minute, ALL, "disposition", name] = n
        for (owner, minute, kind, name), n in self._minutes.items():
            if n:
                for scope in scopes(*owner):
                    minutes[minute, scope, kind, name] += n
        rows = [
            {"minute": minute, "scope": scope, "kind": kind, "name": name, "n": n}
            for (minute, scope, kind, name), n in minutes.items()
            if n
        ]
        add_to(connection, tables.stats_minute, rows, column="n")

    def _add_batch(self, batch: Any, sign: int) -> None:
        owner = owner_of(batch)
        self._tallies[owner, "batch", "", batch.status] += sign
        for flag in FLAGS:
            if getattr(batch, flag):
                self._tallies[owner, "flag", "", flag] += sign
        if batch.ended_ms is None:
            self._tallies[owner, "flag", "", "live"] += sign
        else:
            self._add_minute(owner, batch.ended_ms, "ended", batch.status, sign)
        self._add_minute(owner, batch.registered_ms, "registered", "", sign)
        self.change_attention(owner, batch.attention, batch.attention_until_ms, sign)

    def _add_minute(self, owner: Owner, time_ms: int, kind: str, name: str, n: int) -> None:
        minute = time_ms // MINUTE_MS
        if minute >= self._first_minute:
            self._minutes[owner, minute, kind, name] += n


def owner_of(batch: Any) -> Owner:
    """Return the owner of a row of `batches`."""
    return batch.owner_organisation, batch.owner_subject


_told = attrgetter(
    "status",
    *FLAGS,
    "attention",
    "attention_until_ms",
    "ended_ms",
    "registered_ms",
    "owner_organisation",
    "owner_subject",
)
"""What of a row of `batches` any number depends on."""


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
