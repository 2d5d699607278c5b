"""Records on input topics, read as the router reads them."""

import json
from typing import Any

import pytest

from schemas.errors import UnreadableRecord
from schemas.inbound.normalise import normalise
from schemas.internal.events import (
    InboxRecord,
)
from schemas.internal.outgoing import RecordPosition
from schemas.public.registration import RegistrationPolicy
from schemas.topics import Topic
from state.pipelines.loader import load_pipelines

POLICY = RegistrationPolicy(pipelines=load_pipelines())


BATCH = "0b352314-208c-5ed1-81ba-5ce3fbb9d912"


REFS = [{"essay_id": "e1", "text_storage_id": "t1"}, {"essay_id": "e2", "text_storage_id": "t2"}]


READY = {"batch_id": BATCH, "ready_essays": REFS}


OUTCOME = {
    "batch_id": BATCH,
    "phase_name": "spellcheck",
    "phase_status": "completed_successfully",
    "processed_essays": REFS,
    "failed_essay_ids": [],
}


DATA: dict[Topic, dict[str, Any]] = {
    Topic.ESSAYS_READY: READY,
    Topic.OUTCOME: OUTCOME,
    Topic.OUTCOME_SEED: OUTCOME,
    Topic.CONTENT_PROVISIONED: {"batch_id": BATCH, "essays_for_processing": REFS},
    Topic.VALIDATION_ERRORS: {
        "batch_id": BATCH,
        "failed_essays": [{"essay_id": "", "file_name": "f", "error_detail": {"error_code": "c", "message": "m"}}],
        "error_summary": {"total_errors": 1},
    },
    Topic.WORKER_OUTCOME: {
        "batch_id": BATCH,
        "phase": "grammar",
        "attempt": 2,
        "status": "completed_with_failures",
        "essays": [
            {**REFS[0], "metrics": {"errors": 3}},
            {"essay_id": "e2", "failure": {"reason": "too long", "retryable": False}},
            {"essay_id": "e3", "text_storage_id": "t3", "failure": {}},
        ],
    },
    Topic.REQUESTS: {"request_id": "r-1", "kind": "pause", "batch_id": BATCH, "principal": None, "body": {}},
}


def envelope(topic: Topic, data: object = None, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "event_id": "5cf33cd4-881a-566c-86f3-c85eec47f87f",
        "event_type": topic.value,
        "event_timestamp": "2025-06-16T08:30:00.123456Z",
        "source_service": "essay-lifecycle-service",
        "correlation_id": "4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        "data": DATA[topic] if data is None else data,
    }
    return {name: value for name, value in {**document, **fields}.items() if value is not ...}


def read(
    topic: Topic,
    value: bytes | dict[str, Any] | None,
    headers: dict[str, bytes] | None = None,
    policy: RegistrationPolicy = POLICY,
) -> InboxRecord:
    raw = json.dumps(value).encode() if isinstance(value, dict) else value
    return normalise(topic, RecordPosition(policy.topics.name(topic), 2, 17), raw, headers or {}, policy)


def refusal(
    topic: Topic, value: bytes | dict[str, Any] | None, headers: dict[str, bytes] | None = None
) -> UnreadableRecord:
    with pytest.raises(UnreadableRecord) as refused:
        read(topic, value, headers)
    assert refused.value.next_step
    return refused.value


READY_TOPIC = Topic.ESSAYS_READY
