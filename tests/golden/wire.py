"""Examples of what others read: requests, what is published, dead letters."""

from datetime import UTC, datetime
from typing import Any

from schemas.internal.dead_letters import DISCARDED, Handled, dead_letter, handled_letter, replayed_letter
from schemas.internal.effects import (
    BatchRegistered,
    CommandPhase,
    CommandStudentMatching,
    Effect,
    GenericCommand,
    PipelineCompleted,
)
from schemas.internal.enums import BatchStatus
from schemas.internal.events import (
    Principal,
)
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.records import inbox_outgoing
from schemas.public.requests import RequestKind, request_record
from schemas.topics import Topic
from tests.golden.facts import (
    BATCH,
    CLASS_CONTEXT,
    CORRELATION,
    ESSAYS,
    EVENT,
    OWNER,
    SEED_CONTEXT,
    TIME,
    TRACE,
)
from tests.golden.records import inbox_records


def requests() -> dict[str, OutgoingRecord]:
    """Public requests, of every kind."""
    bodies: dict[RequestKind, dict[str, Any]] = {
        RequestKind.REGISTER: {"expected_essay_count": 2, "course_code": "SV1", "user_id": "åsa", "x": 1.5},
        RequestKind.CANCEL: {"reason": "withdrawn"},
        RequestKind.PAUSE: {},
        RequestKind.RESUME: {},
        RequestKind.RETRY: {"phase": "spellcheck", "essays": "failed"},
    }
    return {
        f"request-{kind}": OutgoingRecord(
            Topic.REQUESTS,
            BATCH.encode(),
            request_record(
                request_id="request-1",
                kind=kind,
                batch_id=BATCH,
                principal=OWNER if kind is RequestKind.REGISTER else Principal(),
                correlation_id=CORRELATION if kind is RequestKind.REGISTER else None,
                body=body,
                now=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
            ),
        )
        for kind, body in bodies.items()
    }


def effects() -> dict[str, Effect]:
    """Every kind of record that is published to peers."""
    common: dict[str, Any] = {
        "event_id": EVENT,
        "batch_id": BATCH,
        "time_ms": TIME,
        "correlation_id": CORRELATION,
        "trace_id": TRACE,
    }
    found: dict[str, Effect] = {}
    for era, context in {"seed": SEED_CONTEXT, "class": CLASS_CONTEXT}.items():
        found[f"published-registered-{era}"] = BatchRegistered(
            **common, context=context, essay_ids=("essay-1", "essay-2")
        )
        for phase in ("spellcheck", "cj_assessment", "nlp", "ai_feedback"):
            found[f"published-{phase}-{era}"] = CommandPhase(
                **common, context=context, phase=phase, attempt=1, essays=ESSAYS
            )
    found["published-generic"] = CommandPhase(
        **common,
        context=SEED_CONTEXT,
        phase="grammar",
        attempt=2,
        essays=ESSAYS,
        generic=GenericCommand(pipeline="essays", pipeline_version=3, deadline_ms=TIME + 3_600_000),
    )
    found["published-student-matching"] = CommandStudentMatching(**common, context=CLASS_CONTEXT, essays=ESSAYS)
    found["published-completed"] = PipelineCompleted(
        **common,
        context=SEED_CONTEXT,
        final_status=BatchStatus.COMPLETED_WITH_FAILURES,
        completed_phases=("spellcheck", "cj_assessment"),
        started_ms=TIME - 412_500,
        succeeded=1,
        failed=1,
    )
    return found


def dead_letters() -> dict[str, OutgoingRecord]:
    """Dead letters of the router and of the orchestrator, what was done with one, and its replay."""
    found = _dead_letters()
    letter = found["dead-letter-router"]
    discarded = Handled(
        state=DISCARDED,
        letter_offset=41,
        letter_time_ms=TIME + 50,
        time_ms=TIME + 9_000,
        by="operator-1",
        note="sent by a test of the peer",
    )
    handled = handled_letter(letter.key.decode(), letter.value, letter.headers, discarded)
    found["dead-letter-discarded"] = handled
    found["dead-letter-replay"] = replayed_letter(handled.key.decode(), handled.value, handled.headers)
    return found


def _dead_letters() -> dict[str, OutgoingRecord]:
    return {
        "dead-letter-router": dead_letter(
            value=b"\x00 not json {",
            key=b"k\xff",
            first=RecordPosition(Topic.REQUESTS.value, 2, 17, TIME),
            code="ORC-NOT-JSON",
            reason="Invalid JSON",
            request_id="request-1",
        ),
        "dead-letter-orchestrator": dead_letter(
            value=inbox_outgoing(inbox_records()["inbox-essays_ready"]).value,
            key=None,
            first=RecordPosition(Topic.ESSAYS_READY.value, 2, 17, TIME),
            code="ORC-UNKNOWN-BATCH",
            reason="no such batch",
            traceback="Traceback (most recent call last): ...",
            wrapped=True,
        ),
    }
