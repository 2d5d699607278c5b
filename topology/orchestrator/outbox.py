"""All records of one decision, encoded and measured before any of them is written.

A record too large for its topic would fail the checkpoint of all batches after every restart, so sizes are checked
first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.errors import Code, TopicError
from schemas.internal.effects import Effect
from schemas.internal.events import Event
from schemas.internal.history import EffectNote
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import history_outgoing, status_outgoing, status_tombstone
from schemas.limits import RECORD_OVERHEAD_BYTES
from schemas.outbound.render import render
from schemas.topics import PEER_OUTPUTS, AnyTopic, Topic, TopicTable
from state.batch import Batch
from state.codec import encode_batch
from state.decision.records import effect_note, history_record, status_record
from state.decision.result import Decision, Oversize

OWN_DESTINATIONS = (Topic.STATUS, Topic.HISTORY, Topic.DEAD_LETTERS)
DESTINATIONS: tuple[AnyTopic, ...] = (*PEER_OUTPUTS, *OWN_DESTINATIONS)
"""Topics that the orchestrator writes, without those of generic commands."""


def destinations(topics: TopicTable) -> tuple[AnyTopic, ...]:
    """Return the topics that the orchestrator writes."""
    return (*topics.outputs, *OWN_DESTINATIONS)


Render = Callable[[Effect, TopicTable], OutgoingRecord]


class Written(NamedTuple):
    """The records and the state to write for one inbox record."""

    records: list[OutgoingRecord]
    """Records in the order of publication: effects, dead letter, status, history. The api answers a request when it
    reads the history record; all others are committed in the same transaction."""
    state: bytes | None
    """The batch's stored record; None if there is no batch, or if it stays as it is."""


class Outbox:
    """Turns decisions into records.

    `limits` holds the largest record batch that each destination accepts, read from the cluster, and `state_bytes`
    that of the changelog, all in bytes. A command for a topic that is not among them is refused with `TopicError`:
    its batch was registered with a definition that this process does not know.
    """

    def __init__(
        self, topics: TopicTable, limits: Mapping[AnyTopic, int], state_bytes: int, render: Render = render
    ) -> None:
        self._topics = topics
        self._names = {topic: topics.name(topic) for topic in limits}
        self._limits = {topic: limit - RECORD_OVERHEAD_BYTES for topic, limit in limits.items()}
        self._state_limit = state_bytes - RECORD_OVERHEAD_BYTES
        self._render = render

    def write(
        self, before: Batch | None, event: Event, decision: Decision, dead_letter: OutgoingRecord | None = None
    ) -> Written:
        """Return all records and the state that a decision leads to."""
        after = decision.batch
        effects = [self._render(effect, self._topics) for effect in decision.effects]
        notes = tuple(map(self._note, decision.effects, effects))
        records = effects
        if dead_letter is not None:
            records.append(dead_letter)
        if after is None:
            if before is not None:
                records.append(status_tombstone(before.batch_id, event.version))
        elif before is None or after.version != before.version:
            records.append(status_outgoing(status_record(after)))
        letter_id = dead_letter.key.decode() if dead_letter is not None else None
        records.append(history_outgoing(history_record(before, event, decision, notes, letter_id)))
        return Written(records, None if after is None or after is before else encode_batch(after))

    def oversize(self, written: Written) -> Oversize | None:
        """Return the first record that does not fit, or None."""
        if written.state is not None and len(written.state) > self._state_limit:
            return Oversize("the stored record", len(written.state), self._state_limit)
        return self.oversize_of(written.records)

    def oversize_of(self, records: Sequence[OutgoingRecord]) -> Oversize | None:
        """Return the first of the records that does not fit its topic, or None."""
        for record in records:
            limit = self._limits[record.topic]
            value = record.value
            if value is not None and len(value) < limit // 2 and record.topic is not Topic.DEAD_LETTERS:
                continue  # all headers but a dead letter's are short: no need to add them up
            if record.size > limit:
                return Oversize(f"the record for {self._names[record.topic]}", record.size, limit)
        return None

    def _note(self, effect: Effect, record: OutgoingRecord) -> EffectNote:
        name = self._names.get(record.topic)
        if name is None:
            raise _unknown_topic(record.topic)
        return effect_note(effect, name)


def _unknown_topic(topic: str) -> TopicError:
    return TopicError(
        f"The batch commands a phase on topic {topic}, which no pipeline definition of this process names.",
        next_step="Put the batch's definition into PIPELINES_FILE, create the topic with `bos topics apply`, start the "
        "orchestrators again, then replay the dead letter.",
        code=Code.COMMAND_TOPIC,
    )
