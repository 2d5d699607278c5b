"""Batches brought about the real way: public request, normalised, decided."""

from datetime import UTC, datetime
from typing import Any

from schemas.inbound.normalise import normalise
from schemas.internal.events import InboxRecord, Principal, RegisterBatch
from schemas.internal.outgoing import RecordPosition
from schemas.public.registration import RegistrationPolicy
from schemas.public.requests import request_record
from schemas.topics import Topic
from state.pipelines.loader import load_pipelines
from tests.unit.state.story import Story

POLICY = RegistrationPolicy(pipelines=load_pipelines())
AT = RecordPosition("anywhere", 2, 17)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SEED_BODY = {
    "expected_essay_count": 3,
    "course_code": "SV1",
    "class_designation": "Class 9A",
    "teacher_name": "Ms Berg",
    "essay_instructions": "Argue for or against school uniforms.",
}


def registration(batch_id: str, body: dict[str, Any], request_id: str = "first") -> InboxRecord:
    """The inbox record of a registration."""
    record = request_record(
        request_id=request_id,
        kind="register",
        batch_id=batch_id,
        principal=Principal(),
        correlation_id="4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        body=body,
        now=NOW,
    )
    return normalise(Topic.REQUESTS, AT, record, {}, POLICY)


def story_of(batch_id: str, body: dict[str, Any]) -> Story:
    """The story of a batch up to its registration with this public body."""
    story = Story(batch_id=batch_id)
    registered = registration(batch_id, body).body
    assert isinstance(registered, RegisterBatch)
    story.registration = registered
    story.register()
    return story
