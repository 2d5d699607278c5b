"""Bytes of what is published to peers: one superset payload per event, for the seed, July and head eras at once.

A pure function of the effect, so that an effect that is decided again after a crash is the same byte for byte.
Models ignore fields that they don't know; each struct below says which era a field is for. Everything is keyed by
batch_id. Headers: `event_id`, `event_type`, `correlation_id`, `traceparent`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from schemas import ids
from schemas.codec import encode
from schemas.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.events import BatchContext, EssayRef
from schemas.outgoing import Outgoing
from schemas.registration import FALLBACK_USER
from schemas.topics import PHASE_COMMANDS, Topic, TopicTable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMPLETED_EVENT_TYPE = "batch.pipeline.completed"
"""The one event whose `event_type` is not its topic's name."""


class _Envelope(Struct, frozen=True):
    event_id: str
    event_type: str
    event_timestamp: datetime
    source_service: str
    schema_version: int
    correlation_id: str
    data_schema_uri: None
    data: Any
    metadata: Any


class _Entity(Struct, frozen=True):
    entity_id: str
    entity_type: str = "batch"
    parent_id: None = None


class _Processing(Struct, frozen=True, kw_only=True):
    """System metadata: nested entity for seed and July, flat entity for head."""

    entity: _Entity
    entity_id: str
    entity_type: str = "batch"
    parent_id: None = None
    timestamp: datetime
    processing_stage: None = None
    started_at: None = None
    completed_at: None = None
    event: str
    error_info: dict[str, Any] = {}


class _Base(Struct, frozen=True, kw_only=True):
    """Base of commands: `entity_ref` for seed and July, the flat entity for head."""

    event_name: str
    entity_ref: _Entity
    entity_id: str
    entity_type: str = "batch"
    parent_id: None = None
    timestamp: datetime
    essays_to_process: tuple[EssayRef, ...]


class _Registered(Struct, frozen=True, kw_only=True):
    event: str = "batch.essays.registered"
    batch_id: str
    entity_id: str
    expected_essay_count: int
    essay_ids: tuple[str, ...]
    metadata: _Processing
    course_code: str
    essay_instructions: str
    student_prompt_ref: dict[str, Any] | None
    user_id: str
    org_id: str | None
    class_id: str | None


class _Spellcheck(_Base, frozen=True, kw_only=True):
    language: str


class _Nlp(_Base, frozen=True, kw_only=True):
    language: str
    student_prompt_ref: dict[str, Any] | None


class _CjAssessment(_Base, frozen=True, kw_only=True):
    language: str
    course_code: str
    class_designation: str
    essay_instructions: str
    class_type: str
    student_prompt_ref: dict[str, Any] | None
    assignment_id: str | None


class _AiFeedback(_Base, frozen=True, kw_only=True):
    language: str
    course_code: str
    teacher_name: str
    class_designation: str
    essay_instructions: str
    class_type: str
    owner_user_id: str
    student_prompt_ref: dict[str, Any] | None


class _StudentMatching(_Base, frozen=True, kw_only=True):
    class_id: str
    course_code: str


class _Completed(Struct, frozen=True, kw_only=True):
    event: str = COMPLETED_EVENT_TYPE
    batch_id: str
    completed_phases: tuple[str, ...]
    final_status: str
    processing_duration_seconds: float
    successful_essay_count: int
    failed_essay_count: int
    correlation_id: str
    metadata: _Processing


class _Asker(Struct, frozen=True):
    user_id: str | None
    org_id: str | None


class _Completion(Struct, frozen=True):
    batch_id: str
    completed_phases: tuple[str, ...]
    final_status: str


def render(effect: Effect, topics: TopicTable) -> Outgoing:
    """Return the record that publishes `effect`.

    `topics` gives `event_type` its name under the deployment's prefix: the peers route on it, not on the topic.
    The peers' era needs no say here: what it cannot take was settled at the registration.
    """
    match effect:
        case CommandPhase():
            topic = PHASE_COMMANDS[effect.phase]
            data: Any = _command(effect, topic)
            return _record(effect, topics, topic, "batch-orchestrator-service", data, _asker(effect.context))
        case BatchRegistered():
            return _record(effect, topics, Topic.REGISTERED, "batch-service", _registered(effect), None)
        case CommandStudentMatching():
            topic = Topic.STUDENT_MATCHING_COMMAND
            data = _student_matching(effect)
            return _record(effect, topics, topic, "batch_orchestrator_service", data, _asker(effect.context))
        case PipelineCompleted():
            told = _Completion(effect.batch_id, effect.completed_phases, effect.final_status.value)
            return _record(effect, topics, Topic.COMPLETED, "batch_orchestrator_service", _completed(effect), told)


def _record(effect: Effect, topics: TopicTable, topic: Topic, source: str, data: Any, metadata: Any) -> Outgoing:
    event_type = COMPLETED_EVENT_TYPE if topic is Topic.COMPLETED else topics.name(topic)
    envelope = _Envelope(
        effect.event_id, event_type, _time(effect), source, 1, effect.correlation_id, None, data, metadata
    )
    traceparent = f"00-{effect.trace_id}-{ids.span_id(effect.event_id)}-01"
    headers = (
        ("event_id", effect.event_id.encode()),
        ("event_type", event_type.encode()),
        ("correlation_id", effect.correlation_id.encode()),
        ("traceparent", traceparent.encode()),
    )
    return Outgoing(topic, effect.batch_id.encode(), encode(envelope), headers)


def _time(effect: Effect) -> datetime:
    return _EPOCH + timedelta(milliseconds=effect.time_ms)


def _asker(context: BatchContext) -> _Asker:
    return _Asker(context.user_id, context.org_id)


def _class_type(context: BatchContext) -> str:
    return "GUEST" if context.class_id is None else "REGULAR"


def _base(effect: CommandPhase | CommandStudentMatching, event_name: str) -> dict[str, Any]:
    return {
        "event_name": event_name,
        "entity_ref": _Entity(effect.batch_id),
        "entity_id": effect.batch_id,
        "timestamp": _time(effect),
        "essays_to_process": effect.essays,
    }


def _command(effect: CommandPhase, topic: Topic) -> _Base:
    context = effect.context
    language = context.language
    if topic is Topic.SPELLCHECK_COMMAND:
        return _Spellcheck(**_base(effect, "batch.spellcheck.initiate.command"), language=language)
    if topic is Topic.CJ_ASSESSMENT_COMMAND:
        return _CjAssessment(
            **_base(effect, "batch.cj_assessment.initiate.command"),
            language=language,
            course_code=context.course_code,
            class_designation=context.class_designation or "",
            essay_instructions=context.essay_instructions or "",
            class_type=_class_type(context),
            student_prompt_ref=context.student_prompt_ref,
            assignment_id=context.assignment_id,
        )
    if topic is Topic.NLP_COMMAND:
        return _Nlp(
            **_base(effect, "batch.nlp.initiate.command.v2"),
            language=language,
            student_prompt_ref=context.student_prompt_ref,
        )
    return _AiFeedback(
        **_base(effect, "batch.ai_feedback.initiate.command"),
        language=language,
        course_code=context.course_code,
        teacher_name=context.teacher_name or "",
        class_designation=context.class_designation or "",
        essay_instructions=context.essay_instructions or "",
        class_type=_class_type(context),
        owner_user_id=context.user_id or FALLBACK_USER,
        student_prompt_ref=context.student_prompt_ref,
    )


def _registered(effect: BatchRegistered) -> _Registered:
    context = effect.context
    return _Registered(
        batch_id=effect.batch_id,
        entity_id=effect.batch_id,
        expected_essay_count=len(effect.essay_ids),
        essay_ids=effect.essay_ids,
        metadata=_processing(effect, "batch.essays.registered"),
        course_code=context.course_code,
        essay_instructions=context.essay_instructions or "",
        student_prompt_ref=context.student_prompt_ref,
        user_id=context.user_id or FALLBACK_USER,
        org_id=context.org_id,
        class_id=context.class_id,
    )


def _student_matching(effect: CommandStudentMatching) -> _StudentMatching:
    return _StudentMatching(
        **_base(effect, "batch.student.matching.initiate.command"),
        class_id=effect.context.class_id or "",
        course_code=effect.context.course_code,
    )


def _completed(effect: PipelineCompleted) -> _Completed:
    return _Completed(
        batch_id=effect.batch_id,
        completed_phases=effect.completed_phases,
        final_status=effect.final_status.value,
        processing_duration_seconds=(effect.time_ms - effect.started_ms) / 1000,
        successful_essay_count=effect.succeeded,
        failed_essay_count=effect.failed,
        correlation_id=effect.correlation_id,
        metadata=_processing(effect, COMPLETED_EVENT_TYPE),
    )


def _processing(effect: Effect, event: str) -> _Processing:
    batch_id = effect.batch_id
    return _Processing(entity=_Entity(batch_id), entity_id=batch_id, timestamp=_time(effect), event=event)
