"""How a batch ends before its phases have: what becomes of the attempt that runs, and what cannot end at all."""

import pytest

from schemas.internal.enums import Disposition, LostReason, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.history import Reason
from schemas.internal.status import FailedEssay
from state.batch import Attempt, LostEssay, PhaseRun
from state.decision.decide import decide
from state.decision.result import Decision, Oversize
from tests.unit.state import givens
from tests.unit.state.clocked import ClockedStory, begun, phase
from tests.unit.state.givens import ENDED, Given

COMMAND = Oversize("the command", 9_000_000, 4_194_304)


def cut_off(story: ClockedStory, reason: PhaseReason, lost: LostReason) -> PhaseRun:
    """Return the phase `b` of the batch `partial` as it is kept: both essays of its attempt lost with the batch."""
    [command] = story.commands("b")
    attempt = Attempt(
        number=1,
        essays=(),
        commanded_ms=command.time_ms,
        concluded_ms=story.last.event.time_ms,
        lost=(LostEssay(0, lost), LostEssay(1, lost)),
        reason=reason,
    )
    status = PhaseStatus.CANCELLED if reason is PhaseReason.CANCELLED else PhaseStatus.FAILED
    return PhaseRun(status=status, attempts=(attempt,), reason=reason, commanded=2)


def test_a_cancel_cuts_off_the_attempt_that_runs() -> None:
    story = givens.partial()
    story.cancel()
    assert story.run("b") == cut_off(story, PhaseReason.CANCELLED, LostReason.CANCELLED)


def test_the_record_of_an_end_names_the_essays_of_every_attempt_that_it_cut_off() -> None:
    story = begun(phase("a"), phase("z"))
    story.cancel()
    lost = tuple(FailedEssay(slot, name, LostReason.CANCELLED) for name in "az" for slot in story.slots)
    history = story.last.history
    assert (history.succeeded, history.failed, history.failed_essays) == (0, 6, lost)


def test_a_result_that_does_not_fit_cuts_off_the_attempt_that_runs() -> None:
    story = givens.partial()
    decision = decide(story.batch, story.last.event, COMMAND)
    assert decision.batch is not None
    assert decision.batch.phases["b"] == cut_off(story, PhaseReason.OVERSIZED, LostReason.OVERSIZED)


@pytest.mark.parametrize("given", [ClockedStory, *ENDED], ids=lambda given: given.__name__)
def test_an_event_whose_result_does_not_fit_is_set_aside_where_no_batch_can_end(given: Given) -> None:
    story = given()
    story.ready([])
    reason = Reason(code=ReasonCode.OVERSIZED, what="the command", size=9_000_000, limit=4_194_304)
    decision = decide(story.current, story.last.event, COMMAND)
    assert decision == Decision(story.current, (), Disposition.QUARANTINED, reason)
