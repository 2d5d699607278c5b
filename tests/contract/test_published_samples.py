"""Each sample of what is published, and of the registration over HTTP, has one verdict.

`COVERED`: what is rendered for the same facts says everything that the sample says. `NEVER`: it is a mistake that
cannot be published, with the eras that would refuse it.
"""

from typing import Any, NamedTuple

import msgspec
import pytest

from schemas.errors import InvalidRequest
from schemas.internal.effects import BatchRegistered, CommandPhase, Effect, PipelineCompleted
from schemas.internal.enums import BatchStatus
from schemas.internal.events import BatchContext, EssayRef
from schemas.outbound.render import render
from schemas.public.registration import language_of, parse_registration
from schemas.topics import TopicTable
from tests.contract.batches import POLICY
from tests.contract.eras import ERAS, faults, sample_file
from tests.contract.test_inbound_samples import LATER

COVERED = "covered"


class Never(NamedTuple):
    """Why it cannot be published, and which eras' models refuse it."""

    why: str
    refused_by: tuple[str, ...]


LATER_ERAS = ("july", "head")

REGISTERED: dict[str, str | Never] = {
    "one_essay": COVERED,
    "keyed_by_batch": COVERED,
    "redelivery_same_event_id": COVERED,
    "republish_new_event_id": Never("the event id is derived from the decision, so a repeat has the same", LATER_ERAS),
    "null_correlation": Never("a batch has a correlation id from its registration on", LATER_ERAS),
    "head_guest": COVERED,
    "head_regular_class": COVERED,
    "head_with_org_and_prompt": COVERED,
    "dual_shape_superset": COVERED,
    "count_mismatch": Never("the count is the number of slots", LATER_ERAS),
    "duplicate_slot_ids": Never("slots are derived from their index", LATER_ERAS),
    "missing_metadata": Never("the payload's struct has it", ERAS),
}

SPELLCHECK: dict[str, str | Never] = {
    "swedish_three": COVERED,
    "english_three": COVERED,
    "single_essay": COVERED,
    "class_of_25": COVERED,
    "keyed_by_batch": COVERED,
    "republish_new_event_id": Never("the event id is derived from batch, phase and attempt", ()),
    "null_correlation": Never("a batch has a correlation id from its registration on", LATER_ERAS),
    "head_shape": COVERED,
    "empty_essay_list": Never("a phase without essays is not commanded", ()),
    "missing_language": Never("the payload's struct has it", ERAS),
    "missing_entity": Never("the payload's struct has it", ("seed", "july")),
    "essay_without_storage_id": Never("an essay reference has both", ERAS),
}

CJ: dict[str, str | Never] = {
    "swedish_three": COVERED,
    "unknown_course_defaults_en": COVERED,
    "keyed_by_batch": COVERED,
    "keyed_by_correlation": COVERED,
    "july_shape": COVERED,
    "head_regular_with_prompt": COVERED,
    "dual_shape_superset": COVERED,
    "missing_course_code": Never("the payload's struct has it", ERAS),
    "missing_instructions": Never("the payload's struct has it", ERAS),
    "assignment_id_too_long": Never("the registration refuses more than 100 characters", ERAS),
    "empty_essay_list": Never("a phase without essays is not commanded", LATER_ERAS),
    "essays_not_a_list": Never("the payload's struct has a list", ERAS),
}

PUBLISHED_LATER: dict[str, str | Never] = {
    "ai_feedback_command": COVERED,
    "pipeline_completed": COVERED,
    "pipeline_denied": Never("there are no credits to deny", ()),
}

HTTP: dict[str, int] = {
    "seed_minimal": 202,
    "seed_with_cj": 202,
    "superset": 202,
    "zero_count": 400,
    "negative_count": 400,
    "numeric_string_count": 202,
    "empty_ids": 400,
    "temperature_out_of_range": 400,
    "course_outside_enum": 202,
    "unknown_field": 202,
    "array_body": 400,
    "empty_object": 400,
    "no_content_type": 400,
    "client_correlation": 202,
    "bad_client_correlation": 202,
}
BEFORE_THE_BODY = {"array_body", "no_content_type"}
"""Refused before there is a body to validate; the tests of the api hold these two."""

TABLES = {
    "batch_essays_registered": ("BatchEssaysRegistered", REGISTERED),
    "spellcheck_initiate_command": ("BatchServiceSpellcheckInitiateCommandDataV1", SPELLCHECK),
    "cj_assessment_initiate_command": ("BatchServiceCJAssessmentInitiateCommandDataV1", CJ),
}
CASES = [(file, name, verdict) for file, (_, table) in TABLES.items() for name, verdict in table.items()]
CASES += [("later_topics_head", name, verdict) for name, verdict in PUBLISHED_LATER.items()]
CHOSEN_BY_US = {"event_id", "event_timestamp", "timestamp"}
"""Fields that the sample gives made-up values."""


def sample_of(file: str, name: str) -> dict[str, Any]:
    [sample] = [sample for sample in sample_file(file)["events"] if sample["name"] == name]
    return dict(sample)


def effect_of(topic: str, envelope: dict[str, Any]) -> Effect:
    """The effect with the sample's facts."""
    data = envelope["data"]
    entity = data.get("entity_ref") or data
    asker = envelope.get("metadata") or {}
    course = data.get("course_code", "ENG5")
    context = BatchContext(
        course_code=course,
        course_code_given=course,
        language=data.get("language", language_of(course)),
        class_designation=data.get("class_designation"),
        teacher_name=data.get("teacher_name"),
        essay_instructions=data.get("essay_instructions"),
        user_id=data.get("user_id", asker.get("user_id")),
        org_id=data.get("org_id", asker.get("org_id")),
        class_id=data.get("class_id") or ("some-class" if data.get("class_type") == "REGULAR" else None),
        assignment_id=data.get("assignment_id"),
        student_prompt_ref=data.get("student_prompt_ref"),
    )
    common: dict[str, Any] = {
        "event_id": envelope["event_id"],
        "batch_id": data.get("batch_id") or entity.get("entity_id"),
        "time_ms": 1_750_062_600_123,
        "correlation_id": envelope["correlation_id"],
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "context": context,
    }
    if topic == "huleedu.batch.essays.registered.v1":
        return BatchRegistered(**common, essay_ids=tuple(data["essay_ids"]))
    if topic == "huleedu.batch.pipeline.completed.v1":
        return PipelineCompleted(
            **common,
            final_status=BatchStatus(data["final_status"]),
            completed_phases=tuple(data["completed_phases"]),
            started_ms=common["time_ms"] - round(data["processing_duration_seconds"] * 1000),
            succeeded=data["successful_essay_count"],
            failed=data["failed_essay_count"],
        )
    essays = msgspec.convert(data["essays_to_process"], tuple[EssayRef, ...])
    return CommandPhase(**common, phase=topic.split(".")[2], attempt=1, essays=essays)


def unsaid(sample: Any, ours: Any, path: str = "") -> list[str]:
    """What the sample says and we don't. A null of the sample says nothing."""
    if isinstance(sample, dict) and isinstance(ours, dict):
        return [
            fault
            for name, value in sample.items()
            if value is not None and name not in CHOSEN_BY_US
            for fault in unsaid(value, ours.get(name), f"{path}.{name}")
        ]
    if isinstance(sample, list) and isinstance(ours, list) and len(sample) == len(ours):
        return [fault for pair in zip(sample, ours, strict=True) for fault in unsaid(*pair, f"{path}[]")]
    return [] if sample == ours else [f"{path}: {sample!r}, ours is {ours!r}"]


@pytest.mark.parametrize(("file", "name", "verdict"), CASES, ids=[f"{file}-{name}" for file, name, _ in CASES])
def test_the_published_sample_gets_its_verdict(file: str, name: str, verdict: str | Never) -> None:
    sample = sample_of(file, name)
    envelope = sample["value"]
    if isinstance(verdict, Never):
        if file in TABLES:
            assert tuple(era for era in ERAS if faults(era, TABLES[file][0], envelope)) == verdict.refused_by
        return
    topic = sample.get("topic") or sample_file(file)["topic"]
    outgoing = render(effect_of(topic, envelope), TopicTable())
    ours = msgspec.json.decode(outgoing.value or b"")
    assert unsaid(envelope, ours) == []
    assert outgoing.topic == topic


def test_pipeline_denied_has_no_topic_here() -> None:
    with pytest.raises(ValueError, match=r"pipeline\.denied"):
        TopicTable().topic(sample_of("later_topics_head", "pipeline_denied")["topic"])


@pytest.mark.parametrize(("name", "status"), HTTP.items())
def test_the_registration_body_gets_its_verdict(name: str, status: int) -> None:
    [sample] = [sample for sample in sample_file("http_register_batch")["requests"] if sample["name"] == name]
    body = sample.get("body")
    if name in BEFORE_THE_BODY:
        assert not isinstance(body, dict)
    elif status == 400:
        with pytest.raises(InvalidRequest) as refused:
            parse_registration(body, POLICY)
        assert refused.value.details
    else:
        assert parse_registration(body, POLICY).expected_essay_count == 3
    assert str(status) in str(sample["recommended_status"])


@pytest.mark.parametrize("file", sorted(TABLES))
def test_every_published_sample_has_a_verdict(file: str) -> None:
    assert [sample["name"] for sample in sample_file(file)["events"]] == list(TABLES[file][1])


def test_every_later_sample_and_every_http_sample_has_a_verdict() -> None:
    later = {sample["name"] for sample in sample_file("later_topics_head")["events"]}
    assert later == set(LATER) | set(PUBLISHED_LATER)
    assert not set(LATER) & set(PUBLISHED_LATER)
    assert [sample["name"] for sample in sample_file("http_register_batch")["requests"]] == list(HTTP)
