"""The dead letters of the browser tests."""

import json

from msgspec import Struct

from schemas.errors import Code
from schemas.ids import derived_id
from schemas.internal.dead_letters import DISCARDED, REPLAYED, Handled, dead_letter, handled_letter
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from tests.browser.stories import NOW_MS, BrowserStory

OUTCOME = "huleedu.els.batch_phase.outcome.v1"
REQUESTS = "huleedu.batch.requests.v1"


class Found(Struct, frozen=True, kw_only=True):
    """A record that became a dead letter."""

    minutes_ago: int
    topic: str
    offset: int
    value: bytes
    code: Code
    reason: str
    traceback: str = ""

    @property
    def time_ms(self) -> int:
        """When it became a dead letter."""
        return NOW_MS - self.minutes_ago * 60_000

    def letter(self) -> OutgoingRecord:
        """Return its record on the dead letter topic."""
        return dead_letter(
            value=self.value,
            key=b"peer-key",
            first=RecordPosition(self.topic, self.offset % 4, self.offset, self.time_ms - 350),
            code=self.code,
            reason=self.reason,
            traceback=self.traceback,
        )

    def handled(self, letter: OutgoingRecord, offset: int, state: str) -> OutgoingRecord:
        """Return the record of what an operator did with it; `offset` is that of the dead letter."""
        handled = Handled(
            state=state,
            letter_offset=offset,
            letter_time_ms=self.time_ms,
            time_ms=self.time_ms + 120_000,
            by="ops.nilsson",
            note="the registration came late" if state == REPLAYED else "a load test of the peer",
        )
        return handled_letter(letter.key.decode(), letter.value, letter.headers, handled)


def letters(all_stories: list[BrowserStory]) -> list[tuple[Found, str]]:
    """Return dead letters, and what was done with some of them; empty for those that are open."""
    running = [story for story in all_stories if story.batch.status.value == "processing_pipelines"]
    found = [_early_outcome(story, place) for place, story in enumerate(running[12:19])]
    found += [_strange_outcome(place) for place in range(5)]
    found += [
        Found(
            minutes_ago=95,
            topic=REQUESTS,
            offset=7_301,
            value=b'{"kind": "register", "expected_essay_count": 12, "course_code": "ENG5",',
            code=Code.NOT_JSON,
            reason="The value is not JSON: unexpected end of data at byte 71.",
        ),
        Found(
            minutes_ago=610,
            topic=OUTCOME,
            offset=4_410,
            value=bytes.fromhex("0a1b8f5e6d000105ff00cafe") * 6,
            code=Code.NOT_JSON,
            reason="The value is not UTF-8: invalid start byte at byte 2.",
        ),
        Found(
            minutes_ago=31,
            topic=OUTCOME,
            offset=5_977,
            value=_outcome(derived_id("browser crash"), "grammar", 3),
            code=Code.DECISION_FAILED,
            reason="A rule failed on this record: KeyError: 'grammar'.",
            traceback='Traceback (most recent call last):\n  File "state/decision/outcomes.py", line 88, in conclude\n'
            "    run = batch.phases[body.phase]\nKeyError: 'grammar'\n",
        ),
    ]
    return [(each, {6: REPLAYED, 10: DISCARDED}.get(place, "")) for place, each in enumerate(found)]


def _early_outcome(story: BrowserStory, place: int) -> Found:
    """Return an outcome that came before its batch was known here, and would be decided now."""
    phase = next(name for name, run in story.batch.phases.items() if run.status.value == "dispatch_initiated")
    essays = [ref.essay_id for ref in story.commands(phase)[-1].essays]
    return Found(
        minutes_ago=4 + place,
        topic=OUTCOME,
        offset=6_100 + place,
        value=_outcome(story.batch_id, phase, 0, essays),
        code=Code.UNKNOWN_BATCH,
        reason=f"There is no batch {story.batch_id}.",
    )


def _strange_outcome(place: int) -> Found:
    return Found(
        minutes_ago=120 + 7 * place,
        topic=OUTCOME,
        offset=5_600 + place,
        value=_outcome(derived_id(f"browser stranger {place}"), "spellcheck", 12),
        code=Code.UNKNOWN_BATCH,
        reason=f"There is no batch {derived_id(f'browser stranger {place}')}.",
    )


def _outcome(batch_id: str, phase: str, essays: int, essay_ids: list[str] | None = None) -> bytes:
    named = essay_ids or [derived_id(f"browser essay {batch_id} {number}") for number in range(essays)]
    body = {
        "event_id": derived_id(f"browser outcome {batch_id} {phase}"),
        "event_type": OUTCOME,
        "event_timestamp": "2026-11-24T13:58:22.000000Z",
        "source_service": "essay-lifecycle-service",
        "schema_version": 1,
        "correlation_id": derived_id(f"browser correlation of {batch_id}"),
        "data": {
            "batch_id": batch_id,
            "phase_name": phase,
            "phase_status": "COMPLETED_SUCCESSFULLY",
            "processed_essays": [{"essay_id": each, "text_storage_id": derived_id(f"text {each}")} for each in named],
            "failed_essay_ids": [],
        },
    }
    return json.dumps(body).encode()
