"""The whole reason of every decision on a peer's event or a deadline: its code, and each fact beside it."""

from collections.abc import Callable

import pytest

from schemas.internal.enums import DeadlineKind, Disposition, ReasonCode
from schemas.internal.history import Reason
from tests.unit.state import givens
from tests.unit.state.clocked import HOLDS, SECOND_MS, ClockedStory, begun, phase
from tests.unit.state.givens import Given
from tests.unit.state.story import CLASS_CONTEXT, failures, refs

R = ReasonCode
K = DeadlineKind
Happening = Callable[[ClockedStory], object]


def paused_class() -> ClockedStory:
    """Return a class batch that was paused before its content came."""
    story = ClockedStory(context=CLASS_CONTEXT)
    story.register()
    story.pause()
    return story


def invalid() -> ClockedStory:
    """Return a batch that ended because files of it failed validation."""
    story = givens.waiting()
    story.invalid(critical=True)
    return story


def strict() -> ClockedStory:
    """Return a batch whose phase `a` fails with one essay; `z` keeps the batch going."""
    return begun(phase("a", on_partial_failure="fail"), phase("z"))


def holding() -> ClockedStory:
    """Return a batch whose phase `a` is held where it would fail."""
    return begun(phase("a", **HOLDS))


APPLIED: list[tuple[Given, Happening, Reason]] = [
    # What starts a batch, or keeps it from starting.
    (
        givens.waiting,
        lambda s: s.ready((*refs(s.slots[:2]), *refs(["x"]))),
        Reason(code=R.PIPELINE_STARTED, essays=2, foreign=1, unaccounted=1),
    ),
    (givens.waiting, lambda s: s.ready([]), Reason(code=R.NO_ESSAYS, unaccounted=3)),
    (invalid, lambda s: s.ready([], failures(2)), Reason(code=R.VALIDATION_FAILURES_RECORDED, essays=2)),
    (
        paused_class,
        lambda s: s.provisioned((*refs(s.slots[:2]), *refs(["x"]))),
        Reason(
            code=R.STUDENT_MATCHING_STARTED,
            essays=2,
            foreign=1,
            unaccounted=1,
            detail="The command goes out when the batch is resumed.",
        ),
    ),
    (
        givens.waiting,
        lambda s: s.invalid(critical=True, failed=2),
        Reason(code=R.CRITICAL_VALIDATION_FAILURE, essays=2),
    ),
    (
        givens.running,
        lambda s: s.invalid(critical=True, failed=2),
        Reason(code=R.VALIDATION_FAILURES_RECORDED, essays=2),
    ),
    # Outcomes.
    (
        givens.running,
        lambda s: s.outcome("a", ok=[s.slots[0], "x"], failed=[s.slots[1]]),
        Reason(
            code=R.PHASE_COMPLETED,
            phase="a",
            attempt=1,
            status="completed_with_partial_success",
            essays=1,
            foreign=1,
            unaccounted=1,
        ),
    ),
    (
        strict,
        lambda s: s.answer("a", failed=[0]),
        Reason(code=R.PHASE_FAILED, phase="a", attempt=1, status="failed", essays=2, foreign=0, unaccounted=0),
    ),
    (
        holding,
        lambda s: s.fail("a"),
        Reason(code=R.PHASE_HELD, phase="a", attempt=1, status="held", essays=0, foreign=0, unaccounted=0),
    ),
    # Deadlines.
    (
        givens.running,
        lambda s: s.reach(K.STALLED, "a"),
        Reason(code=R.PHASE_STALLED, phase="a", attempt=1, status="dispatch_initiated"),
    ),
    (
        givens.partial,
        lambda s: s.reach(K.PHASE, "b"),
        Reason(code=R.PHASE_DEADLINE_MISSED, phase="b", attempt=1, status="failed", essays=2),
    ),
    (
        givens.backing_off,
        lambda s: s.reach(K.RETRY_BACKOFF, "a"),
        Reason(code=R.RETRY_STARTED, phase="a", attempt=2, status="dispatch_initiated", essays=2),
    ),
    (
        givens.held,
        lambda s: s.reach(K.HOLD, "a"),
        Reason(code=R.HOLD_EXPIRED, phase="a", attempt=1, status="failed"),
    ),
    (givens.waiting, lambda s: s.reach(K.NEVER_PROVISIONED), Reason(code=R.NEVER_PROVISIONED, unaccounted=3)),
    (givens.completed, lambda s: s.reach(K.PURGE), Reason(code=R.BATCH_PURGED)),
]

DUPLICATE: list[tuple[Given, Happening, Reason]] = [
    (givens.running, lambda s: s.ready(), Reason(code=R.READY_AGAIN)),
    (givens.running, lambda s: s.ready(refs(s.slots[:1])), Reason(code=R.CONFLICTING_READY)),
    (invalid, lambda s: s.invalid(critical=True), Reason(code=R.VALIDATION_FAILURES_ALREADY_RECORDED)),
    (
        givens.second_attempt,
        lambda s: s.answer("a", failed=[1, 2], attempt=1),
        Reason(code=R.OUTCOME_ALREADY_RECORDED, phase="a", attempt=2),
    ),
]

AWAITING, PROCESSING = "awaiting_content_validation", "processing_pipelines"
STALE: list[tuple[Given, Happening, Reason]] = [
    # What comes before the start, or after it.
    (givens.waiting, lambda s: s.ready(refs(["x"])), Reason(code=R.FOREIGN_ESSAYS_ONLY, status=AWAITING)),
    (invalid, lambda s: s.ready(), Reason(code=R.BATCH_ENDED, status="failed_critically")),
    (givens.waiting, lambda s: s.provisioned(refs(["x"])), Reason(code=R.FOREIGN_ESSAYS_ONLY, status=AWAITING)),
    (
        givens.matching,
        lambda s: s.provisioned(),
        Reason(code=R.ALREADY_PROVISIONED, status="awaiting_student_validation"),
    ),
    (givens.running, lambda s: s.provisioned(), Reason(code=R.ALREADY_STARTED, status=PROCESSING)),
    (givens.cancelled, lambda s: s.provisioned(), Reason(code=R.BATCH_ENDED, status="cancelled")),
    (givens.cancelled, lambda s: s.invalid(critical=False), Reason(code=R.BATCH_ENDED, status="cancelled")),
    # Outcomes.
    (givens.half_asked, lambda s: s.outcome("b", ok=s.slots), Reason(code=R.PHASE_NOT_IN_PIPELINE, phase="b")),
    (
        givens.running,
        lambda s: s.outcome("b", ok=s.slots),
        Reason(code=R.PHASE_NOT_RUNNING, phase="b", status="pending_dependencies"),
    ),
    (givens.running, lambda s: s.outcome("a", ok=["x"]), Reason(code=R.FOREIGN_ESSAYS_ONLY, phase="a")),
    (
        givens.second_attempt,
        lambda s: s.answer("a", attempt=1),
        Reason(code=R.OTHER_ATTEMPT, phase="a", attempt=1),
    ),
    (givens.cancelled, lambda s: s.answer("a"), Reason(code=R.BATCH_ENDED, phase="a", status="cancelled")),
    # Deadlines.
    (
        givens.running,
        lambda s: s.reached(s.now_ms + 60 * SECOND_MS, time_ms=0),
        Reason(
            code=R.DEADLINE_NOT_ARMED, status=PROCESSING, detail="due_ms is later than the append time of the event"
        ),
    ),
    (givens.running, lambda s: s.reached(s.now_ms), Reason(code=R.DEADLINE_NOT_ARMED, status=PROCESSING)),
    (givens.paused, lambda s: s.reached(s.now_ms), Reason(code=R.BATCH_PAUSED, status=PROCESSING)),
    (givens.cancelled, lambda s: s.reached(s.now_ms), Reason(code=R.BATCH_ENDED, status="cancelled")),
    (ClockedStory, lambda s: s.reached(0), Reason(code=R.NO_BATCH_LEFT)),
]

UNKNOWN: list[tuple[Given, Happening, Reason]] = [
    (ClockedStory, lambda s: s.ready(refs(["x"])), Reason(code=R.UNKNOWN_BATCH)),
]

DECISIONS = {
    Disposition.APPLIED: APPLIED,
    Disposition.DUPLICATE: DUPLICATE,
    Disposition.STALE: STALE,
    Disposition.UNKNOWN: UNKNOWN,
}


@pytest.mark.parametrize(
    ("disposition", "given", "happening", "reason"),
    [(disposition, *row) for disposition, rows in DECISIONS.items() for row in rows],
)
def test_a_decision_gives_its_whole_reason(
    disposition: Disposition, given: Given, happening: Happening, reason: Reason
) -> None:
    story = given()
    happening(story)
    assert (story.last.decision.disposition, story.last.decision.reason) == (disposition, reason)
    assert story.last.history.reason == reason
