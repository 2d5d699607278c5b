"""What each event to the peers says: one superset payload for the seed, July and head eras at once.

Models ignore fields that they don't know; each struct below says which era a field is for.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.internal.events import BatchContext, EssayRef
from schemas.public.registration import FALLBACK_USER
from schemas.topics import Topic

COMPLETED_EVENT_TYPE = "batch.pipeline.completed"
"""The one event whose `event_type` is not its topic's name."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


PAYLOADS: dict[Topic, type[Struct]] = {
    Topic.REGISTERED: _Registered,
    Topic.SPELLCHECK_COMMAND: _Spellcheck,
    Topic.CJ_ASSESSMENT_COMMAND: _CjAssessment,
    Topic.NLP_COMMAND: _Nlp,
    Topic.AI_FEEDBACK_COMMAND: _AiFeedback,
    Topic.STUDENT_MATCHING_COMMAND: _StudentMatching,
    Topic.COMPLETED: _Completed,
}
"""The payload of each topic that peers read."""


def time_of(effect: Effect) -> datetime:
    """Return `effect.time_ms` as peers write it, in UTC."""
    return _moment(effect.time_ms)


@lru_cache(maxsize=1)
def _moment(time_ms: int) -> datetime:
    """Return a time as peers write it; each record has it two or three times."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def _class_type(context: BatchContext) -> str:
    return "GUEST" if context.class_id is None else "REGULAR"


def _base(effect: CommandPhase | CommandStudentMatching, event_name: str) -> dict[str, Any]:
    return {
        "event_name": event_name,
        "entity_ref": _Entity(effect.batch_id),
        "entity_id": effect.batch_id,
        "timestamp": time_of(effect),
        "essays_to_process": effect.essays,
    }


def command(effect: CommandPhase, topic: Topic) -> _Base:
    """Return what starts a phase."""
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


def registered(effect: BatchRegistered) -> _Registered:
    """Return what announces the slots of a batch."""
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


def student_matching(effect: CommandStudentMatching) -> _StudentMatching:
    """Return what starts the matching of essays to students."""
    return _StudentMatching(
        **_base(effect, "batch.student.matching.initiate.command"),
        class_id=effect.context.class_id or "",
        course_code=effect.context.course_code,
    )


def completed(effect: PipelineCompleted) -> _Completed:
    """Return what ends a batch."""
    return _Completed(
        batch_id=effect.batch_id,
        completed_phases=effect.completed_phases,
        final_status=effect.final_status.value,
        # The brokers stamp both times, and a new leader's clock can be behind.
        processing_duration_seconds=max(0, effect.time_ms - effect.started_ms) / 1000,
        successful_essay_count=effect.succeeded,
        failed_essay_count=effect.failed,
        correlation_id=effect.correlation_id,
        metadata=_processing(effect, COMPLETED_EVENT_TYPE),
    )


def _processing(effect: Effect, event: str) -> _Processing:
    batch_id = effect.batch_id
    return _Processing(entity=_Entity(batch_id), entity_id=batch_id, timestamp=time_of(effect), event=event)
