# ruff: noqa: ARG002  (signatures are the library's)
"""The orchestrator of the modelled log: the product's own processor, in a process that can crash at any step."""

from collections.abc import Callable

from quixstreams.context import set_message_context
from quixstreams.models import MessageContext

from schemas.internal.codec import encode
from schemas.internal.effects import Effect
from schemas.internal.events import Event
from schemas.internal.outgoing import OutgoingRecord
from schemas.limits import Limits
from schemas.outbound.render import render
from schemas.topics import PHASE_COMMANDS, Topic, TopicTable
from state.batch import Batch
from state.decision.result import Decision, Oversize
from tests.simulation.modelled_log import Partition, Step
from topology.orchestrator.outbox import DESTINATIONS, Outbox
from topology.orchestrator.processor import Decide, DecisionProcessor

TOPICS = TopicTable()
LARGE = Limits().dead_letter_bytes
"""What every topic takes, unless said otherwise, in bytes."""
Seen = Callable[[Partition, int, OutgoingRecord], None]


class Crashed(Exception):
    """The process ended, and its transaction with it."""


class PoisonError(Exception):
    """A defect of a rule, played."""


class _Store:
    """The library's store for the key of the current record; writes go to the step as well."""

    def __init__(self, partition: Partition, key: bytes, writes: dict[bytes, bytes | None]) -> None:
        self._partition, self._key, self._writes = partition, key, writes

    def get_bytes(self, key: bytes) -> bytes | None:
        return self._partition.store.get(self._key)

    def set_bytes(self, key: bytes, value: bytes) -> None:
        self._writes[self._key] = value
        self._partition.write(self._key, value)

    def delete(self, key: bytes) -> None:
        self._writes[self._key] = None
        self._partition.write(self._key, None)


class Process:
    """One process of the orchestrator. It crashes at its step `dies_at`, counted down over all that it does."""

    def __init__(self, decide: Decide, command_bytes: int, seen: Seen) -> None:
        limits = dict.fromkeys(DESTINATIONS, LARGE) | dict.fromkeys(PHASE_COMMANDS.values(), command_bytes)
        self._processor = DecisionProcessor(Outbox(TOPICS, limits, LARGE, render=_render), decide=decide)
        self._seen = seen
        self.dies_at: int | None = None

    def step(self) -> None:
        """Take one step, which can be the last."""
        if self.dies_at is None:
            return
        self.dies_at -= 1
        if self.dies_at <= 0:
            self.dies_at = None
            raise Crashed

    def decide_next(self, partition: Partition) -> None:
        """Decide the next inbox record of a partition: everything it leads to joins the open transaction."""
        transaction = partition.transaction
        offset = transaction.position
        record = partition.inbox[offset]
        self.step()
        set_message_context(MessageContext("inbox", partition.number, offset, len(record.value)))
        step = Step(offset, [], {})
        # The library publishes what the function returns; the store is written before that.
        records = self._processor(
            record.value, record.key, record.time_ms, None, _Store(partition, record.key, step.writes)
        )
        transaction.steps.append(step)
        transaction.position += 1
        for one in records:
            self.step()
            step.records.append(one)
            self._seen(partition, offset, one)


def _render(effect: Effect, topics: TopicTable) -> OutgoingRecord:
    phase = getattr(effect, "phase", None)
    if phase is None or phase in PHASE_COMMANDS:
        return render(effect, topics)
    return _generic(effect, topics)


def _generic(effect: Effect, topics: TopicTable) -> OutgoingRecord:
    """Return the command of a phase that no peer of today knows, in its canonical bytes."""
    return OutgoingRecord(Topic.SPELLCHECK_COMMAND, effect.batch_id.encode(), encode(effect))


def poisoned(decide: Decide, marks: set[str]) -> Decide:
    """Return `decide` with a defect: it raises for events whose id is one of `marks`."""

    def poison(batch: Batch | None, event: Event, oversize: Oversize | None = None) -> Decision:
        if event.origin.event_id in marks:
            raise PoisonError(event.origin.event_id)
        return decide(batch, event, oversize)

    return poison
