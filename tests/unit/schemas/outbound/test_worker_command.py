"""What workers of generic commands get."""

import json
from typing import Any

from msgspec.structs import replace

from schemas.internal.effects import CommandPhase, GenericCommand
from schemas.internal.events import BatchContext, EssayRef
from schemas.outbound.render import render
from schemas.topics import TopicTable

COMMAND = CommandPhase(
    event_id="5cf33cd4-881a-566c-86f3-c85eec47f87f",
    batch_id="batch-1",
    time_ms=1_767_312_000_000,
    correlation_id="4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
    trace_id="4c152a9bd7e758daa8f22cf175e883f3",
    context=BatchContext(course_code="ENG5", course_code_given="ENG5", language="en", org_id="school-1"),
    phase="grammar",
    attempt=2,
    essays=(EssayRef("e1", "t1"), EssayRef("e2", "t2", {"errors": 3})),
    generic=GenericCommand(pipeline="essays", pipeline_version=3, deadline_ms=1_767_312_060_500),
)


def test_the_command_says_all_that_a_worker_needs() -> None:
    record = render(COMMAND, TopicTable(prefix="school"))
    told: dict[str, Any] = json.loads(record.value or b"")
    assert (record.topic, record.key) == ("school.batch.phase.grammar.command.v1", b"batch-1")
    assert told["event_type"] == record.topic
    assert told["event_id"] == COMMAND.event_id
    assert told["metadata"] == {"user_id": None, "org_id": "school-1"}
    assert told["data"] == {
        "command_id": COMMAND.event_id,
        "batch_id": "batch-1",
        "phase": "grammar",
        "attempt": 2,
        "pipeline": "essays",
        "pipeline_version": 3,
        "essays": [
            {"essay_id": "e1", "text_storage_id": "t1"},
            {"essay_id": "e2", "text_storage_id": "t2", "metrics": {"errors": 3}},
        ],
        "context": {"course_code": "ENG5", "course_code_given": "ENG5", "language": "en", "org_id": "school-1"},
        "deadline": "2026-01-02T00:01:00.500000Z",
        "correlation_id": COMMAND.correlation_id,
    }


def test_a_definition_can_name_the_topic() -> None:
    form = GenericCommand(topic="grammar.jobs", pipeline="essays", pipeline_version=3, deadline_ms=0)
    record = render(replace(COMMAND, generic=form), TopicTable(prefix="school"))
    assert record.topic == "grammar.jobs"
    assert dict(record.headers)["event_type"] == b"grammar.jobs"
