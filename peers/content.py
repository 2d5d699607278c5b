"""Judging what a message says, held against what the peers know of its batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from peers.batch import Batch, prerequisites
from peers.envelope import Json
from peers.options import Era
from peers.rules import Finding, Rule
from peers.topics import STUDENT_MATCHING
from peers.verdict import expected_batch, open_answers

_LONGEST_ESSAY_ID = 36
_LANGUAGES = {"SV": "sv", "ENG": "en"}


def registration_findings(era: Era, data: Json, known: Batch | None) -> Iterator[Finding]:
    """Rules for the registered event; `known` is the batch where it is registered already."""
    ids: list[str] = data["essay_ids"]
    if data["expected_essay_count"] != len(ids):
        yield Finding(Rule.COUNT, f"expected_essay_count is {data['expected_essay_count']}, essay_ids are {len(ids)}")
    if not ids:
        yield Finding(Rule.COUNT, "no essays are registered")
    yield from _twice("essay_ids", ids)
    long = [essay_id for essay_id in ids if len(essay_id) > _LONGEST_ESSAY_ID]
    if era == "head" and long:
        yield Finding(Rule.LONG_ESSAY_ID, f"longer than {_LONGEST_ESSAY_ID} characters: {_some(long)}")
    if known is not None:
        if set(ids) == set(known.essays):
            yield Finding(Rule.REGISTERED_AGAIN, "registered by a second event")
        else:
            yield Finding(Rule.OTHER_SLOTS, "registered again with other essay ids")


def command_findings(era: Era, batch: Batch, phase: str, correlation_id: str | None, data: Json) -> Iterator[Finding]:
    """Rules for a phase's command (student matching included) that need the batch but no clock."""
    yield from _essays(batch, phase, data["essays_to_process"])
    first = batch.matching_commands == 0 if phase == STUDENT_MATCHING else phase not in batch.runs
    if first and correlation_id is not None and correlation_id != batch.correlation_id:
        yield Finding(Rule.CORRELATION_ID, f"the registration's is {batch.correlation_id}, this is {correlation_id}")
    if first:
        yield from _left_out(batch, phase, data["essays_to_process"])
    if "language" in data:
        yield from _language(batch, data["language"])
    # The seed's registration knows no course code; the superset carries one that may be a fallback.
    if era != "seed" and "course_code" in data and data["course_code"] != batch.course_code:
        yield Finding(Rule.COURSE_CODE, f"{data['course_code']!r}, registered with {batch.course_code!r}")
    if era == "head":
        yield from _class(batch, phase, data)


def timing_findings(batch: Batch, phase: str, now: float) -> Iterator[Finding]:
    """Whether a command came after the batch's end, or before the peers reported what it must build on."""
    # A cancellation may overtake a command on its way through another topic.
    if batch.ended_as not in (None, "cancelled"):
        yield Finding(Rule.AFTER_COMPLETION, f"{phase} commanded though the batch ended as {batch.ended_as}")
    if phase == STUDENT_MATCHING:
        if now < batch.provisioned_at:
            yield Finding(Rule.BEFORE_CAUSE, "student matching commanded before the content was reported")
        return
    if batch.starts_at is None or now < batch.starts_at:
        yield Finding(Rule.BEFORE_CAUSE, f"{phase} commanded before the batch was reported ready")
    for other, run in batch.runs.items():
        if other in prerequisites(phase) and run.answer_at is not None and now < run.answer_at:
            yield Finding(Rule.BEFORE_CAUSE, f"{phase} commanded before the outcome of {other}")


def completion_findings(batch: Batch, data: Json, now: float) -> Iterator[Finding]:
    """Rules for the completed event; a cancelled batch may end at any time with any counts."""
    expected = expected_batch(batch, now)
    successful, failed = data["successful_essay_count"], data["failed_essay_count"]
    if successful + failed != expected.registered:
        yield Finding(Rule.COUNT, f"{successful} successful and {failed} failed of {expected.registered} registered")
    if data["final_status"] == "cancelled":
        return
    if expected.final_status is None:
        owed = "an answer of the peers is still to come" if open_answers(batch, now) else "no phase was commanded"
        yield Finding(Rule.COMPLETED_EARLY, owed)
        return
    if data["final_status"] != expected.final_status:
        yield Finding(Rule.FINAL_STATUS, f"{data['final_status']!r}, expected {expected.final_status!r}")
    counts = (expected.successful_essay_count, expected.failed_essay_count)
    if (successful, failed) != counts:
        yield Finding(Rule.FINAL_COUNTS, f"{successful} and {failed}, expected {counts[0]} and {counts[1]}")
    if sorted(data["completed_phases"]) != sorted(expected.completed_phases):
        wanted = ", ".join(expected.completed_phases) or "none"
        yield Finding(Rule.COMPLETED_PHASES, f"{', '.join(data['completed_phases']) or 'none'}, expected {wanted}")


def _essays(batch: Batch, phase: str, references: Sequence[Json]) -> Iterator[Finding]:
    if not references:
        yield Finding(Rule.COUNT, "the command names no essays")
    ids = [reference["essay_id"] for reference in references]
    yield from _twice("essays_to_process", ids)
    unknown = [essay_id for essay_id in ids if essay_id not in batch.essays]
    if unknown:
        yield Finding(Rule.UNKNOWN_ESSAY, f"no slots of this batch: {_some(unknown)}")
    unknown, old = [], []
    for reference in references:
        essay, text_id = batch.essays.get(reference["essay_id"]), reference["text_storage_id"]
        if essay is None:
            continue
        if not essay.produced(text_id):
            unknown.append(f"{essay.essay_id}={text_id}")
        elif text_id not in essay.texts_for(phase):
            old.append(f"{essay.essay_id}={text_id}")
    if unknown:
        yield Finding(Rule.UNKNOWN_TEXT, f"never produced: {_some(unknown)}")
    if old:
        yield Finding(Rule.OLD_TEXT, f"not the newest text: {_some(old)}")


def _left_out(batch: Batch, phase: str, references: Sequence[Json]) -> Iterator[Finding]:
    named = {reference["essay_id"] for reference in references}
    missing = [
        essay.essay_id for essay in batch.essays.values() if essay.can_start(phase) and essay.essay_id not in named
    ]
    if missing:
        yield Finding(Rule.ESSAYS_LEFT_OUT, f"could start {phase}: {_some(missing)}")


def _language(batch: Batch, language: str) -> Iterator[Finding]:
    code = (batch.course_code or "").upper()
    wanted = next((value for prefix, value in _LANGUAGES.items() if code.startswith(prefix)), None)
    if language not in _LANGUAGES.values():
        yield Finding(Rule.LANGUAGE, f"{language!r} is neither 'en' nor 'sv'")
    elif wanted is not None and language != wanted:
        yield Finding(Rule.LANGUAGE, f"{language!r} for the course {batch.course_code}")


def _class(batch: Batch, phase: str, data: Json) -> Iterator[Finding]:
    if phase == STUDENT_MATCHING and data["class_id"] != batch.registration.get("class_id"):
        yield Finding(Rule.CLASS, f"class_id {data['class_id']!r}, registered {batch.registration.get('class_id')!r}")
    wanted = "REGULAR" if batch.is_class else "GUEST"
    if data.get("class_type", wanted) != wanted:
        yield Finding(Rule.CLASS, f"class_type {data['class_type']!r}, the registration means {wanted}")


def _twice(name: str, ids: Sequence[str]) -> Iterator[Finding]:
    repeated = [essay_id for essay_id, times in Counter(ids).items() if times > 1]
    if repeated:
        yield Finding(Rule.DUPLICATE_ESSAY, f"more than once in {name}: {_some(repeated)}")


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
