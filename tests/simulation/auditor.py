"""Watches a history: holds each committed step against the reference, and the whole against what was promised."""

from collections.abc import Iterable

from schemas.internal.effects import Effect
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Event
from schemas.internal.history import HistoryRecord
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import NEXT_DEADLINE_MS, VERSION, decode_history, decode_status
from schemas.internal.status import StatusRecord
from schemas.topics import PEER_OUTPUTS, Topic
from state.batch import Batch
from state.decision.result import Decision, Oversize
from tests.simulation.checks import Mismatch, Said, check_step, require, version_of
from tests.simulation.clients import View
from tests.simulation.modelled_log import Log, Partition, Step, event_at
from tests.simulation.reference import Reference, Verdict
from tests.simulation.reference_graph import essays_lost
from tests.simulation.tally import Tally
from topology.orchestrator.processor import Decide

_PEERS = frozenset(PEER_OUTPUTS)
_SET_ASIDE = frozenset({ReasonCode.UNREADABLE_RECORD, ReasonCode.KEY_MISMATCH})


class Auditor:
    """Everything that is checked about one history."""

    def __init__(self, log: Log, poison: set[str], tally: Tally) -> None:
        self._log = log
        self._poison = poison
        self._tally = tally
        self._references: dict[str, Reference] = {}
        self._effects: tuple[Effect, ...] = ()
        self._pending: list[Effect] = []
        self._decided: dict[tuple[int, int], tuple[Effect, ...]] = {}
        self._bytes: dict[str, OutgoingRecord] = {}
        self._published: set[str] = set()
        self._oversized: dict[tuple[int, int], HistoryRecord] = {}
        self.told: list[tuple[str, Event | None, HistoryRecord]] = []
        """Every committed step: batch id, event and history record."""

    # ----------------------------------------------------------------------------------------- what the process does

    def listening(self, decide: Decide) -> Decide:
        """Return `decide`, with its decisions noted."""

        def listen(batch: Batch | None, event: Event, oversize: Oversize | None = None) -> Decision:
            self._effects, self._pending = (), []
            decision = decide(batch, event, oversize)
            self._effects, self._pending = decision.effects, list(decision.effects)
            return decision

        return listen

    def produced(self, partition: Partition, offset: int, record: OutgoingRecord) -> Effect | None:
        """Note a record that was produced: an effect must have the same bytes whenever it is. Returns the effect."""
        if record.topic is Topic.HISTORY:
            self._decided[partition.number, offset] = self._effects
        if record.topic not in _PEERS:
            return None
        effect = self._pending.pop(0)
        known = self._bytes.setdefault(effect.event_id, record)
        require(known == record, "an effect has other bytes than before", effect.event_id, known, record)
        return effect

    def committed(self, partition: Partition, steps: Iterable[Step]) -> list[Effect]:
        """Check the steps of a committed transaction; returns the effects that peers can see now."""
        effects: list[Effect] = []
        for step in steps:
            try:
                effects += self._step(partition, step)
            except Mismatch as error:
                error.add_note(f"at partition {partition.number}, offset {step.offset}")
                raise
            self._log.status += [record for record in step.records if record.topic is Topic.STATUS]
        return effects

    def _step(self, partition: Partition, step: Step) -> tuple[Effect, ...]:
        history = decode_history(step.records[-1].value or b"")
        self._tally.events += 1
        self._tally.count("disposition", history.disposition.value)
        self._tally.count("reason", history.reason.code.value)
        if history.reason.code in _SET_ASIDE:
            self.told.append((history.batch_id, None, history))
            require(not step.writes, "what is set aside writes nothing")
            return ()
        event = event_at(partition, step.offset)
        self.told.append((event.batch_id, event, history))
        reference = self.reference(event.batch_id)
        before = version_of(reference)
        oversized = history.disposition.value if history.reason.code is ReasonCode.OVERSIZED else ""
        if oversized:
            self._oversized[partition.number, step.offset] = history
        verdict = self._verdict(reference, event, oversized)
        applied = verdict.disposition == "applied"
        effects = self._decided[partition.number, step.offset] if applied else ()
        said = Said(event, effects, history, self._status(step, reference))
        check_step(said, verdict, reference, before)
        self._once(effects, history)
        self._count(reference, said)
        return effects

    def _verdict(self, reference: Reference, event: Event, oversized: str) -> Verdict:
        if event.origin.event_id in self._poison:
            return Verdict("quarantined", "decision_failed", [])
        return reference.judge(event, oversized)

    def _status(self, step: Step, reference: Reference) -> StatusRecord | None:
        found = [record for record in step.records if record.topic is Topic.STATUS]
        require(len(found) <= 1, "at most one status record for each step", len(found))
        if not found:
            return None
        headers = dict(found[0].headers)
        if found[0].value is None:
            require(reference.batch is None, "a tombstone for a batch that is there")
            require(list(step.writes.values()) == [None], "a purge deletes the stored record", step.writes)
            require(int(headers[VERSION]) == step.offset, "a tombstone has the version of the purge", headers)
            return None
        batch = reference.batch
        runs = batch is not None and batch["pause"] is None and bool(batch["clocks"])
        require((NEXT_DEADLINE_MS in headers) == runs, "a header names the next deadline while clocks run", headers)
        return decode_status(found[0].value)

    def _once(self, effects: tuple[Effect, ...], history: HistoryRecord) -> None:
        noted = [note.event_id for note in history.effects]
        require(noted == [effect.event_id for effect in effects], "history names the effects", noted)
        for effect in effects:
            require(effect.event_id not in self._published, "an effect is published twice", effect)
            self._published.add(effect.event_id)

    def _count(self, reference: Reference, said: Said) -> None:
        for kind in reference.struck:
            self._tally.count("deadline", kind)
        reference.struck.clear()
        if said.status is not None:
            self._tally.count("batch status", said.status.status.value)
            for view in said.status.phases.values():
                self._tally.count("phase status", view.status.value)

    # -------------------------------------------------------------------------------------------------- what is known

    def reference(self, batch_id: str) -> Reference:
        """Return the reference of a batch id."""
        found = self._references.get(batch_id)
        if found is None:
            found = self._references[batch_id] = Reference(batch_id)
        return found

    def view(self, batch_id: str) -> View:
        """Return what a client sees of a batch."""
        reference = self.reference(batch_id)
        batch = reference.batch
        if batch is None:
            return View(version_of(reference), (), {})
        failed = {name: essays_lost(batch, name) for name in batch["phases"]}
        open_ones = {name: lost for name, lost in failed.items() if lost}
        return View(version_of(reference), tuple(batch["ready"]), open_ones)

    # --------------------------------------------------------------------------------------------------------- the end

    def finish(self) -> None:
        """Check what must hold once nothing happens any more."""
        for batch_id, reference in self._references.items():
            batch = reference.batch
            stored = self._log.partition(batch_id).store.get(batch_id.encode())
            require((stored is None) == (batch is None), "a purge leaves nothing", batch_id)
            self._tally.batches += 1
            if batch is not None:
                require(batch["pause"] is not None, "every batch ends, or is paused", batch_id, batch["status"])

    def redecided(self, partition: int, offset: int, decide: Decide, before: Batch | None, event: Event) -> Decision:
        """Decide an inbox record again, on the facts of its history record."""
        history = self._oversized.get((partition, offset))
        if history is None:
            return decide(before, event)
        reason = history.reason
        if history.disposition is Disposition.QUARANTINED:
            return Decision.quarantined(before, reason)
        return decide(before, event, Oversize(reason.what or "", reason.size or 0, reason.limit or 0))
