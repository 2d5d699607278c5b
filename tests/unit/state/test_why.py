"""Why a batch is where it is: for each code a batch, and the exact sentence that a person reads."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, DeadlineKind
from schemas.internal.status import StatusRecord
from state.decision.records import status_record
from state.why import Lag, Usual, Why, WhyCode, why
from tests.unit.state.clocked import ClockedStory, begun, phase, pipeline_of
from tests.unit.state.givens import (
    backing_off,
    cancelled,
    completed,
    critical,
    held,
    matching,
    partial,
    paused,
    running,
    stalled,
    waiting,
)
from tests.unit.state.story import START_MS

USUAL = {"a": Usual(3_000, 9_000, 40)}
"""The story began at 2025-06-15 15:06:40Z; its phases are stalled after 20 s and given up after 100 s."""


def _paused_for_a_reason() -> ClockedStory:
    story = running()
    story.pause(reason="the peer is being upgraded")
    return story


def _joining() -> ClockedStory:
    story = begun(phase("a"), phase("b"), phase("c", ["a", "b"]))
    story.answer("a")
    return story


def _partly() -> ClockedStory:
    story = partial()
    story.answer("b")
    return story


class Case(NamedTuple):
    """A batch, and what is said of it some seconds after its last event."""

    code: WhyCode
    given: Callable[[], ClockedStory]
    sentence: str
    waiting_for: str
    next: str
    after_s: int = 2
    more: dict[str, Any] = {}  # noqa: RUF012 (never changed)

    def why(self) -> Why:
        story = self.given()
        more = {"definition": story.batch.pipeline, **self.more}
        return why(status_record(story.batch), story.now_ms + self.after_s * 1000, **more)


CASES = (
    Case(
        WhyCode.DEAD_LETTER_OPEN,
        running,
        "2 dead letters of this batch are open: replay or discard them. Otherwise: waiting for a (attempt 1): 3 essays "
        "commanded 2 s ago; fails at 2025-06-15 15:08:21Z.",
        "a person: 2 dead letters",
        "fails at its deadline",
        more={"open_letters": 2},
    ),
    Case(
        WhyCode.DEAD_LETTER_OPEN,
        completed,
        "1 dead letter of this batch is open: replay or discard it. Otherwise: completed: all 3 essays passed a and b; "
        "ended 2 s ago, 3 s after its registration.",
        "a person: 1 dead letter",
        "its record is purged",
        more={"open_letters": 1},
    ),
    Case(
        WhyCode.PIPE_BEHIND,
        running,
        "The router is 41 s behind on partition 3 of its inputs: the next event of this batch may already be in Kafka. "
        "So far: waiting for a (attempt 1): 3 essays commanded 2 s ago; fails at 2025-06-15 15:08:21Z.",
        "the router to catch up",
        "fails at its deadline",
        more={"lags": [Lag("router", 3, 41.2), Lag("inbox", 1, 7.0), Lag("projection", 0, 90.0)]},
    ),
    Case(
        WhyCode.PIPE_BEHIND,
        waiting,
        "The orchestrator is 1 min behind on partition 1 of the inbox: the next event of this batch may already be in "
        "Kafka. So far: waiting for the content of 3 essays: registered 2 s ago; fails at 2025-06-15 15:07:30Z.",
        "the orchestrator to catch up",
        "fails: its essays never came",
        more={"lags": [Lag("orchestrator", 1, 70.0)]},
    ),
    Case(
        WhyCode.PAUSED,
        _paused_for_a_reason,
        "Paused by teacher 2 s ago (the peer is being upgraded): no phase starts and no deadline runs; a still works "
        "on 3 essays.",
        "somebody to resume it",
        "",
    ),
    Case(
        WhyCode.DEADLINE_PASSED,
        running,
        "The time after which a counts as stalled passed 30 s ago and nothing has acted on it: the timekeeper or the "
        "router is behind or stopped.",
        "the timekeeper",
        "",
        after_s=50,
    ),
    Case(
        WhyCode.DEADLINE_PASSED,
        waiting,
        "The deadline for its essays passed 1 h ago and nothing has acted on it: the timekeeper or the router is "
        "behind or stopped.",
        "the timekeeper",
        "",
        after_s=3_650,
    ),
    Case(
        WhyCode.WAITING_FOR_CONTENT,
        waiting,
        "Waiting for the content of 3 essays: registered 2 s ago; fails at 2025-06-15 15:07:30Z.",
        "content of its essays",
        "fails: its essays never came",
    ),
    Case(
        WhyCode.WAITING_FOR_READY,
        matching,
        "Waiting for the ready event of 3 essays: registered 3 s ago, its students are being matched; fails at "
        "2025-06-15 15:07:30Z.",
        "ready event",
        "fails: its essays never came",
    ),
    Case(
        WhyCode.PHASE_HELD,
        held,
        "a is held for a person: the peer reported failure, 3 of 3 essays lost; retry it or cancel the batch, or it "
        "fails at 2025-06-15 15:23Z.",
        "a person: a is held",
        "fails: its hold ends",
    ),
    Case(
        WhyCode.PHASE_STALLED,
        stalled,
        "Stalled: waiting for a (attempt 1): 3 essays commanded 22 s ago, usually 3 s; fails at 2025-06-15 15:08:21Z.",
        "outcome of a",
        "fails at its deadline",
        more={"usual": USUAL},
    ),
    Case(
        WhyCode.OUTCOME_OVERDUE,
        running,
        "Waiting longer than usual for a (attempt 1): 3 essays commanded 15 s ago, usually 3 s (95 % within 9 s); "
        "fails at 2025-06-15 15:08:21Z.",
        "outcome of a",
        "fails at its deadline",
        after_s=15,
        more={"usual": USUAL},
    ),
    Case(
        WhyCode.WAITING_TO_RETRY,
        backing_off,
        "a is tried again at 2025-06-15 15:06:52Z (attempt 2 of 3): 2 of 3 essays lost.",
        "backoff of a",
        "a is tried again",
    ),
    Case(
        WhyCode.WAITING_FOR_JOIN,
        _joining,
        "c waits for b (attempt 1), a has ended: 3 essays commanded 3 s ago; fails at 2025-06-15 15:08:21Z.",
        "outcome of b",
        "fails at its deadline",
    ),
    Case(
        WhyCode.WAITING_FOR_OUTCOME,
        running,
        "Waiting for a (attempt 1): 3 essays commanded 2 s ago, usually 3 s; fails at 2025-06-15 15:08:21Z.",
        "outcome of a",
        "fails at its deadline",
        more={"usual": USUAL},
    ),
    Case(
        WhyCode.WAITING_FOR_OUTCOME,
        running,
        "Waiting for a (attempt 1): 3 essays commanded 2 s ago; is given up at 2025-06-15 15:08:21Z.",
        "outcome of a",
        "is given up at its deadline",
        more={"definition": None},
    ),
    Case(
        WhyCode.ENDED_WELL,
        completed,
        "Completed: all 3 essays passed a and b; ended 2 s ago, 3 s after its registration.",
        "",
        "its record is purged",
    ),
    Case(
        WhyCode.ENDED_PARTLY,
        _partly,
        "Completed with failures: 2 of 3 essays passed, 1 lost in a; ended 2 s ago, 3 s after its registration.",
        "",
        "its record is purged",
    ),
    Case(
        WhyCode.ENDED_IN_FAILURE,
        critical,
        "Failed: 3 lost in a (the peer reported failure), b was skipped; ended 2 s ago, 2 s after its registration.",
        "",
        "its record is purged",
    ),
    Case(
        WhyCode.ENDED_CANCELLED,
        cancelled,
        "Cancelled: 0 of 3 essays passed, 3 lost in a (the batch was cancelled); ended 2 s ago, 2 s after its "
        "registration.",
        "",
        "its record is purged",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code.value)
def test_the_sentence_of_each_code(case: Case) -> None:
    found = case.why()
    assert (found.code, found.sentence, found.waiting_for, found.next) == (
        case.code,
        case.sentence,
        case.waiting_for,
        case.next,
    )
    assert (found.next_ms is None) == (not found.next)


def test_a_status_of_a_newer_version_is_told_as_it_is() -> None:
    record = replace(_record(running()), status=BatchStatus("resting"), phases={}, deadlines=())
    found = why(record, record.updated_ms + 60_000)
    assert found.code is WhyCode.UNKNOWN
    assert found.sentence == (
        "Nothing of this batch is under way as far as this version knows: its status is resting, and it last changed "
        "1 min ago."
    )


def test_every_code_has_an_example() -> None:
    assert {case.code for case in CASES} | {WhyCode.UNKNOWN} == set(WhyCode)


def _record(story: ClockedStory) -> StatusRecord:
    return status_record(story.batch)


# ------------------------------------------------------------------------------------------------------ the order


def test_a_phase_of_three_hours_reads_as_the_operator_expects() -> None:
    """The sentence that is quoted in the documentation."""
    definition = pipeline_of(phase("cj_assessment", stalled_after_s=7_200, deadline_s=86_400))
    story = ClockedStory(definition, slots=24)
    story.register()
    story.ready()
    found = why(
        _record(story),
        story.now_ms + 41 * 60_000,
        usual={"cj_assessment": Usual(180_000, 3_600_000, 40)},
        definition=definition,
    )
    assert found.sentence == (
        "Waiting for cj_assessment (attempt 1): 24 essays commanded 41 min ago, usually 3 min; fails at "
        "2025-06-16 15:06Z."
    )
    assert found.since_ms == START_MS + 1_000


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "fails at"),
        ({"on_failure": "hold"}, "is held at"),
        ({"echoes_attempt": True, "max_attempts": 3}, "is given up at"),
        ({"on_failure": "hold", "echoes_attempt": True, "max_attempts": 3}, "is given up at"),
    ],
)
def test_the_deadline_leads_to_what_the_definition_says(fields: dict[str, Any], said: str) -> None:
    story = begun(phase("a", **fields))
    assert f"; {said} 2025" in why(_record(story), story.now_ms, definition=story.batch.pipeline).sentence


def test_what_needs_a_person_comes_before_what_goes_on_by_itself() -> None:
    story = begun(phase("a", on_failure="hold"), phase("b"))
    story.fail("a")
    found = why(_record(story), story.now_ms, definition=story.batch.pipeline)
    assert found.code is WhyCode.PHASE_HELD
    assert found.sentence.endswith("; b runs beside it.")


@pytest.mark.parametrize("samples", [1, 4])
def test_a_few_runs_do_not_say_what_is_usual(samples: int) -> None:
    story = running()
    found = why(_record(story), story.now_ms + 15_000, usual={"a": Usual(3_000, 9_000, samples)})
    assert (found.code, "usually" in found.sentence) == (WhyCode.WAITING_FOR_OUTCOME, False)


@pytest.mark.parametrize(
    "lags", [(), [Lag("router", 0, 4.9)], [Lag("projection", 0, 900.0)], [Lag("inbox", 0, 0.0), Lag("router", 1, 0.1)]]
)
def test_a_small_lag_explains_nothing(lags: Sequence[Lag]) -> None:
    story = running()
    assert why(_record(story), story.now_ms, lags).code is WhyCode.WAITING_FOR_OUTCOME


def test_a_lag_does_not_explain_a_batch_that_has_ended() -> None:
    story = completed()
    assert why(_record(story), story.now_ms, [Lag("router", 0, 900.0)]).code is WhyCode.ENDED_WELL


def test_a_paused_batch_misses_no_deadline() -> None:
    story = paused()
    assert why(_record(story), story.now_ms + 10**9).code is WhyCode.PAUSED


def test_what_comes_next_is_the_deadline_that_is_armed() -> None:
    story = held()
    assert why(_record(story), story.now_ms).next_ms == story.armed(DeadlineKind.HOLD, "a").due_ms


def test_the_codes_that_need_a_person() -> None:
    assert [code.value for code in WhyCode if code.needs_a_person] == [
        "dead_letter_open",
        "deadline_passed",
        "phase_held",
        "phase_stalled",
        "unknown",
    ]
