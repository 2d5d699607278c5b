"""The facts that the examples of frozen formats share."""

from typing import Any

from schemas.internal.enums import DeadlineKind, LostReason
from schemas.internal.events import (
    BatchContext,
    Body,
    CancelBatch,
    ContentProvisioned,
    DeadlineReached,
    EssayRef,
    EssaysReady,
    FileFailure,
    Origin,
    OutcomeStatus,
    PauseBatch,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    ResumeBatch,
    RetryPhase,
    ValidationFailed,
)
from schemas.internal.formats import RecordFormat
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import Deadline, FailedEssay
from schemas.topics import Topic

BATCH = "0b352314-208c-5ed1-81ba-5ce3fbb9d912"
CORRELATION = "4c152a9b-d7e7-58da-a8f2-2cf175e883f3"
EVENT = "5cf33cd4-881a-566c-86f3-c85eec47f87f"
TRACE = "0af7651916cd43dd8448eb211c80319c"
FINGERPRINT = "1:" + "ab" * 32
TIME = 1_750_062_600_123


def versions(record_format: RecordFormat) -> dict[str, Any]:
    """Return the versions that a record of a format starts with."""
    return {"writer": record_format.version, "least_reader": record_format.least_reader}


OWNER = Principal(subject="teacher-001", organisation="org-42", scopes=("batches:write",), verified=True)
PROMPT = {"references": {"student_prompt_text": {"storage_id": "prompt-1", "path": "p"}}}
METRICS = {"total_corrections": 3, "word_count": 300, "correction_density": 1.0}
ESSAYS = (EssayRef("essay-1", "text-1"), EssayRef("essay-2", "text-2", METRICS))
SEED_CONTEXT = BatchContext(
    course_code="ENG5",
    course_code_given="CS101",
    language="en",
    enable_cj_assessment=True,
    class_designation="Class 9Å",
    teacher_name="Ms Berg",
    essay_instructions="Argue.",
    user_id="anonymous",
)
CLASS_CONTEXT = BatchContext(
    course_code="SV1",
    course_code_given="SV1",
    language="sv",
    user_id="teacher-001",
    org_id="org-42",
    class_id="class-9A",
    assignment_id="assignment-7",
    student_prompt_ref=PROMPT,
    cj_default_llm_model="model-1",
    cj_default_temperature=0.5,
)
PIPELINE = PipelineDefinition(
    name="default",
    version=1,
    phases=(
        PhaseDefinition(name="spellcheck"),
        PhaseDefinition(
            name="cj_assessment",
            after=("spellcheck",),
            when="enable_cj_assessment",
            stalled_after_s=60,
            deadline_s=3_600,
            max_attempts=2,
            retry_backoff_s=5,
            echoes_attempt=True,
            on_partial_failure="fail",
        ),
    ),
)
REQUEST: dict[str, Any] = {
    "request_id": "request-1",
    "principal": OWNER,
    "correlation_id": CORRELATION,
    "fingerprint": FINGERPRINT,
}
REGISTER = RegisterBatch(
    **REQUEST,
    expected_essay_count=2,
    context=SEED_CONTEXT,
    pipeline=PIPELINE,
    requested_phases=("spellcheck", "cj_assessment"),
)
FAILURES = (FileFailure("EMPTY_CONTENT", "The file is empty.", "c.txt"), FileFailure("TOO_SHORT", "x", "d.txt", "e-4"))
BODIES: dict[str, Body] = {
    "register": REGISTER,
    "cancel": CancelBatch(**REQUEST, reason="withdrawn", if_version=1_041),
    "pause": PauseBatch(**REQUEST),
    "resume": ResumeBatch(**REQUEST),
    "retry": RetryPhase(**REQUEST, phase="spellcheck", essays="all", reason="again"),
    "retry-list": RetryPhase(**REQUEST, phase="spellcheck", essays=("essay-1", "essay-2")),
    "essays_ready": EssaysReady(essays=ESSAYS, failures=FAILURES),
    "content_provisioned": ContentProvisioned(essays=ESSAYS),
    "validation_failed": ValidationFailed(critical=True, failures=FAILURES, total=7),
    "phase_concluded": PhaseConcluded(
        phase="spellcheck",
        status=OutcomeStatus.SUCCEEDED_WITH_FAILURES,
        essays=ESSAYS[:1],
        failed_essay_ids=("essay-2",),
        correlation_id=CORRELATION,
        attempt=1,
        retryable=False,
        not_retryable=("essay-2",),
        failures={"essay-2": "no text layer"},
    ),
    "deadline_reached": DeadlineReached(due_ms=TIME),
}
ORIGIN = Origin(
    event_id=EVENT,
    event_type=Topic.ESSAYS_READY.value,
    topic=Topic.ESSAYS_READY.value,
    partition=2,
    offset=17,
    source="essay-lifecycle-service",
    produced_ms=TIME,
    correlation_id=CORRELATION,
    traceparent=f"00-{TRACE}-b7ad6b7169203331-01",
)
DEADLINES = (
    Deadline(TIME + 1_800_000, DeadlineKind.STALLED, "spellcheck", 1),
    Deadline(TIME + 86_400_000, DeadlineKind.PHASE, "spellcheck", 1),
)
LOST = (FailedEssay("essay-2", "spellcheck", LostReason.FAILED, "no text layer"),)
