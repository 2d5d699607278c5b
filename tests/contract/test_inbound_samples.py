"""Each sample of a topic that is read has one verdict: what becomes of it under the sample's precondition.

The precondition is built with the real decision. Slots are handed out by the product, so the samples' essay ids are
exchanged for the batch's own before the bytes are read. Where a sample's remark leaves a choice, the verdict is the
disposition that the decision core declares.
"""

import json
from typing import Any

import pytest

from schemas.errors import UnreadableRecord
from schemas.inbound.normalise import normalise
from schemas.internal.effects import CommandPhase, PipelineCompleted
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.outgoing import RecordPosition
from schemas.topics import ROUTER_INPUTS, Topic
from state.decision.result import Decision
from tests.contract.batches import POLICY, SEED_BODY, story_of
from tests.contract.eras import sample_file
from tests.unit.state.story import Story

D = Disposition
R = ReasonCode
DEAD_LETTER = "dead letter"
NOT_READ = "not read"

Verdict = tuple[object, object, tuple[str, ...]]
"""Disposition and reason code, or dead letter and error code; and what is published."""

_SPELLCHECK_3 = ("spellcheck:3",)

READY: dict[str, Verdict] = {
    "three_ready": (D.APPLIED, R.PIPELINE_STARTED, _SPELLCHECK_3),
    "single_ready": (D.APPLIED, R.PIPELINE_STARTED, ("spellcheck:1",)),
    "redelivery_same_event_id": (D.DUPLICATE, R.READY_AGAIN, ()),
    "producer_retry_new_event_id": (D.DUPLICATE, R.READY_AGAIN, ()),
    "conflicting_second_ready": (D.DUPLICATE, R.CONFLICTING_READY, ()),
    "late_after_outcome": (D.DUPLICATE, R.READY_AGAIN, ()),
    "unknown_batch": (D.UNKNOWN, R.UNKNOWN_BATCH, ()),
    "duplicate_ids_in_list": (D.APPLIED, R.PIPELINE_STARTED, ("spellcheck:2",)),
    "foreign_essay": (D.STALE, R.FOREIGN_ESSAYS_ONLY, ()),
    "july_shape": (D.APPLIED, R.PIPELINE_STARTED, _SPELLCHECK_3),
    "head_shape": (D.APPLIED, R.PIPELINE_STARTED, _SPELLCHECK_3),
    "missing_ready_essays": (DEAD_LETTER, "ORC-FIELDS", ()),
    "essay_without_storage_id": (DEAD_LETTER, "ORC-FIELDS", ()),
    "envelope_without_source": (DEAD_LETTER, "ORC-FIELDS", ()),
    "data_is_null": (DEAD_LETTER, "ORC-FIELDS", ()),
    "not_json": (DEAD_LETTER, "ORC-NOT-JSON", ()),
}

OUTCOME: dict[str, Verdict] = {
    "spellcheck_ok": (D.APPLIED, R.PHASE_COMPLETED, ("cj_assessment:3",)),
    "spellcheck_partial": (D.APPLIED, R.PHASE_COMPLETED, ("cj_assessment:24",)),
    "cj_ok_last_phase": (D.APPLIED, R.PHASE_COMPLETED, ("completed_successfully",)),
    "spellcheck_only_pipeline": (D.APPLIED, R.PHASE_COMPLETED, ("completed_successfully",)),
    "lowercase_status": (D.APPLIED, R.PHASE_COMPLETED, ("cj_assessment:3",)),
    "head_topic_and_shape": (D.APPLIED, R.PHASE_COMPLETED, ("cj_assessment:2",)),
    "unknown_status": (DEAD_LETTER, "ORC-OUTCOME-STATUS", ()),
    "redelivery_same_event_id": (D.DUPLICATE, R.OUTCOME_ALREADY_RECORDED, ()),
    "reaggregated_new_event_id": (D.DUPLICATE, R.OUTCOME_ALREADY_RECORDED, ()),
    "conflicting_duplicate": (D.STALE, R.PHASE_NOT_RUNNING, ()),
    "before_ready": (D.STALE, R.PHASE_NOT_RUNNING, ()),
    "unknown_batch": (D.UNKNOWN, R.UNKNOWN_BATCH, ()),
    "unknown_phase": (D.STALE, R.PHASE_NOT_IN_PIPELINE, ()),
    "phase_not_requested": (D.STALE, R.PHASE_NOT_IN_PIPELINE, ()),
    "success_without_essays": (D.APPLIED, R.PHASE_FAILED, ("failed_critically",)),
    "bad_correlation": (DEAD_LETTER, "ORC-CORRELATION-ID", ()),
    "null_correlation": (D.APPLIED, R.PHASE_COMPLETED, ("cj_assessment:3",)),
}

LATER: dict[str, Verdict] = {
    "client_request_plain": (NOT_READ, "huleedu.commands.batch.pipeline.v1", ()),
    "client_request_retry": (NOT_READ, "huleedu.commands.batch.pipeline.v1", ()),
    "client_request_two_prompts_invalid": (NOT_READ, "huleedu.commands.batch.pipeline.v1", ()),
    "client_request_reason_too_long_invalid": (NOT_READ, "huleedu.commands.batch.pipeline.v1", ()),
    "validation_errors_partial": (D.APPLIED, R.VALIDATION_FAILURES_RECORDED, ()),
    "validation_errors_critical": (D.APPLIED, R.CRITICAL_VALIDATION_FAILURE, ("failed_critically",)),
    "associations_confirmed": (NOT_READ, "huleedu.class.student.associations.confirmed.v1", ()),
}
"""Of the later topics; those that are published are in the table of published samples."""

ESSAYS = {"single_ready": 1, "spellcheck_partial": 25, "conflicting_second_ready": 25}
"""Size of the sample's batch, where it is not 3."""
DEFAULT_PRECONDITION = "registered:spellcheck,cj_assessment"


def sample_slots() -> list[str]:
    """The samples' essay ids, in the order of their slots."""
    outcomes = {sample["name"]: sample for sample in sample_file("els_batch_phase_outcome")["events"]}
    data = outcomes["spellcheck_partial"]["value"]["data"]
    failed: list[str] = data["failed_essay_ids"]
    return [ref["essay_id"] for ref in data["processed_essays"]] + failed


def under_precondition(sample: dict[str, Any], batch_id: str) -> Story:
    """The batch as the sample's precondition wants it."""
    registered, *events = (sample.get("precondition") or DEFAULT_PRECONDITION).split(";")
    count = ESSAYS.get(sample["name"], 3)
    body = {**SEED_BODY, "expected_essay_count": count, "enable_cj_assessment": "cj_assessment" in registered}
    story = story_of(batch_id, body)
    for event in events:
        if event == "ready" and sample["name"] == "spellcheck_partial":
            story.ready()
        elif event == "ready":
            tell_sample(story, "batch_essays_ready", "three_ready")
        else:
            assert event == "outcome:spellcheck:COMPLETED_SUCCESSFULLY"
            tell_sample(story, "els_batch_phase_outcome", "spellcheck_ok")
    return story


def tell_sample(story: Story, file: str, name: str) -> None:
    sample = next(sample for sample in sample_file(file)["events"] if sample["name"] == name)
    decision = read(story, Topic(sample_file(file)["topic"]), bytes_of(sample))
    assert decision.disposition is D.APPLIED


def read(story: Story, topic: Topic, record: bytes) -> Decision:
    """Normalise and decide, with the samples' essay ids exchanged for the batch's own slots."""
    for theirs, ours in zip(sample_slots(), story.slots, strict=False):
        record = record.replace(theirs.encode(), ours.encode())
    found = normalise(topic, RecordPosition(topic.value, 1, 5), record, {}, POLICY)
    if found.batch_id != story.batch_id:
        story.current = None
    return story.tell(found.body)


def bytes_of(sample: dict[str, Any]) -> bytes:
    if "raw_value" in sample:
        return str(sample["raw_value"]).encode()
    return json.dumps(sample["value"]).encode()


def published(decision: Decision) -> tuple[str, ...]:
    found = []
    for effect in decision.effects:
        if isinstance(effect, CommandPhase):
            found.append(f"{effect.phase}:{len(effect.essays)}")
            assert len({ref.essay_id for ref in effect.essays}) == len(effect.essays)
        if isinstance(effect, PipelineCompleted):
            found.append(effect.final_status.value)
    return tuple(found)


def verdict_on(file: str, sample: dict[str, Any]) -> Verdict:
    topic_name = sample.get("topic_override") or sample.get("topic") or sample_file(file)["topic"]
    if topic_name not in set(ROUTER_INPUTS):
        return (NOT_READ, topic_name, ())
    batch_id = sample_file("batch_essays_ready")["batch_id"]
    story = under_precondition(sample, batch_id)
    before = story.current
    try:
        decision = read(story, Topic(topic_name), bytes_of(sample))
    except UnreadableRecord as error:
        assert story.current is before
        return (DEAD_LETTER, error.code, ())
    return (decision.disposition, decision.reason.code, published(decision))


TABLES = {"batch_essays_ready": READY, "els_batch_phase_outcome": OUTCOME, "later_topics_head": LATER}
CASES = [(file, name, verdict) for file, table in TABLES.items() for name, verdict in table.items()]


@pytest.mark.parametrize(("file", "name", "verdict"), CASES, ids=[f"{file}-{name}" for file, name, _ in CASES])
def test_the_sample_gets_its_verdict(file: str, name: str, verdict: Verdict) -> None:
    [sample] = [sample for sample in sample_file(file)["events"] if sample["name"] == name]
    assert verdict_on(file, sample) == verdict


@pytest.mark.parametrize("file", ["batch_essays_ready", "els_batch_phase_outcome"])
def test_every_sample_has_a_verdict(file: str) -> None:
    assert [sample["name"] for sample in sample_file(file)["events"]] == list(TABLES[file])


def test_commands_carry_the_newest_texts() -> None:
    file = sample_file("els_batch_phase_outcome")
    [sample] = [sample for sample in file["events"] if sample["name"] == "spellcheck_ok"]
    story = under_precondition(sample, file["batch_id"])
    [command] = read(story, Topic.OUTCOME_SEED, bytes_of(sample)).effects
    assert isinstance(command, CommandPhase)
    reported = [ref["text_storage_id"] for ref in sample["value"]["data"]["processed_essays"]]
    assert [ref.text_storage_id for ref in command.essays] == reported
