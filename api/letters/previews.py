"""Previews: what a replay of a dead letter would become now. Nothing is sent."""

import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from api.errors import Problem, not_ready
from api.letters.refusals import Refusal, refused
from api.routes.request_body import off_the_loop
from runtime.kafka.partitioner import partition_of
from schemas.errors import Code, ConfigurationError
from schemas.inbound.transform import RecordTransform
from schemas.internal.dead_letters import CODE, REASON, replayed_letter
from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import Disposition
from schemas.internal.events import Event, InboxRecord
from schemas.internal.history import Reason
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import decode_inbox
from schemas.topics import Topic, TopicTable
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import history_record
from state.projection import StoredLetter
from state.sentences import sentence

StateOf = Callable[[str], Awaitable[Batch | None]]
"""Returns a batch as it is now. Raises `Problem` where that cannot be told."""
_NOWHERE = -1
"""Partition and offset of a record that is not written."""


class PreviewedCommand(Struct, frozen=True, omit_defaults=True):
    """A command or event that would be published."""

    kind: str
    phase: str = ""
    attempt: int = 0
    essays: int = 0


class Preview(Struct, frozen=True, kw_only=True):
    """What a replay of a dead letter would become."""

    dead_letter_id: str
    becomes: str
    """`inbox_record`, or `dead_letter` where the router still cannot use it or its batch is still unknown."""
    batch_id: str | None = None
    event: str | None = None
    """Kind of the event."""
    disposition: Disposition | None = None
    """What would be decided; None where it becomes a dead letter, or where the batch's state is not known."""
    reason: Reason | None = None
    sentence: str | None = None
    effects: tuple[PreviewedCommand, ...] = ()
    status_before: str | None = None
    status_after: str | None = None
    fault: dict[str, str] | None = None
    """`code` and `detail`: why it becomes a dead letter, or why nothing can be said about the decision."""

    @property
    def commands(self) -> int:
        """Number of commands to peers."""
        return sum(effect.kind.startswith("command_") for effect in self.effects)


class Previews:
    """Previews dead letters as if they were replayed one after another.

    `transform` returns the router's transform; a wrong pipeline file fails previews, not the api.
    """

    def __init__(self, transform: Callable[[], RecordTransform], state_of: StateOf, topics: TopicTable) -> None:
        self._transform = transform
        self._state_of = state_of
        self._at = RecordPosition(topics.name(Topic.REPLAY), _NOWHERE, _NOWHERE)
        self._partitions = topics.partitions

    async def preview(self, letter: StoredLetter, states: dict[str, Batch | None]) -> Preview:
        """Return what a replay would become.

        `states` holds the batches that earlier previews have led to; this one is added. Raises `Problem` 409 for a
        dead letter that cannot be replayed, or that may end the process.
        """
        found, letter_id = letter.letter, letter.letter.dead_letter_id
        if found.value is None:
            raise refused(letter_id, Refusal.NO_VALUE)
        if found.code == Code.PROCESS_CRASHED:
            raise refused(letter_id, Refusal.ENDS_PROCESSES)
        decoded = await off_the_loop(len(found.value), lambda: self._decode(letter))
        if isinstance(decoded, Preview):
            return decoded
        batch_id = decoded.batch_id
        if batch_id not in states:
            try:
                states[batch_id] = await self._state_of(batch_id)
            except Problem as problem:
                fault = {"code": problem.code, "detail": problem.message}
                return _undecided(letter_id, decoded, fault)
        before = states[batch_id]
        preview, after = await off_the_loop(len(found.value), lambda: self._decide(letter_id, decoded, before))
        states[batch_id] = after
        return preview

    def _decode(self, letter: StoredLetter) -> InboxRecord | Preview:
        """Run the router's transform on the record that a replay would send."""
        letter_id = letter.letter.dead_letter_id
        replay = replayed_letter(letter_id, letter.letter.value, letter.headers)
        try:
            transform = self._transform()
        except ConfigurationError as error:
            raise not_ready(
                f"The api cannot preview with its settings: {error.message}",
                next_step=error.next_step,
                retry_after_s=60,
            ) from error
        outgoing = transform.apply(Topic.REPLAY, self._at, replay.key, replay.value, dict(replay.headers))
        if outgoing.topic is Topic.INBOX:
            return decode_inbox(outgoing.value or b"")
        headers = dict(outgoing.headers)
        fault = {"code": headers[CODE].decode(), "detail": headers[REASON].decode()}
        return Preview(dead_letter_id=letter_id, becomes="dead_letter", batch_id=letter.batch_id, fault=fault)

    def _decide(self, letter_id: str, record: InboxRecord, before: Batch | None) -> tuple[Preview, Batch | None]:
        version = 1 if before is None else before.version + 1
        event = Event(
            batch_id=record.batch_id,
            origin=record.origin,
            body=record.body,
            version=version,
            time_ms=time.time_ns() // 1_000_000,
            partition=partition_of(record.batch_id.encode(), self._partitions),
            offset=version,
        )
        try:
            decision = decide(before, event)
            history = history_record(before, event, decision)
        except Exception as error:  # noqa: BLE001 - a defect of a rule: the orchestrator would quarantine the record
            fault = {"code": str(Code.DECISION_FAILED), "detail": f"{type(error).__name__}: {error}"}
            return _undecided(letter_id, record, fault, Disposition.QUARANTINED), before
        unknown = decision.disposition is Disposition.UNKNOWN
        fault = {"code": str(Code.UNKNOWN_BATCH), "detail": f"There is no batch {record.batch_id}."}
        preview = Preview(
            dead_letter_id=letter_id,
            becomes="dead_letter" if unknown else "inbox_record",
            fault=fault if unknown else None,
            batch_id=record.batch_id,
            event=_kind(record),
            disposition=decision.disposition,
            reason=decision.reason,
            sentence=sentence(history),
            effects=tuple(_effect(effect) for effect in decision.effects),
            status_before=None if before is None else before.status.value,
            status_after=None if decision.batch is None else decision.batch.status.value,
        )
        return preview, decision.batch


def _undecided(
    letter_id: str, record: InboxRecord, fault: dict[str, str], disposition: Disposition | None = None
) -> Preview:
    return Preview(
        dead_letter_id=letter_id,
        becomes="inbox_record",
        batch_id=record.batch_id,
        event=_kind(record),
        disposition=disposition,
        fault=fault,
    )


def _kind(record: InboxRecord) -> str:
    return str(record.body.__struct_config__.tag)


def _effect(effect: Effect) -> PreviewedCommand:
    kind = str(effect.__struct_config__.tag)
    if isinstance(effect, CommandPhase):
        return PreviewedCommand(kind, effect.phase, effect.attempt, len(effect.essays))
    if isinstance(effect, CommandStudentMatching):
        return PreviewedCommand(kind, essays=len(effect.essays))
    return PreviewedCommand(kind)
