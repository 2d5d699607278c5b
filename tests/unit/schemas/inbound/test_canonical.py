"""The bodies of events and requests, in the words of every peer: each is one canonical body."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import ids
from schemas.internal.events import (
    CancelBatch,
    EssaysReady,
    InboxRecord,
    PauseBatch,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    ResumeBatch,
    RetryPhase,
)
from schemas.internal.records import decode_inbox, inbox_outgoing
from schemas.public.requests import request_record
from schemas.topics import ROUTER_INPUTS, Topic
from tests.unit.schemas.inbound.reading import (
    BATCH,
    DATA,
    OUTCOME,
    READY,
    READY_TOPIC,
    REFS,
    envelope,
    read,
    refusal,
)


@pytest.mark.parametrize("limit", ["5000", "batch holds at most"])
def test_too_many_essays_are_refused_with_the_limit(limit: str) -> None:
    assert limit in refusal(READY_TOPIC, envelope(READY_TOPIC, {**READY, "ready_essays": REFS[:1] * 5_001})).message


def test_metrics_of_any_kind_go_on_untouched() -> None:
    metrics = {"n": 2**70, "deep": [{"a": [None, 0.1, "å"]}], "": -1}
    ref = {"essay_id": "e", "text_storage_id": "t", "spellcheck_metrics": metrics}
    record = read(READY_TOPIC, envelope(READY_TOPIC, {**READY, "ready_essays": [ref]}))
    again = decode_inbox(inbox_outgoing(record).value or b"").body
    assert isinstance(again, EssaysReady)
    assert again.essays[0].spellcheck_metrics == metrics


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("cancel", {"reason": "withdrawn"}, CancelBatch),
        ("pause", {}, PauseBatch),
        ("resume", {}, ResumeBatch),
        ("retry", {"phase": "spellcheck"}, RetryPhase),
        ("register", {"expected_essay_count": 1, "course_code": "SV1", "user_id": "u"}, RegisterBatch),
    ],
)
def test_every_kind_of_request_is_read(kind: str, body: dict[str, Any], expected: type) -> None:
    record = request_record(
        request_id="r-1",
        kind=kind,
        batch_id=BATCH,
        principal=Principal(subject="s"),
        correlation_id=None,
        body=body,
        now=datetime.now(UTC),
    )
    found = read(Topic.REQUESTS, record)
    assert isinstance(found.body, expected)
    assert isinstance(found.body, CancelBatch | PauseBatch | ResumeBatch | RetryPhase | RegisterBatch)
    assert found.body.principal == Principal(subject="s")
    assert found.body.correlation_id == ids.request_correlation_id("r-1")
    assert found.origin.event_id == ids.request_event_id("r-1")


def test_a_request_carries_its_reason_its_version_and_its_essays() -> None:
    body = {"phase": "spellcheck", "essays": ["e2", "e1", "e2"], "reason": "fixed", "if_version": 7}
    data = {"request_id": "r-1", "kind": "retry", "batch_id": BATCH, "body": body}
    found = read(Topic.REQUESTS, envelope(Topic.REQUESTS, data=data)).body
    assert isinstance(found, RetryPhase)
    assert (found.phase, found.essays, found.reason, found.if_version) == ("spellcheck", ("e2", "e1"), "fixed", 7)
    for kind in ("cancel", "pause", "resume"):
        data = {**data, "kind": kind, "body": {"reason": "why", "if_version": 8}}
        control = read(Topic.REQUESTS, envelope(Topic.REQUESTS, data=data)).body
        assert isinstance(control, CancelBatch | PauseBatch | ResumeBatch)
        assert (control.reason, control.if_version) == ("why", 8)


def test_an_id_used_for_another_kind_of_request_is_a_conflict() -> None:
    def fingerprint(kind: str) -> str:
        data: dict[str, Any] = {"request_id": "r-1", "kind": kind, "batch_id": BATCH, "principal": None, "body": {}}
        body = read(Topic.REQUESTS, envelope(Topic.REQUESTS, data=data)).body
        assert isinstance(body, CancelBatch | PauseBatch | ResumeBatch)
        return body.fingerprint

    assert len({fingerprint(kind) for kind in ("cancel", "pause", "resume")}) == 3
    assert fingerprint("pause") == fingerprint("pause")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "explode"}, "ORC-FIELDS"),
        ({"body": [1]}, "ORC-FIELDS"),
        ({"batch_id": 7}, "ORC-FIELDS"),
        ({"kind": "retry"}, "ORC-REQUEST-BODY"),
        ({"kind": "register"}, "ORC-REQUEST-BODY"),
        ({"kind": "cancel", "body": {"reason": "x" * 501}}, "ORC-REQUEST-BODY"),
        ({"kind": "cancel", "body": {"x": 2**60}}, "ORC-REQUEST-BODY"),
        ({"kind": "pause", "body": {"if_version": -1}}, "ORC-REQUEST-BODY"),
        ({"kind": "retry", "body": {"phase": "p", "essays": ["a\nb"]}}, "ORC-REQUEST-BODY"),
    ],
)
def test_a_refused_request_keeps_its_id(change: dict[str, Any], code: str) -> None:
    error = refusal(Topic.REQUESTS, envelope(Topic.REQUESTS, {**DATA[Topic.REQUESTS], **change}))
    assert (error.code, error.request_id) == (code, "r-1")


def test_a_request_of_a_program_without_principal_is_anonymous() -> None:
    body = read(Topic.REQUESTS, envelope(Topic.REQUESTS)).body
    assert isinstance(body, PauseBatch)
    assert body.principal == Principal()


@pytest.mark.parametrize("topic", [Topic.OUTCOME, Topic.OUTCOME_SEED])
@pytest.mark.parametrize("event_type", [Topic.OUTCOME.value, Topic.OUTCOME_SEED.value])
def test_defect_34_both_spellings_of_the_outcome_topic_are_read(topic: Topic, event_type: str) -> None:
    assert isinstance(read(topic, envelope(topic, event_type=event_type)).body, PhaseConcluded)
    assert topic in ROUTER_INPUTS


@pytest.mark.parametrize(
    "status", ["completed_successfully", "completed_with_failures", "failed_critically", "cancelled"]
)
def test_defect_35_both_spellings_of_a_status_are_one(status: str) -> None:
    lower, upper = (
        read(Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "phase_status": spelling})).body
        for spelling in (status, status.upper())
    )
    assert lower == upper


def test_defect_36_the_phase_nlp_has_one_name() -> None:
    body = read(Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "phase_name": "nlp_metrics"})).body
    assert isinstance(body, PhaseConcluded)
    assert body.phase == "nlp"


def test_defect_37_a_bad_correlation_id_is_refused_before_anything_changes() -> None:
    for fields in ({"correlation_id": "not-a-uuid"}, {"data": {**OUTCOME, "correlation_id": "not-a-uuid"}}):
        assert refusal(Topic.OUTCOME, {**envelope(Topic.OUTCOME), **fields}).code == "ORC-CORRELATION-ID"


@pytest.mark.parametrize(
    ("topic", "path"),
    [
        (Topic.OUTCOME, ("failed_essay_ids",)),
        (Topic.OUTCOME, ("correlation_id",)),
        (Topic.OUTCOME, ("attempt",)),
        (READY_TOPIC, ("validation_failures",)),
        (Topic.VALIDATION_ERRORS, ("failed_essays", 0, "essay_id")),
        (Topic.VALIDATION_ERRORS, ("failed_essays", 0, "file_name")),
        (Topic.VALIDATION_ERRORS, ("error_summary", "critical_failure")),
        (Topic.REQUESTS, ("body",)),
        (Topic.REQUESTS, ("principal",)),
        (Topic.REQUESTS, ("principal", "organisation")),
    ],
)
def test_null_and_absent_mean_the_same(topic: Topic, path: tuple[str | int, ...]) -> None:
    def changed(value: object) -> InboxRecord:
        data = json.loads(json.dumps(DATA[topic]))
        if path[:1] == ("principal",) and len(path) > 1:
            data["principal"] = {}
        inner = data
        for part in path[:-1]:
            inner = inner[part]
        inner.pop(path[-1], None)
        if value is None:
            inner[path[-1]] = None
        return read(topic, envelope(topic, data))

    assert changed(None) == changed(...)


def test_an_outcome_that_names_no_failures_has_none() -> None:
    body = read(Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "failed_essay_ids": None})).body
    assert isinstance(body, PhaseConcluded)
    assert body.failed_essay_ids == ()
