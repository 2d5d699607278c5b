"""The whole reason of every answer to a request: its code, and each fact that the caller reads beside it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import Reason
from state.decision.attempts import MAX_ATTEMPTS
from tests.unit.state import givens
from tests.unit.state.clocked import STRANGER, ClockedStory
from tests.unit.state.givens import Given

R = ReasonCode
Ask = Callable[[ClockedStory], object]


def register(**changed: object) -> Ask:
    """Return the batch's registration told again, with some of its fields changed."""
    return lambda story: story.tell(replace(story.registration, **changed))


def exhausted() -> ClockedStory:
    """Return a batch whose phase `a` has used up its attempts."""
    story = givens.failed()
    for _ in range(MAX_ATTEMPTS - 1):
        story.retry("a")
        story.fail("a")
    return story


APPLIED: list[tuple[Given, Ask, Reason]] = [
    (ClockedStory, register(), Reason(code=R.REGISTERED, essays=3)),
    (givens.running, lambda s: s.cancel(), Reason(code=R.BATCH_CANCELLED)),
    (givens.running, lambda s: s.cancel(reason="words"), Reason(code=R.BATCH_CANCELLED, detail="words")),
    (givens.running, lambda s: s.pause(), Reason(code=R.BATCH_PAUSED)),
    (givens.paused, lambda s: s.resume(), Reason(code=R.BATCH_RESUMED)),
    (givens.held, lambda s: s.retry("a"), Reason(code=R.RETRY_STARTED, phase="a", attempt=2, essays=3)),
]

DUPLICATE: list[tuple[Given, Ask, Reason]] = [
    (givens.running, register(request_id="other"), Reason(code=R.SAME_REGISTRATION)),
    (givens.running, register(), Reason(code=R.REQUEST_ALREADY_DECIDED, status="applied", detail="registered")),
]

REFUSED: list[tuple[Given, Ask, Reason]] = [
    (ClockedStory, lambda s: s.cancel(), Reason(code=R.UNKNOWN_BATCH)),
    (
        givens.running,
        register(request_id="other", fingerprint="1:other"),
        Reason(code=R.KEY_REUSED, detail="batch id or Idempotency-Key"),
    ),
    (givens.running, register(fingerprint="1:other"), Reason(code=R.KEY_REUSED, detail="request id")),
    (givens.running, register(principal=STRANGER), Reason(code=R.FOREIGN_BATCH_ID)),
    (givens.running, lambda s: s.cancel(by=STRANGER), Reason(code=R.FOREIGN_BATCH_ID)),
    (
        givens.running,
        lambda s: s.cancel(if_version=7),
        Reason(code=R.VERSION_CHANGED, detail="The batch has version 101."),
    ),
    (givens.completed, lambda s: s.pause(), Reason(code=R.BATCH_ENDED, status="completed_successfully")),
    (givens.cancelled, lambda s: s.cancel(), Reason(code=R.BATCH_ENDED, status="cancelled")),
    (givens.paused, lambda s: s.pause(), Reason(code=R.ALREADY_PAUSED)),
    (givens.running, lambda s: s.resume(), Reason(code=R.NOT_PAUSED)),
    (
        givens.matching,
        lambda s: s.retry("a"),
        Reason(code=R.NOT_STARTED, phase="a", status="awaiting_student_validation"),
    ),
    (givens.half_asked, lambda s: s.retry("b"), Reason(code=R.PHASE_NOT_REQUESTED, phase="b")),
    (
        givens.running,
        lambda s: s.retry("a"),
        Reason(code=R.PHASE_RUNNING, phase="a", status="dispatch_initiated"),
    ),
    (
        givens.running,
        lambda s: s.retry("b"),
        Reason(code=R.PHASE_RUNNING, phase="b", status="pending_dependencies"),
    ),
    (
        givens.succeeded,
        lambda s: s.retry("a"),
        Reason(code=R.PHASE_SUCCEEDED, phase="a", status="completed_successfully"),
    ),
    (
        givens.failed,
        lambda s: s.retry("b"),
        Reason(code=R.NOTHING_FAILED, phase="b", status="skipped_due_to_dependency_failure"),
    ),
    (
        givens.partial,
        lambda s: s.retry("a", [s.slots[0], "x", "y"]),
        Reason(code=R.UNKNOWN_ESSAYS, phase="a", essays=2),
    ),
    (exhausted, lambda s: s.retry("a"), Reason(code=R.TOO_MANY_ATTEMPTS, phase="a", attempt=MAX_ATTEMPTS)),
]

ANSWERS = {Disposition.APPLIED: APPLIED, Disposition.DUPLICATE: DUPLICATE, Disposition.REFUSED: REFUSED}


@pytest.mark.parametrize(
    ("disposition", "given", "ask", "reason"),
    [(disposition, *row) for disposition, rows in ANSWERS.items() for row in rows],
)
def test_an_answer_gives_its_whole_reason(disposition: Disposition, given: Given, ask: Ask, reason: Reason) -> None:
    story = given()
    ask(story)
    assert (story.last.decision.disposition, story.last.decision.reason) == (disposition, reason)
    assert story.last.history.reason == reason
