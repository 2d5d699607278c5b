"""Bytes of what is published to peers: topic, key, envelope and headers around each effect's payload.

A pure function of the effect, so that an effect that is decided again after a crash is the same byte for byte.
Everything is keyed by batch_id. Headers: `event_id`, `event_type`, `correlation_id`, `traceparent`.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas import ids
from schemas.internal.codec import encode
from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.internal.events import BatchContext
from schemas.internal.outgoing import OutgoingRecord
from schemas.outbound import payloads
from schemas.outbound.worker_command import generic_command
from schemas.topics import PHASE_COMMANDS, AnyTopic, Topic, TopicTable


class Envelope(Struct, frozen=True):
    """The peers' envelope."""

    event_id: str
    event_type: str
    event_timestamp: datetime
    source_service: str
    schema_version: int
    correlation_id: str
    data_schema_uri: None
    data: Any
    metadata: Any


class _Asker(Struct, frozen=True):
    user_id: str | None
    org_id: str | None


class _Completion(Struct, frozen=True):
    batch_id: str
    completed_phases: tuple[str, ...]
    final_status: str


def render(effect: Effect, topics: TopicTable) -> OutgoingRecord:
    """Return the record that publishes `effect`.

    `topics` gives `event_type` its name under the deployment's prefix: the peers route on it, not on the topic.
    The peers' era needs no say here: what it cannot take was settled at the registration.
    """
    match effect:
        case CommandPhase():
            if effect.generic is not None:
                worked = topics.phase_command(effect.phase, effect.generic.topic)
                told = generic_command(effect, effect.generic)
                return _record(effect, topics, worked, "batch-orchestrator-service", told, _asker(effect.context))
            topic = PHASE_COMMANDS[effect.phase]
            data: Any = payloads.command(effect, topic)
            return _record(effect, topics, topic, "batch-orchestrator-service", data, _asker(effect.context))
        case BatchRegistered():
            return _record(effect, topics, Topic.REGISTERED, "batch-service", payloads.registered(effect), None)
        case CommandStudentMatching():
            topic = Topic.STUDENT_MATCHING_COMMAND
            data = payloads.student_matching(effect)
            return _record(effect, topics, topic, "batch_orchestrator_service", data, _asker(effect.context))
        case PipelineCompleted():
            summary = _Completion(effect.batch_id, effect.completed_phases, effect.final_status.value)
            data = payloads.completed(effect)
            return _record(effect, topics, Topic.COMPLETED, "batch_orchestrator_service", data, summary)


def _record(
    effect: Effect, topics: TopicTable, topic: AnyTopic, source: str, data: Any, metadata: Any
) -> OutgoingRecord:
    event_type = payloads.COMPLETED_EVENT_TYPE if topic is Topic.COMPLETED else topics.name(topic)
    envelope = Envelope(
        effect.event_id, event_type, payloads.time_of(effect), source, 1, effect.correlation_id, None, data, metadata
    )
    traceparent = f"00-{effect.trace_id}-{ids.span_id(effect.event_id)}-01"
    headers = (
        ("event_id", effect.event_id.encode()),
        ("event_type", event_type.encode()),
        ("correlation_id", effect.correlation_id.encode()),
        ("traceparent", traceparent.encode()),
    )
    return OutgoingRecord(topic, effect.batch_id.encode(), encode(envelope), headers)


def _asker(context: BatchContext) -> _Asker:
    return _Asker(context.user_id, context.org_id)
