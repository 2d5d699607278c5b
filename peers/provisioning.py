"""The file service and the first half of ELS: content for the slots, and the events that say so."""

from __future__ import annotations

from dataclasses import dataclass

from peers.batch import Batch, Essay
from peers.envelope import Json, system_metadata, timestamp
from peers.options import Era, PeerOptions
from peers.topics import PROVISIONED, READY, VALIDATION_ERRORS

_FAILURE_CODES = (
    "EMPTY_CONTENT",
    "CONTENT_TOO_SHORT",
    "CONTENT_TOO_LONG",
    "RAW_STORAGE_FAILED",
    "TEXT_EXTRACTION_FAILED",
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the peers' own, before its envelope. `what` names it among the batch's events."""

    what: str
    topic: str
    at: float
    correlation_id: str
    data: Json


def provision(options: PeerOptions, batch: Batch) -> None:
    """Give each slot whose file passes validation its text id, as the batch's own chance has it."""
    files = batch.chance.stream("validation")
    for essay in batch.essays.values():
        if files.random() >= options.validation_failure_rate:
            essay.text_id = batch.chance.text_id(f"original:{essay.essay_id}")


def provisioning_events(options: PeerOptions, batch: Batch) -> list[Event]:
    """What the peers report when the content is there; sets `ready_at` where a ready event is among it."""
    at = batch.provisioned_at
    if options.era != "head":
        return [ready_event(options.era, batch, at)]
    events = []
    if len(batch.with_content()) < len(batch.essays):
        events.append(_event(batch, "validation-errors", VALIDATION_ERRORS, at, _validation_errors(batch, at)))
    events.append(_event(batch, "provisioned", PROVISIONED, at, _provisioned(batch, at)))
    if batch.is_class and options.class_batches == "associations" and batch.with_content():
        events.append(ready_event("head", batch, at + batch.chance.delay("associations", options.latency)))
    return events


def ready_event(era: Era, batch: Batch, at: float) -> Event:
    """BatchEssaysReady in the era's shape; notes in the batch that it goes out at `at`."""
    batch.ready_at = at
    data: Json = {
        "event": "batch.essays.ready",
        "batch_id": batch.batch_id,
        "ready_essays": _references(era, batch),
        "metadata": system_metadata(era, batch.batch_id, "batch.essays.ready", at),
    }
    if era == "head":
        data |= {**_course(batch), "student_prompt_ref": None, "class_type": "REGULAR" if batch.is_class else "GUEST"}
        return _event(batch, "ready", READY, at, data)
    data |= {
        "batch_entity": {"entity_id": batch.batch_id, "entity_type": "batch", "parent_id": None},
        "validation_failures": _seed_failures(batch, at) or None,
        "total_files_processed": len(batch.essays),
    }
    if era == "july":
        data |= {
            **_course(batch),
            "essay_instructions": batch.registration["essay_instructions"],
            "class_type": "GUEST",
            "teacher_first_name": None,
            "teacher_last_name": None,
        }
    return _event(batch, "ready", READY, at, data)


def _event(batch: Batch, what: str, topic: str, at: float, data: Json) -> Event:
    return Event(what, topic, at, batch.correlation_id, data)


def _references(era: Era, batch: Batch) -> list[Json]:
    essays = batch.with_content()
    batch.chance.stream("order:ready").shuffle(essays)
    metrics = {"spellcheck_metrics": None} if era == "head" else {}
    return [{"essay_id": essay.essay_id, "text_storage_id": essay.text_id} | metrics for essay in essays]


def _course(batch: Batch) -> Json:
    code = batch.course_code or "ENG5"
    return {"course_code": code, "course_language": "sv" if code.startswith("SV") else "en"}


def _failures(batch: Batch) -> list[tuple[Essay, str, str]]:
    """(slot, file name, error code) of each file that failed validation."""
    codes = batch.chance.stream("failure-codes")
    numbered = enumerate(batch.essays.values(), start=1)
    return [(essay, f"essay-{n}.txt", codes.choice(_FAILURE_CODES)) for n, essay in numbered if essay.text_id is None]


def _seed_failures(batch: Batch, at: float) -> list[Json]:
    return [
        {
            "event": "essay.validation.failed",
            "batch_id": batch.batch_id,
            "original_file_name": name,
            "raw_file_storage_id": batch.chance.text_id(f"raw:{essay.essay_id}"),
            "validation_error_code": code,
            "validation_error_message": f"File failed validation: {code}",
            "file_size_bytes": 0 if code == "EMPTY_CONTENT" else 1024,
            "correlation_id": batch.correlation_id,
            "timestamp": timestamp(at),
        }
        for essay, name, code in _failures(batch)
    ]


def _validation_errors(batch: Batch, at: float) -> Json:
    failed = [
        {
            "essay_id": essay.essay_id,
            "file_name": name,
            "error_detail": {
                "error_code": code,
                "message": f"File failed validation: {code}",
                "correlation_id": batch.correlation_id,
                "timestamp": timestamp(at),
                "service": "file_service",
                "operation": "validate",
                "details": {},
                "stack_trace": None,
                "trace_id": None,
                "span_id": None,
            },
            "failed_at": timestamp(at),
        }
        for essay, name, code in _failures(batch)
    ]
    return {
        "event": "batch.validation.errors.v1",
        "batch_id": batch.batch_id,
        "failed_essays": failed,
        "error_summary": {
            "total_errors": len(failed),
            "error_categories": {"validation": len(failed)},
            "critical_failure": len(failed) == len(batch.essays),
        },
        "correlation_id": batch.correlation_id,
        "metadata": system_metadata("head", batch.batch_id, "batch.validation.errors", at),
    }


def _provisioned(batch: Batch, at: float) -> Json:
    references = _references("head", batch)
    return {
        "event": "batch.content.provisioning.completed",
        "batch_id": batch.batch_id,
        "provisioned_count": len(references),
        "expected_count": len(batch.essays),
        "course_code": batch.course_code,
        "user_id": batch.registration["user_id"],
        "essays_for_processing": references,
        "correlation_id": batch.correlation_id,
        "timestamp": timestamp(at),
    }
