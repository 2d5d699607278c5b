"""Which essays a phase still has: while an attempt runs, after a retry took its results, and after late survivors."""

from schemas.internal.enums import PhaseStatus
from schemas.internal.status import PhaseView
from state.decision.attempts import lost, survivors
from tests.unit.state import givens
from tests.unit.state.clocked import begun, phase
from tests.unit.state.story import essay_ids


def test_the_first_attempt_of_a_phase_has_no_survivors_while_it_runs() -> None:
    assert survivors(givens.running().batch, "a") == ()


def test_a_single_attempt_whose_results_a_retry_took_has_no_survivors() -> None:
    story = begun(phase("a"), phase("b", ["a"]), phase("z"))
    story.answer("a", failed=[2])
    story.answer("b")
    assert survivors(story.batch, "b") == (0, 1)
    story.retry("a")
    assert (survivors(story.batch, "b"), lost(story.batch, "b")) == ((), ())


def test_a_phase_counts_an_essay_that_only_its_retry_was_commanded() -> None:
    story = begun(phase("a"), phase("b"), phase("c", ["a", "b"], join="any"), phase("z"))
    story.answer("a", failed=[0])
    started_ms = story.now_ms
    story.answer("b")  # It brings the essay that `a` lost, after `c` has started without it.
    story.answer("c", failed=[2])
    story.retry("c", [story.slots[0]])
    assert essay_ids(story.commands("c")[-1]) == [story.slots[0]]
    story.answer("c")
    assert story.status.phases["c"] == PhaseView(
        status=PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
        attempt=2,
        commanded=3,
        succeeded=2,
        failed=1,
        started_ms=started_ms + 3_000,
        completed_ms=story.now_ms,
    )
