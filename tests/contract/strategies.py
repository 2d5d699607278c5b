"""Strategies for bodies and effects, and encoders that simulate a peer of each era."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.internal.enums import BatchStatus
from schemas.internal.events import (
    BatchContext,
    ContentProvisioned,
    EssayRef,
    EssaysReady,
    FileFailure,
    OutcomeStatus,
    PhaseConcluded,
    Principal,
    ValidationFailed,
)
from schemas.topics import PHASE_COMMANDS

uuids = st.uuids().map(str)
text = st.text(st.characters(codec="utf-8"), max_size=20)
identifiers = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)
names = identifiers.filter(bool)
times_ms = st.integers(0, 4_000_000_000_000)
metrics = st.none() | st.fixed_dictionaries(
    {
        "total_corrections": st.integers(0, 999),
        "word_count": st.integers(0, 9_999),
        "correction_density": st.floats(0, 100, allow_nan=False),
    }
)
refs = st.builds(EssayRef, essay_id=uuids, text_storage_id=names, spellcheck_metrics=metrics)
essays = st.lists(refs, max_size=4).map(tuple)
some_essays = st.lists(refs, min_size=1, max_size=4).map(tuple)
prompts = st.none() | st.fixed_dictionaries(
    {
        "references": st.dictionaries(
            st.just("student_prompt_text"), st.fixed_dictionaries({"storage_id": names, "path": text}), max_size=1
        )
    }
)
principals = st.builds(
    Principal,
    subject=names,
    organisation=identifiers,
    scopes=st.lists(names, max_size=2).map(tuple),
    verified=st.booleans(),
)
later_courses = st.sampled_from(["ENG5", "ENG6", "ENG7", "SV1", "SV2", "SV3"])

_head_only = {
    "user_id": names,
    "org_id": st.none() | names,
    "class_id": st.none() | names,
    "student_prompt_ref": prompts,
    "assignment_id": st.none() | names,
    "cj_default_llm_model": st.none() | text,
    "cj_default_temperature": st.none() | st.floats(0, 2),
}
_seed_only = {"class_designation": text, "teacher_name": text, "essay_instructions": text}


def registration_bodies(courses: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of the seed's form, of the head's, and of both at once."""
    common: dict[str, st.SearchStrategy[Any]] = {
        "expected_essay_count": st.integers(1, 30),
        "course_code": courses,
        "enable_cj_assessment": st.booleans(),
    }
    head = {name: strategy for name, strategy in _head_only.items() if name != "user_id"}
    return st.one_of(
        st.fixed_dictionaries({**common, **_seed_only}),
        st.fixed_dictionaries({**common, "user_id": names}, optional=head),
        st.fixed_dictionaries({**common, **_seed_only, **_head_only}),
    )


PHASES = tuple(sorted(PHASE_COMMANDS))
EFFECTS: tuple[type[Effect], ...] = (BatchRegistered, CommandPhase, CommandStudentMatching, PipelineCompleted)


@st.composite
def effects(
    draw: st.DrawFn,
    contexts: st.SearchStrategy[BatchContext],
    kinds: Sequence[type[Effect]] = EFFECTS,
    phases: Sequence[str] = PHASES,
) -> Effect:
    """An effect of a batch with one of `contexts`, of one of `kinds`; commands are of one of `phases`."""
    common: dict[str, Any] = {
        "event_id": draw(uuids),
        "batch_id": draw(uuids),
        "time_ms": draw(times_ms),
        "correlation_id": draw(uuids),
        "trace_id": draw(st.uuids()).hex,
        "context": draw(contexts),
    }
    kind = draw(st.sampled_from(kinds))
    if kind is BatchRegistered:
        return BatchRegistered(**common, essay_ids=tuple(draw(st.lists(uuids, min_size=1, max_size=4, unique=True))))
    if kind is CommandPhase:
        phase = draw(st.sampled_from(phases))
        return CommandPhase(**common, phase=phase, attempt=draw(st.integers(1, 3)), essays=draw(some_essays))
    if kind is CommandStudentMatching:
        return CommandStudentMatching(**common, essays=draw(some_essays))
    return PipelineCompleted(
        **common,
        final_status=draw(st.sampled_from([status for status in BatchStatus if status.terminal])),
        completed_phases=tuple(draw(st.lists(st.sampled_from(sorted(PHASE_COMMANDS)), unique=True))),
        started_ms=draw(times_ms),
        succeeded=draw(st.integers(0, 5_000)),
        failed=draw(st.integers(0, 5_000)),
    )


seed_failures = st.builds(FileFailure, code=names, message=text, file_name=text)
head_failures = st.builds(FileFailure, code=names, message=text, file_name=text, essay_id=identifiers)
ready = st.builds(EssaysReady, essays=essays, failures=st.lists(seed_failures, max_size=3).map(tuple))
provisioned = st.builds(ContentProvisioned, essays=essays)
validation_failed = st.builds(
    ValidationFailed,
    critical=st.booleans(),
    failures=st.lists(head_failures, max_size=3).map(tuple),
    total=st.integers(0, 5_000),
)
outcomes = st.builds(
    PhaseConcluded,
    phase=st.sampled_from([*PHASE_COMMANDS, "grammar"]),
    status=st.sampled_from(OutcomeStatus),
    essays=essays,
    failed_essay_ids=st.lists(uuids, max_size=3).map(tuple),
    correlation_id=st.none() | uuids,
    attempt=st.none() | st.integers(1, 5),
)


def envelope(event_type: str, data: object, **fields: Any) -> bytes:
    """A peer's record. `fields` replace the envelope's own; None among them stays a null."""
    document = {
        "event_id": "5cf33cd4-881a-566c-86f3-c85eec47f87f",
        "event_type": event_type,
        "event_timestamp": "2025-06-16T08:30:00.123456Z",
        "source_service": "essay-lifecycle-service",
        "schema_version": 1,
        "correlation_id": "4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        "data_schema_uri": None,
        "data": data,
    }
    return json.dumps({**document, **fields}).encode()


def _refs(essays: tuple[EssayRef, ...], era: str) -> list[dict[str, Any]]:
    plain = [{"essay_id": ref.essay_id, "text_storage_id": ref.text_storage_id} for ref in essays]
    if era == "head":
        return [{**one, "spellcheck_metrics": ref.spellcheck_metrics} for one, ref in zip(plain, essays, strict=True)]
    return plain


def without_metrics(essays: tuple[EssayRef, ...], era: str) -> tuple[EssayRef, ...]:
    """Essays, as far as `era` can represent them."""
    return essays if era == "head" else tuple(EssayRef(ref.essay_id, ref.text_storage_id) for ref in essays)


def _metadata(batch_id: str, era: str, event: str) -> dict[str, Any]:
    entity = {"entity_id": batch_id, "entity_type": "batch", "parent_id": None}
    common = {"timestamp": "2025-06-16T08:30:00.123456Z", "event": event, "error_info": {}}
    return {**common, **entity} if era == "head" else {**common, "entity": entity}


def ready_data(event: EssaysReady, batch_id: str, era: str) -> dict[str, Any]:
    """Data of a ready event as a peer of `era` writes it."""
    data: dict[str, Any] = {
        "event": "batch.essays.ready",
        "batch_id": batch_id,
        "ready_essays": _refs(event.essays, era),
        "metadata": _metadata(batch_id, era, "batch.essays.ready"),
    }
    if era != "seed":
        data |= {"course_code": "SV1", "course_language": "sv", "class_type": "GUEST"}
    if era == "head":
        return data
    if era == "july":
        data["essay_instructions"] = ""
    failures = [_seed_failure(failure, batch_id) for failure in event.failures]
    return data | {
        "batch_entity": {"entity_id": batch_id, "entity_type": "batch", "parent_id": None},
        "validation_failures": failures or None,
        "total_files_processed": len(event.essays) + len(failures),
    }


def _seed_failure(failure: FileFailure, batch_id: str) -> dict[str, Any]:
    return {
        "event": "essay.validation.failed",
        "batch_id": batch_id,
        "original_file_name": failure.file_name,
        "raw_file_storage_id": "raw",
        "validation_error_code": failure.code,
        "validation_error_message": failure.message,
        "file_size_bytes": 1,
        "correlation_id": None,
        "timestamp": "2025-06-16T08:30:00.123456Z",
    }


def provisioned_data(event: ContentProvisioned, batch_id: str) -> dict[str, Any]:
    """Data of a content provisioning event of the head era."""
    return {
        "event": "batch.content.provisioning.completed",
        "batch_id": batch_id,
        "provisioned_count": len(event.essays),
        "expected_count": len(event.essays),
        "course_code": "SV1",
        "user_id": "teacher-001",
        "essays_for_processing": _refs(event.essays, "head"),
        "correlation_id": "4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        "timestamp": "2025-06-16T08:30:00.123456Z",
    }


def validation_data(event: ValidationFailed, batch_id: str) -> dict[str, Any]:
    """Data of a validation errors event of the head era."""
    failed = [
        {
            "essay_id": failure.essay_id,
            "file_name": failure.file_name,
            "error_detail": {"error_code": failure.code, "message": failure.message, "details": {}},
            "failed_at": "2025-06-16T08:30:00.123456Z",
        }
        for failure in event.failures
    ]
    summary = {"total_errors": event.total, "error_categories": {}, "critical_failure": event.critical}
    return {"batch_id": batch_id, "failed_essays": failed, "error_summary": summary}


def outcome_data(event: PhaseConcluded, batch_id: str, era: str) -> dict[str, Any]:
    """Data of an outcome as a peer of `era` writes it; July and seed call the phase nlp by its old name."""
    data: dict[str, Any] = {
        "batch_id": batch_id,
        "phase_name": "nlp_metrics" if era != "head" and event.phase == "nlp" else event.phase,
        "phase_status": event.status.value.upper() if era == "seed" else event.status.value,
        "processed_essays": _refs(event.essays, era),
        "failed_essay_ids": list(event.failed_essay_ids),
        "correlation_id": event.correlation_id,
    }
    return data if event.attempt is None else data | {"attempt": event.attempt}
