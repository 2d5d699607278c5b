"""A hand-written orchestrator's side of the wire: superset messages, right unless a test says otherwise."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from peers import topics
from peers.core import PeerCore
from peers.envelope import Send
from peers.options import PeerOptions
from peers.report import PeerReport
from peers.rules import Rule

NOW = 1_750_000_000.0
LATER = NOW + 1_000.0
BATCH = "0b352314-208c-5ed1-81ba-5ce3fbb9d912"
CORRELATION = "4c152a9b-d7e7-58da-a8f2-2cf175e883f3"
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TIMESTAMP = "2025-06-16T08:30:00.123456Z"
ESSAYS = tuple(str(uuid.uuid5(uuid.NAMESPACE_OID, f"essay-{n}")) for n in range(6))
ENTITY = {"entity_id": BATCH, "entity_type": "batch", "parent_id": None}

JsonObject = dict[str, Any]


def metadata(event: str, batch_id: str = BATCH) -> JsonObject:
    entity = ENTITY | {"entity_id": batch_id}
    return entity | {"entity": entity, "timestamp": TIMESTAMP, "event": event, "error_info": {}}


def registration(**changes: Any) -> JsonObject:
    batch_id = changes.get("batch_id", BATCH)
    data: JsonObject = {
        "event": "batch.essays.registered",
        "batch_id": batch_id,
        "entity_id": batch_id,
        "expected_essay_count": len(changes.get("essay_ids", ESSAYS)),
        "essay_ids": list(ESSAYS),
        "metadata": metadata("batch.essays.registered", batch_id),
        "course_code": "SV1",
        "essay_instructions": "Argue.",
        "user_id": "teacher-001",
        "org_id": None,
        "class_id": None,
        "student_prompt_ref": None,
    }
    return data | changes


def command(name: str, essays: Sequence[JsonObject], **changes: Any) -> JsonObject:
    """Data of any command; unknown fields are ignored by the models, so one superset serves all phases."""
    data: JsonObject = {
        "event_name": name,
        **ENTITY,
        "entity_ref": ENTITY,
        "timestamp": TIMESTAMP,
        "essays_to_process": list(essays),
        "language": "sv",
        "course_code": "SV1",
        "class_designation": "Class 9A",
        "class_type": "GUEST",
        "class_id": "class-9A",
        "essay_instructions": "Argue.",
        "teacher_name": "Ms Berg",
        "owner_user_id": "teacher-001",
        "student_prompt_ref": None,
        "assignment_id": None,
    }
    return data | changes


def completion(**changes: Any) -> JsonObject:
    data: JsonObject = {
        "event": "batch.pipeline.completed",
        "batch_id": BATCH,
        "completed_phases": ["spellcheck"],
        "final_status": "completed_successfully",
        "processing_duration_seconds": 4.2,
        "successful_essay_count": len(ESSAYS),
        "failed_essay_count": 0,
        "correlation_id": CORRELATION,
        "metadata": metadata("batch.pipeline.completed"),
    }
    return data | changes


def refs(event: JsonObject) -> list[JsonObject]:
    """The essay references of a peer's event."""
    data = event["data"]
    for name in ("ready_essays", "essays_for_processing", "processed_essays"):
        if name in data:
            found: list[JsonObject] = data[name]
            return found
    raise AssertionError(f"no references in {event['event_type']}")


@dataclass
class Play:
    """One core under test, with what it sent."""

    options: PeerOptions = field(default_factory=PeerOptions)
    sent: list[Send] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core = PeerCore(self.options)
        self._ids = 0

    def send(
        self,
        topic: str,
        data: JsonObject | None,
        *,
        now: float = NOW,
        key: str | None = BATCH,
        headers: dict[str, bytes | None] | None = None,
        envelope: JsonObject | None = None,
        value: bytes | None = None,
        replayed: bool = False,
    ) -> list[JsonObject]:
        """Hand one message to the peers; returns the events they answer with, in the order of their times."""
        self._ids += 1
        event_type = "batch.pipeline.completed" if topic == topics.COMPLETED else topic
        body: JsonObject = {
            "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"event-{self._ids}")),
            "event_type": event_type,
            "event_timestamp": TIMESTAMP,
            "source_service": "batch-orchestrator-service",
            "schema_version": 1,
            "correlation_id": CORRELATION,
            "data_schema_uri": None,
            "data": data,
            "metadata": None,
        } | (envelope or {})
        mirrored = {name: str(body[name]).encode() for name in ("event_id", "event_type", "correlation_id")}
        all_headers: dict[str, bytes | None] = {**mirrored, "traceparent": TRACEPARENT, **(headers or {})}
        sends = self.core.on_message(
            topic,
            None if key is None else key.encode(),
            json.dumps(body).encode() if value is None else value,
            [(name, header) for name, header in all_headers.items() if header is not None],
            now,
            partition=1,
            offset=self._ids,
            replayed=replayed,
        )
        self.sent += sends
        return [json.loads(send.value) for send in sorted(sends, key=lambda send: send.at)]

    def register(self, **changes: Any) -> JsonObject:
        """Register a batch and return the last event that answers it."""
        return self.send(topics.REGISTERED, registration(**changes), key=changes.get("batch_id", BATCH))[-1]

    def spellcheck(self, essays: Sequence[JsonObject], *, now: float = LATER, **changes: Any) -> list[JsonObject]:
        data = command("batch.spellcheck.initiate.command", essays, **changes)
        return self.send(topics.SPELLCHECK_COMMAND, data, now=now)

    def cj(self, essays: Sequence[JsonObject], *, now: float = 2 * LATER, **changes: Any) -> list[JsonObject]:
        data = command("batch.cj_assessment.initiate.command", essays, **changes)
        return self.send(topics.CJ_COMMAND, data, now=now)

    def match_students(self, essays: Sequence[JsonObject], *, now: float = LATER, **changes: Any) -> list[JsonObject]:
        data = command("batch.student.matching.initiate.command", essays, class_type="REGULAR", **changes)
        return self.send(topics.STUDENT_MATCHING_COMMAND, data, now=now)

    def complete(self, *, now: float = 3 * LATER, **changes: Any) -> list[JsonObject]:
        return self.send(topics.COMPLETED, completion(**changes), now=now)

    def report(self, now: float = 3 * LATER) -> PeerReport:
        return self.core.report(now)

    def rules(self) -> list[Rule]:
        """The rules complained of so far."""
        return [complaint.rule for complaint in self.report().complaints]
