"""Advice against the rules: what is advised is what `decide` applies, and what is not is refused for that reason.

Both sides are asked in every state of drawn histories, so the test fails when one of them changes alone.
"""

from typing import Any

import pytest
from hypothesis import given

from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import CancelBatch, Event, Origin, PauseBatch, Request, ResumeBatch, RetryPhase
from state.advice import advice
from state.batch import Batch
from state.decision.attempts import MAX_ATTEMPTS
from state.decision.decide import decide
from state.decision.records import status_record
from state.decision.result import Decision
from state.explanation.model import Action
from tests.property.control_world import Happening, Plan, begin, happenings, plans, starts
from tests.unit.state.clocked import begun, phase
from tests.unit.state.givens import ENDED, LIVE, Given
from tests.unit.state.story import CORRELATION, STEP_MS

REQUESTS = {"cancel": CancelBatch, "pause": PauseBatch, "resume": ResumeBatch, "retry": RetryPhase}


def decided(batch: Batch, action: Action) -> Decision:
    """Return what `decide` makes of an action of the owner, a second after the batch's last change."""
    who: dict[str, Any] = {"principal": batch.owner, "correlation_id": CORRELATION, "fingerprint": "1:new"}
    chosen = {"phase": action.phase, "essays": action.essays} if action.name == "retry" else {}
    request: Request = REQUESTS[action.name](request_id="never-used-before", **who, **chosen)
    event = Event(
        batch_id=batch.batch_id,
        origin=Origin(event_id="e", event_type="t", topic="t", partition=0, offset=0),
        body=request,
        version=batch.version + 1,
        time_ms=batch.updated_ms + STEP_MS,
        partition=0,
        offset=0,
    )
    return decide(batch, event)


def check(batch: Batch) -> None:
    """Every action is advised as it would be decided."""
    told = advice(status_record(batch), batch.pipeline)
    assert [action.name for action in told if action.name != "retry"] == ["resume", "pause", "cancel"]
    retries = [(action.phase, action.essays) for action in told if action.name == "retry"]
    assert retries == [(phase, essays) for phase in batch.requested_phases for essays in ("failed", "all")]
    for action in told:
        decision = decided(batch, action)
        if action.allowed:
            assert decision.disposition is Disposition.APPLIED, (action, decision.reason)
            assert (action.refusal, action.sentence) == (None, "")
        else:
            assert decision.disposition is Disposition.REFUSED, action
            assert action.refusal is decision.reason.code, action
            assert action.sentence


@pytest.mark.slow
@given(plan=plans(), started=starts, happened=happenings())
def test_advice_is_what_would_be_decided(plan: Plan, started: bool, happened: list[Happening]) -> None:  # noqa: FBT001
    story = begin(plan, started=started)
    for happening in happened:
        happening.happen(story)
        if story.current is not None:
            check(story.current)


@pytest.mark.parametrize("given_batch", [*LIVE, *ENDED], ids=lambda each: each.__name__)
def test_advice_in_every_status(given_batch: Given) -> None:
    check(given_batch().batch)


def test_a_phase_that_cannot_be_tried_again_is_not_advised() -> None:
    """Few drawn histories retry so often: the phase itself, and one that comes after the one retried."""
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[0])
    for _ in range(MAX_ATTEMPTS - 1):
        story.retry("b", "all")
    check(story.batch)
    told = advice(status_record(story.batch), story.batch.pipeline)
    refused = {action.phase for action in told if action.refusal is ReasonCode.TOO_MANY_ATTEMPTS}
    assert refused == {"a", "b"}
