"""Replaying a batch: deciding its own inbox records again, and comparing the result with what was published.

Pure: no Kafka and no clock. Because `decide` is pure and the inbox is kept, the recorded events of a batch give its
state again. A difference means that state was lost, that a record was changed, or that this version of the rules
decides otherwise than the one that published.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from schemas.ids import VERSIONS_PER_GENERATION
from schemas.internal.codec import encode
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Event, InboxRecord
from schemas.internal.history import NO_VERSION, HistoryRecord, Reason
from schemas.internal.status import StatusRecord
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from state.decision.result import Decision, Oversize

Decide = Callable[[Batch | None, Event, Oversize | None], Decision]


class RecordedEvent(NamedTuple):
    """An inbox record of a batch, and the history record that says what came of it.

    Partition, offset and append time are those of the history record.
    """

    record: InboxRecord | None
    """The inbox record; None where the history says that it was quarantined."""
    history: HistoryRecord
    value: bytes = b""
    """The bytes of the inbox record; empty where they are not known or not wanted."""

    @property
    def position(self) -> int:
        """The place of the event in the batch's order: the version that it gave the batch if it was applied."""
        return position_of(self.history)


class Difference(Struct, frozen=True):
    """A fact that the replay gives otherwise than it was published."""

    fact: str
    """Field of the history or status record, or `exception`."""
    published: str
    """The published value as JSON."""
    replayed: str
    """The replayed value as JSON, or the text of an exception."""


class ReplayedDecision(Struct, frozen=True, kw_only=True):
    """One inbox record of a replay."""

    published: HistoryRecord
    """The history record of the decision."""
    decided: bool
    """Whether it was decided again; a quarantined record was not."""
    chain_expected: int | None = None
    """Version that the decision should be based on, where it is based on another one: the chain of versions breaks."""
    differences: tuple[Difference, ...] = ()


class Replay(Struct, frozen=True, kw_only=True):
    """The result of replaying a batch."""

    batch: Batch | None
    """The batch after the last event; None where it was purged."""
    decisions: tuple[ReplayedDecision, ...]
    status: tuple[Difference, ...] = ()
    """Where the rebuilt status record differs from the published one; empty where their bytes are equal."""

    @property
    def identical(self) -> bool:
        """Whether every decision and the status record are as they were published."""
        return not self.status and not any(decision.differences for decision in self.decisions)

    @property
    def whole(self) -> bool:
        """Whether every decision is based on the version that the one before it led to."""
        return all(decision.chain_expected is None for decision in self.decisions)


def current_life(histories: Iterable[HistoryRecord]) -> tuple[HistoryRecord, ...]:
    """Return a batch's history since its last registration, in the order of its inbox records.

    Empty where the history does not reach back to a registration. Records that are given twice are kept once.
    """
    found = {(each.partition, each.offset, each.time_ms): each for each in histories}
    ordered = sorted(found.values(), key=lambda each: (_generation(each), each.time_ms, each.offset))
    for index in reversed(range(len(ordered))):
        each = ordered[index]
        if each.based_on == NO_VERSION and each.disposition is Disposition.APPLIED:
            return tuple(ordered[index:])
    return ()


def replay(
    events: Sequence[RecordedEvent], published: StatusRecord | None = None, *, decide: Decide = decide
) -> Replay:
    """Decide the events of a batch's life again, from its registration on, and compare.

    `published` is a status record of the batch, which is compared with the one of the same version; None compares no
    status. `decide` is replaced where another version of the rules is tried.
    """
    batch: Batch | None = None
    expected = NO_VERSION
    decisions: list[ReplayedDecision] = []
    rebuilt: StatusRecord | None = None
    for event in events:
        history = event.history
        linked = history.in_chain
        broken = linked and history.based_on != expected
        decided = False
        differences: tuple[Difference, ...] = ()
        if event.record is not None and history.disposition is not Disposition.QUARANTINED:
            batch, differences = _decide_again(batch, event.record, history, decide)
            decided = True
        decisions.append(
            ReplayedDecision(
                published=history,
                decided=decided,
                chain_expected=expected if broken else None,
                differences=differences,
            )
        )
        expected = history.version if linked else expected
        if published is not None and batch is not None and batch.version == published.version:
            rebuilt = status_record(batch)
    status = () if published is None else _compare_status(rebuilt, published)
    return Replay(batch=batch, decisions=tuple(decisions), status=status)


def _decide_again(
    batch: Batch | None, record: InboxRecord, history: HistoryRecord, decide: Decide
) -> tuple[Batch | None, tuple[Difference, ...]]:
    event = event_of(record, history)
    try:
        decision = decide(batch, event, oversize_of(history.reason))
    except Exception as error:  # noqa: BLE001 - a rule that fails now, and did not then, is the finding
        return batch, (Difference("exception", "null", f"{type(error).__name__}: {error}"),)
    return decision.batch, _compare(batch, event, decision, history)


def position_of(history: HistoryRecord) -> int:
    """Return the place of an inbox record in its batch's order: the batch's version, where it was applied."""
    return _generation(history) * VERSIONS_PER_GENERATION + history.offset


def event_of(record: InboxRecord, history: HistoryRecord) -> Event:
    """Return an inbox record as the event that it was when it was decided."""
    return Event(
        batch_id=record.batch_id,
        origin=record.origin,
        body=record.body,
        version=position_of(history),
        time_ms=history.time_ms,
        partition=history.partition,
        offset=history.offset,
    )


def oversize_of(reason: Reason) -> Oversize | None:
    """Return the record that did not fit when the event was decided: it was an input of the decision."""
    if reason.code is not ReasonCode.OVERSIZED:
        return None
    return Oversize(reason.what or "", reason.size or 0, reason.limit or 0)


def _compare(
    before: Batch | None, event: Event, decision: Decision, published: HistoryRecord
) -> tuple[Difference, ...]:
    # The topic of an effect and the dead letter's id are facts of the process that published, not of the decision.
    again = history_record(before, event, decision, published.effects, published.dead_letter_id)
    differences = _fields(published, again)
    then = [note.event_id for note in published.effects]
    now = [effect.event_id for effect in decision.effects]
    if then != now:
        differences = (*differences, Difference("effects", _json(then), _json(now)))
    return differences


def _compare_status(rebuilt: StatusRecord | None, published: StatusRecord) -> tuple[Difference, ...]:
    if rebuilt is None:
        return (Difference("version", str(published.version), "null"),)
    return _fields(published, rebuilt)


def _fields(published: Any, again: Any) -> tuple[Difference, ...]:
    """Compare two records of one type, field by field, in their encoded form."""
    if encode(published) == encode(again):
        return ()
    pairs = ((name, getattr(published, name), getattr(again, name)) for name in published.__struct_fields__)
    compared = ((name, _json(then), _json(now)) for name, then, now in pairs)
    return tuple(Difference(name, then, now) for name, then, now in compared if then != now)


def _generation(history: HistoryRecord) -> int:
    return max(history.version, history.based_on, 0) // VERSIONS_PER_GENERATION


def _json(value: object) -> str:
    return encode(value).decode()
