"""The peers without Kafka: a message in, the events that answer it out."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable

from peers.batch import Batch, Essay, PhaseRun, open_batch
from peers.chance import Chance
from peers.content import command_findings, completion_findings, registration_findings, timing_findings
from peers.envelope import Headers, Json, Message, Send, decode
from peers.judging import FormJudge, named_batch
from peers.options import PeerOptions
from peers.outcomes import outcome_event, run_phase
from peers.provisioning import Event, provision, provisioning_events, ready_event
from peers.report import Complaint, PeerReport, RefusedCommand
from peers.rules import UNREADABLE, Finding, Rule
from peers.sending import Sender
from peers.topics import COMPLETED, INBOUND, REGISTERED, STUDENT_MATCHING, Inbound
from peers.verdict import expected_batch


class PeerCore:
    """All peers as one state machine. Not thread-safe; reads no clock."""

    def __init__(self, options: PeerOptions) -> None:
        """Compile the era's schemas."""
        self.options = options
        self._form = FormJudge(options.era)
        self._sender = Sender(options)
        self._inbound = {options.real_name(inbound.topic): inbound for inbound in INBOUND if self._form.knows(inbound)}
        self._batches: dict[str, Batch] = {}
        self._seen: dict[str, bytes] = {}
        self._waiting: defaultdict[str, list[Message]] = defaultdict(list)
        self._unknown: dict[str, None] = {}
        self._counts: Counter[str] = Counter()
        self._complaints: list[Complaint] = []
        self._refused: list[RefusedCommand] = []

    @property
    def topics(self) -> tuple[str, ...]:
        """The real names of the topics that the era's peers read."""
        return tuple(self._inbound)

    @property
    def completed(self) -> int:
        """How many batches' completed events were seen."""
        return self._counts["completed"]

    def count(self, what: str, number: int = 1) -> None:
        """Add to one of the report's counts."""
        self._counts[what] += number

    def on_message(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        now: float,
        *,
        partition: int = -1,
        offset: int = -1,
        replayed: bool = False,
    ) -> list[Send]:
        """Judge one message of the orchestrator and answer it.

        Args:
            topic: Real topic name, one of `topics`.
            key: Kafka key.
            value: The bytes as read.
            headers: Kafka headers.
            now: Wall clock time in seconds since 1970.
            partition: Coordinate for complaints.
            offset: Coordinate for complaints.
            replayed: The message was in the topic before the peers started, so that times and the
                order between topics say nothing.

        Returns:
            The records to send, each with its time; repeats included.
        """
        message = Message(topic, key, value, headers, partition, offset)
        self.count(f"read {topic}")
        return self._take(message, now, replayed=replayed)

    def report(self, now: float) -> PeerReport:
        """Everything so far, as of the wall clock time `now`."""
        return PeerReport(
            counts=dict(sorted(self._counts.items())),
            complaints=tuple(self._complaints),
            refused=tuple(self._refused),
            unknown_batches=tuple(batch_id for batch_id in self._unknown if batch_id not in self._batches),
            expected={batch_id: expected_batch(batch, now) for batch_id, batch in self._batches.items()},
        )

    def _take(self, message: Message, now: float, *, replayed: bool) -> list[Send]:
        inbound = self._inbound[message.topic]
        envelope = decode(message.value)
        if envelope is None:
            self._complain(message, None, [Finding(Rule.NOT_JSON, "the value is not a JSON object")])
            return []
        if self._is_repeat(message, envelope):
            return []
        findings = self._form.findings(inbound, message, envelope)
        readable = UNREADABLE.isdisjoint(finding.rule for finding in findings)
        batch_id = named_batch(self.options.era, inbound, envelope["data"]) if readable else None
        self._complain(message, batch_id, findings)
        if not readable:
            return []
        if batch_id is None:
            self._lose(message, inbound)
            return []
        if inbound.topic == REGISTERED:
            return self._on_registered(message, batch_id, envelope, now, replayed=replayed)
        batch = self._batches.get(batch_id)
        if batch is None:
            self._on_unknown(message, batch_id, replayed=replayed)
            return []
        if inbound.topic == COMPLETED:
            self._on_completed(message, batch, envelope, now, replayed=replayed)
            return []
        return self._on_command(message, inbound, batch, envelope, now, replayed=replayed)

    def _is_repeat(self, message: Message, envelope: Json) -> bool:
        """Whether the event id was seen before; complains where the bytes differ."""
        event_id = envelope.get("event_id")
        if not isinstance(event_id, str):
            return False
        digest = hashlib.blake2b(b"\0".join((message.topic.encode(), message.key or b"", message.value))).digest()
        first = self._seen.setdefault(event_id, digest)
        if first is digest:
            return False
        if first == digest:
            self.count("repeated_identical")
        else:
            self._complain(message, None, [Finding(Rule.SAME_ID_OTHER_BYTES, f"event id {event_id} came before")])
        return True

    def _on_registered(
        self, message: Message, batch_id: str, envelope: Json, now: float, *, replayed: bool
    ) -> list[Send]:
        data: Json = envelope["data"]
        known = self._batches.get(batch_id)
        self._complain(message, batch_id, registration_findings(self.options.era, data, known))
        if known is not None:
            self.count("registered_again")
            return []
        self.count("registered")
        chance = Chance(self.options.seed, batch_id)
        batch = open_batch(chance, data, envelope.get("correlation_id") or chance.event_id("correlation"))
        self._batches[batch_id] = batch
        if batch_id in self._unknown and not replayed:
            self._complain(message, batch_id, [Finding(Rule.BEFORE_REGISTRATION, "a message about it came earlier")])
        batch.waits_for_ready = self.options.era != "head" or batch.is_class
        batch.provisioned_at = self._sender.answer_at(batch, "provisioned", now)
        provision(self.options, batch)
        sends = [send for event in provisioning_events(self.options, batch) for send in self._sends(batch, event)]
        for waiting in self._waiting.pop(batch_id, []):
            sends += self._retake(waiting, now)
        return sends

    def _retake(self, message: Message, now: float) -> list[Send]:
        """Take a message again that waited for its batch's registration."""
        envelope = decode(message.value)
        if envelope is not None:
            self._seen.pop(envelope["event_id"], None)
        return self._take(message, now, replayed=True)

    def _on_unknown(self, message: Message, batch_id: str, *, replayed: bool) -> None:
        self._unknown[batch_id] = None
        self.count("unknown_batch")
        if replayed:
            self._waiting[batch_id].append(message)

    def _on_command(
        self, message: Message, inbound: Inbound, batch: Batch, envelope: Json, now: float, *, replayed: bool
    ) -> list[Send]:
        phase, data, correlation_id = inbound.phase, envelope["data"], envelope.get("correlation_id")
        assert phase is not None
        findings = list(command_findings(self.options.era, batch, phase, correlation_id, data))
        untimely = [] if replayed else list(timing_findings(batch, phase, now))
        self._complain(message, batch.batch_id, [*findings, *untimely])
        if untimely:
            return []
        if phase == STUDENT_MATCHING:
            return self._on_matching(batch, now)
        essays = self._startable(message, batch, phase, data)
        if not essays:
            self._refuse(message, batch, phase, envelope)
            return []
        self.count("commands_taken")
        run = batch.runs.setdefault(phase, PhaseRun())
        run.commands += 1
        if self.options.silent:
            return self._leave_unanswered(batch, phase, essays, now)
        run_phase(self.options, batch, phase, essays)
        at = self._sender.answer_at(batch, f"outcome:{phase}:{run.commands}", now)
        echoed = correlation_id or batch.correlation_id
        event = outcome_event(self.options, batch, phase, essays, at=at, correlation_id=echoed)
        return self._sends(batch, event)

    def _leave_unanswered(self, batch: Batch, phase: str, essays: Iterable[Essay], now: float) -> list[Send]:
        """A silent peer: no outcome ever comes, so that the orchestrator may give the phase up at any time."""
        self.count("commands_left_unanswered")
        batch.runs[phase].answer_at = now
        for essay in essays:
            essay.results[phase] = "unaccounted"
        return []

    def _startable(self, message: Message, batch: Batch, phase: str, data: Json) -> list[Essay]:
        """The commanded essays that can start; complains of others, except where the phase had them before."""
        named = dict.fromkeys(reference["essay_id"] for reference in data["essays_to_process"])
        essays = [batch.essays[essay_id] for essay_id in named if essay_id in batch.essays]
        startable = [essay for essay in essays if essay.can_start(phase)]
        wrong = [
            essay.essay_id
            for essay in essays
            if not essay.can_start(phase) and (startable or phase not in essay.results)
        ]
        if wrong:
            text = f"not in the start state of {phase}: {', '.join(wrong[:3])} ({len(wrong)} in all)"
            self._complain(message, batch.batch_id, [Finding(Rule.ESSAY_STATE, text)])
        return startable

    def _on_matching(self, batch: Batch, now: float) -> list[Send]:
        batch.matching_commands += 1
        self.count("matching_commands")
        if batch.ready_at is not None or self.options.class_batches != "command":
            return []
        return self._sends(batch, ready_event("head", batch, self._sender.answer_at(batch, "ready", now)))

    def _refuse(self, message: Message, batch: Batch, phase: str, envelope: Json) -> None:
        self.count("commands_refused")
        event_id = envelope.get("event_id")
        self._refused.append(RefusedCommand(batch.batch_id, phase, event_id, message.partition, message.offset))

    def _lose(self, message: Message, inbound: Inbound) -> None:
        """Head's null entity: the essays move on, dispatch is skipped, and no outcome ever comes."""
        batch = self._batches.get((message.key or b"").decode("utf-8", "replace"))
        if batch is None or inbound.phase is None:
            return
        self.count("commands_lost")
        batch.runs.setdefault(inbound.phase, PhaseRun())
        for essay in batch.with_content():
            if essay.can_start(inbound.phase):
                essay.results[inbound.phase] = "unaccounted"

    def _on_completed(self, message: Message, batch: Batch, envelope: Json, now: float, *, replayed: bool) -> None:
        if batch.ended_as is not None:
            again = Finding(Rule.COMPLETED_AGAIN, f"event id {envelope.get('event_id')}")
            self._complain(message, batch.batch_id, [again])
            return
        batch.ended_as = envelope["data"]["final_status"]
        self.count("completed")
        if not self.options.judges_ends:
            return
        as_of = float("inf") if replayed else now
        self._complain(message, batch.batch_id, completion_findings(batch, envelope["data"], as_of))

    def _sends(self, batch: Batch, event: Event) -> list[Send]:
        sends = self._sender.sends(batch, event)
        self.count("repeats", len(sends) - 1)
        return sends

    def _complain(self, message: Message, batch_id: str | None, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.count("complaints")
            self._complaints.append(
                Complaint(finding.rule, finding.text, batch_id, message.topic, message.partition, message.offset)
            )
