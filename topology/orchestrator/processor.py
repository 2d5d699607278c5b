"""The stateful function of the orchestrator: it turns one inbox record into all records of its decision.

The order matters: decode, decide, render, encode and measure; then the state is written, once, when nothing can fail
any more. A record that cannot be processed becomes a dead letter and a history record, and the partition goes on.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from runtime.logs import get_logger
from schemas.errors import Code, TopicError, UnreadableRecord
from schemas.ids import VERSIONS_PER_GENERATION
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Event, InboxRecord
from schemas.internal.history import NO_VERSION, Reason
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.records import decode_inbox
from state.batch import Batch
from state.codec import decode_batch
from state.decision.decide import decide
from state.decision.result import Decision, Oversize
from topology.orchestrator.outbox import Outbox, Written
from topology.orchestrator.quarantine import (
    CRASHED,
    MAX_DETAIL,
    crash_letter,
    error_text,
    key_mismatch_letter,
    kind_of,
    letter_of,
    set_aside_history,
    shortened,
    unreadable_letter,
)
from topology.stream.crash_guard import CrashGuard, Verdict
from topology.stream.guards import require_newer
from topology.stream.library import message_context

STATE_KEY = b"batch"
"""Name of the one value that the store holds under each batch_id."""


class Decide(Protocol):
    """`state.decision.decide.decide`, or a stand-in for it in a test."""

    def __call__(self, batch: Batch | None, event: Event, oversize: Oversize | None = None) -> Decision:
        """Return the decision on an event."""


class Store(Protocol):
    """The library's store for the key of the current record."""

    def get_bytes(self, key: bytes) -> bytes | None:
        """Return the value, or None."""

    def set_bytes(self, key: bytes, value: bytes) -> None:
        """Set the value."""

    def delete(self, key: bytes) -> None:
        """Remove the value."""


class DecisionRecord(NamedTuple):
    """One decided inbox record, for metrics."""

    kind: str
    """Kind of the event; empty if the record could not be decoded."""
    disposition: Disposition
    partition: int
    """Partition of the inbox."""
    time_ms: int
    """Append time of the inbox record, Unix milliseconds."""
    records: list[OutgoingRecord]
    """Records that the decision publishes."""


Observe = Callable[[DecisionRecord], None]


class DecisionProcessor:
    """Decides inbox records. The library calls it for each one, in the order of its partition.

    Raises `RecordFormatError` for a record or a state in a format that it does not read, and `StateError` for a record
    that its batch has already applied; both end the process.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        generation: int = 0,
        decide: Decide = decide,
        observe: Observe | None = None,
        crashes: CrashGuard | None = None,
    ) -> None:
        self._outbox = outbox
        self._first_version = generation * VERSIONS_PER_GENERATION
        self._decide = decide
        self._observe = observe
        self._crashes = crashes
        self._logger = get_logger(__name__)

    def __call__(
        self, value: bytes | None, key: bytes | None, time_ms: int, _headers: object, store: Store
    ) -> list[OutgoingRecord]:
        """Process the current message of the library's dataframe."""
        context = message_context()
        at = RecordPosition(context.topic, context.partition, context.offset, time_ms)
        return self.process(at, key, value, (), store)

    def process(
        self, at: RecordPosition, key: bytes | None, value: bytes | None, _headers: object, store: Store
    ) -> list[OutgoingRecord]:
        """Return the records to publish, and write the batch's new state to the store."""
        verdict = self._verdict(at)
        if verdict is Verdict.QUARANTINE_UNREAD:
            return self._set_aside(at, key, crash_letter(at, key, value), CRASHED)
        try:
            record = decode_inbox(value or b"")
        except UnreadableRecord as error:
            letter = unreadable_letter(at, key, value, error)
            reason = Reason(code=ReasonCode.UNREADABLE_RECORD, detail=error.message[:MAX_DETAIL])
            return self._set_aside(at, key, letter, reason)
        if key != record.batch_id.encode():
            # The batch's state is stored under another key, so nothing can be decided here.
            detail = f"The record is about batch {record.batch_id}."[:MAX_DETAIL]
            letter = key_mismatch_letter(record, key, value, detail, at.time_ms)
            return self._set_aside(at, key, letter, Reason(code=ReasonCode.KEY_MISMATCH, detail=detail), record)
        event = Event(
            batch_id=record.batch_id,
            origin=record.origin,
            body=record.body,
            version=self._first_version + at.offset,
            time_ms=at.time_ms,
            partition=at.partition,
            offset=at.offset,
        )
        decision, records = self._decided(event, value, store, quarantine=verdict is Verdict.QUARANTINE)
        return self._emit(kind_of(record.body), decision.disposition, at, records)

    def _verdict(self, at: RecordPosition) -> Verdict:
        if self._crashes is None or not self._crashes.careful:
            return Verdict.PROCESS
        return self._crashes.before(at.topic, at.partition, at.offset)

    def _decided(
        self, event: Event, value: bytes | None, store: Store, *, quarantine: bool
    ) -> tuple[Decision, list[OutgoingRecord]]:
        stored = store.get_bytes(STATE_KEY)
        before = None
        try:
            before = None if stored is None else decode_batch(stored)
        except UnreadableRecord as error:
            decision, written = self._failed(None, event, value, error)
            return decision, written.records
        if before is not None:
            require_newer(before.batch_id, before.version, event.version)
        if quarantine:
            letter = self._letter(event, value, Code.PROCESS_CRASHED, str(CRASHED.detail))
            decision, written = self._quarantined(before, event, letter, CRASHED)
            return decision, written.records
        decision, written = self._result(before, event, value)
        if decision.batch is not before:
            if written.state is None:
                store.delete(STATE_KEY)
            else:
                store.set_bytes(STATE_KEY, written.state)
        return decision, written.records

    def _result(self, before: Batch | None, event: Event, value: bytes | None) -> tuple[Decision, Written]:
        """Return the decision and its records, all of which fit their topics."""
        try:
            decision = self._decide(before, event)
            letter = None
            if decision.disposition is Disposition.UNKNOWN:
                letter = self._letter(event, value, Code.UNKNOWN_BATCH, f"There is no batch {event.batch_id}.")
            written = self._outbox.write(before, event, decision, letter)
            oversize = self._outbox.oversize(written)
            if oversize is None:
                return decision, written
            applied = decision.disposition is Disposition.APPLIED
            return self._oversized(before, event, value, oversize, applied=applied)
        except Exception as error:  # noqa: BLE001  (a defect of a rule quarantines this record; the others go on)
            return self._failed(before, event, value, error)

    def _oversized(
        self, before: Batch | None, event: Event, value: bytes | None, oversize: Oversize, *, applied: bool
    ) -> tuple[Decision, Written]:
        letter = self._letter(event, value, Code.OVERSIZED, oversize.sentence)
        if not applied:  # A request that is refused ends no batch.
            return self._quarantined(before, event, letter, oversize.reason)
        decision = self._decide(before, event, oversize)
        if decision.disposition is Disposition.APPLIED:
            written = self._outbox.write(before, event, decision, letter)
            if self._outbox.oversize(written) is None:
                self._logger.error("batch_oversized", batch_id=event.batch_id, detail=oversize.sentence)
                return decision, written
        return self._quarantined(before, event, letter, oversize.reason)

    def _failed(
        self, before: Batch | None, event: Event, value: bytes | None, error: Exception
    ) -> tuple[Decision, Written]:
        reason = Reason(code=ReasonCode.DECISION_FAILED, detail=error_text(error))
        code = error.code if isinstance(error, TopicError) else Code.DECISION_FAILED
        letter = self._letter(event, value, code, str(reason.detail), shortened(error))
        return self._quarantined(before, event, letter, reason)

    def _quarantined(
        self, before: Batch | None, event: Event, letter: OutgoingRecord, reason: Reason
    ) -> tuple[Decision, Written]:
        self._logger.error(
            "quarantined",
            batch_id=event.batch_id,
            correlation_id=before.correlation_id if before is not None else event.origin.correlation_id,
            reason=reason.code.value,
            detail=reason.detail,
            dead_letter_id=letter.key.decode(),
        )
        decision = Decision.quarantined(before, reason)
        written = self._outbox.write(before, event, decision, letter)
        if self._outbox.oversize_of(written.records) is None:
            return decision, written
        # The batch_id is too long for a history record; truncate it.
        at = RecordPosition("", event.partition, event.offset, event.time_ms)
        version = NO_VERSION if before is None else before.version
        history = set_aside_history(at, event.batch_id.encode(), reason, letter, version=version)
        return decision, Written([letter, history], written.state)

    def _set_aside(
        self,
        at: RecordPosition,
        key: bytes | None,
        letter: OutgoingRecord,
        reason: Reason,
        record: InboxRecord | None = None,
    ) -> list[OutgoingRecord]:
        letter = self._drop_value_if_oversized(letter)
        history = set_aside_history(at, key, reason, letter, record)
        if self._outbox.oversize_of([history]) is not None:
            history = set_aside_history(at, key, reason, letter)
        self._logger.error("quarantined", reason=reason.code.value, detail=reason.detail, offset=at.offset)
        kind = "" if record is None else kind_of(record.body)
        return self._emit(kind, Disposition.QUARANTINED, at, [letter, history])

    def _letter(self, event: Event, value: bytes | None, code: str, reason: str, trace: str = "") -> OutgoingRecord:
        return self._drop_value_if_oversized(letter_of(event, value, code, reason, trace))

    def _drop_value_if_oversized(self, letter: OutgoingRecord) -> OutgoingRecord:
        """Return the dead letter, without its value if that is too large: the inbox still holds it."""
        return letter if self._outbox.oversize_of([letter]) is None else replace(letter, value=None)

    def _emit(
        self, kind: str, disposition: Disposition, at: RecordPosition, records: list[OutgoingRecord]
    ) -> list[OutgoingRecord]:
        if self._observe is not None:
            self._observe(DecisionRecord(kind, disposition, at.partition, at.time_ms, records))
        return records
