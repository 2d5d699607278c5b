"""Control requests as a table: the batch that they find, the request, and what comes of it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import EssaysReady, Principal
from state.decision.result import Decision
from tests.unit.state import givens
from tests.unit.state.clocked import (
    ADMIN,
    STRANGER,
    ClockedStory,
    assert_refused,
)
from tests.unit.state.givens import ENDED, LIVE, Given
from tests.unit.state.story import OWNER, refs

R = ReasonCode
Ask = Callable[[ClockedStory], Decision]

REQUESTS: dict[str, Ask] = {
    "cancel": lambda story: story.cancel(),
    "pause": lambda story: story.pause(),
    "resume": lambda story: story.resume(),
    "retry": lambda story: story.retry("a"),
}


# ------------------------------------------------------------------------------------------------ in whatever status


@pytest.mark.parametrize("given", LIVE, ids=lambda given: given.__name__)
def test_a_live_batch_can_be_cancelled(given: Given) -> None:
    story = given()
    decision = story.cancel(reason="wrong class")
    assert (decision.disposition, decision.reason.code) == (Disposition.APPLIED, R.BATCH_CANCELLED)
    assert story.batch.status is BatchStatus.CANCELLED
    assert story.clocks() == [("purge", "")]
    assert story.batch.pause is None
    [completed] = story.completions
    counts = story.status.counts
    assert completed.final_status is BatchStatus.CANCELLED
    assert (completed.succeeded, completed.failed) == (counts.succeeded, counts.expected - counts.succeeded)
    for view in story.status.phases.values():
        assert view.status.terminal


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("given", ENDED, ids=lambda given: given.__name__)
def test_an_ended_batch_refuses_every_control_request(given: Given, request_name: str) -> None:
    story = given()
    ends = len(story.completions)
    REQUESTS[request_name](story)
    assert_refused(story, R.BATCH_ENDED)
    assert len(story.completions) == ends == 1


@pytest.mark.parametrize("given", [given for given in LIVE if given is not givens.paused], ids=lambda g: g.__name__)
def test_a_live_batch_can_be_paused_and_resumed_once(given: Given) -> None:
    story = given()
    story.resume()
    assert_refused(story, R.NOT_PAUSED)
    assert story.pause().reason.code is R.BATCH_PAUSED
    story.pause()
    assert_refused(story, R.ALREADY_PAUSED)
    assert story.resume().reason.code is R.BATCH_RESUMED
    story.resume()
    assert_refused(story, R.NOT_PAUSED)


# ----------------------------------------------------------------------------------------------------- who, and when


@pytest.mark.defect(45)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_stranger_is_refused_and_told_nothing(request_name: str) -> None:
    story = givens.failed()
    before = story.batch
    asks: dict[str, Ask] = {
        "cancel": lambda s: s.cancel(by=STRANGER),
        "pause": lambda s: s.pause(by=STRANGER),
        "resume": lambda s: s.resume(by=STRANGER),
        "retry": lambda s: s.retry("a", by=STRANGER),
    }
    decision = asks[request_name](story)
    assert (decision.disposition, decision.reason.code) == (Disposition.REFUSED, R.FOREIGN_BATCH_ID)
    assert decision.batch is before
    assert story.last.history.answer is None


def test_the_scope_of_any_owner_controls_a_batch_of_others() -> None:
    story = givens.failed()
    assert story.pause(by=ADMIN).disposition is Disposition.APPLIED
    assert story.retry("a", by=ADMIN).disposition is Disposition.APPLIED
    assert story.resume(by=ADMIN).disposition is Disposition.APPLIED
    assert story.cancel(by=ADMIN).disposition is Disposition.APPLIED
    assert story.last.history.actor == ADMIN


def test_the_scope_of_an_organisation_controls_its_batches_alone() -> None:
    story = givens.failed()
    assert story.batch.owner.organisation, "the batch belongs to an organisation"
    head = Principal(
        subject="head", organisation=story.batch.owner.organisation, scopes=("batches:organisation",), verified=True
    )
    assert story.pause(by=head).disposition is Disposition.APPLIED
    foreign = replace(head, organisation="another")
    assert story.resume(by=foreign).reason.code is R.FOREIGN_BATCH_ID
    assert story.tell(replace(story.registration, principal=head, request_id="r")).reason.code is R.FOREIGN_BATCH_ID
    assert story.resume(by=head).disposition is Disposition.APPLIED


def test_the_scope_of_any_owner_registers_no_batch_of_others() -> None:
    story = givens.running()
    body = replace(story.registration, principal=ADMIN, request_id="request-9")
    decision = story.tell(body)
    assert decision.reason.code is R.FOREIGN_BATCH_ID


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_request_for_another_version_is_refused(request_name: str) -> None:
    story = givens.failed()
    if request_name == "resume":
        story.pause()
    asks: dict[str, Callable[[int], Decision]] = {
        "cancel": lambda v: story.cancel(if_version=v),
        "pause": lambda v: story.pause(if_version=v),
        "resume": lambda v: story.resume(if_version=v),
        "retry": lambda v: story.retry("a", if_version=v),
    }
    asks[request_name](story.batch.version - 1)
    assert_refused(story, R.VERSION_CHANGED)
    assert asks[request_name](story.batch.version).disposition is Disposition.APPLIED


def test_the_version_goes_before_the_end() -> None:
    story = givens.completed()
    story.cancel(if_version=1)
    assert_refused(story, R.VERSION_CHANGED)


@pytest.mark.parametrize("given", [givens.failed, givens.completed], ids=lambda given: given.__name__)
def test_a_repeated_request_gets_its_answer_and_acts_once(given: Given) -> None:
    story = given()
    first = story.cancel(request_id="same")
    decision = story.cancel(request_id="same")
    assert decision.disposition is Disposition.DUPLICATE
    assert decision.reason.status == first.disposition.value
    assert decision.reason.detail == first.reason.code.value
    assert len(story.completions) == 1


def test_one_request_id_for_two_kinds_of_request_is_refused() -> None:
    story = givens.running()
    story.pause(request_id="same")
    other = replace(story.last.event.body, fingerprint="1:other")
    decision = story.tell(other)
    assert (decision.disposition, decision.reason.code) == (Disposition.REFUSED, R.KEY_REUSED)


def test_history_says_who_why_when_from_and_to() -> None:
    story = givens.partial()
    story.cancel(by=ADMIN, reason="wrong class", request_id="request-7")
    told = story.last.history
    assert (told.kind, told.actor, told.request_id) == ("cancel", ADMIN, "request-7")
    assert (told.reason.code, told.reason.detail) == (R.BATCH_CANCELLED, "wrong class")
    assert told.time_ms == story.now_ms
    changes = {(change.phase, change.before, change.after) for change in told.changes}
    assert changes == {
        ("", "processing_pipelines", "cancelled"),
        ("b", "dispatch_initiated", "cancelled"),
    }
    assert {lost.essay_id for lost in told.failed_essays} == set(story.slots[:2])
    assert told.answer is not None
    assert told.answer.status is BatchStatus.CANCELLED


@pytest.mark.parametrize("request_name", ["pause", "resume", "retry"])
def test_the_reason_that_is_given_is_in_the_history(request_name: str) -> None:
    story = givens.failed()
    if request_name == "resume":
        story.pause()
    asks: dict[str, Ask] = {
        "pause": lambda s: s.pause(reason="words"),
        "resume": lambda s: s.resume(reason="words"),
        "retry": lambda s: s.retry("a", reason="words"),
    }
    assert asks[request_name](story).reason.detail == "words"


# ------------------------------------------------------------------------------------------------------------- cancel


def test_a_cancelled_batch_loses_what_its_attempts_work_on() -> None:
    story = givens.partial()
    story.cancel()
    lost = {(essay.essay_id, essay.phase, essay.reason) for essay in story.status.failed_essays}
    assert lost == {
        (story.slots[2], "a", "failed"),
        (story.slots[0], "b", "cancelled"),
        (story.slots[1], "b", "cancelled"),
    }
    assert story.status.phases["a"].status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert story.status.phases["b"].status is PhaseStatus.CANCELLED
    assert story.status.phases["b"].reason == "cancelled"
    assert story.completions[0].succeeded == 0


def test_a_batch_cancelled_before_its_essays_came_has_none() -> None:
    story = givens.waiting()
    story.cancel()
    assert (story.completions[0].succeeded, story.completions[0].failed) == (0, 3)
    assert {view.status for view in story.status.phases.values()} == {PhaseStatus.CANCELLED}


@pytest.mark.parametrize("given", LIVE, ids=lambda given: given.__name__)
def test_nothing_moves_a_cancelled_batch(given: Given) -> None:
    story = given()
    armed = story.batch.deadlines
    commands = [name for name in ("a", "b", "z") if story.commands(name)]
    story.cancel()
    stub = story.batch
    for name in commands:
        assert story.answer(name).disposition in (Disposition.STALE, Disposition.DUPLICATE)
    story.tell(EssaysReady(essays=refs(story.slots)))
    for deadline in armed:
        story.reached(deadline.due_ms)
        assert story.last.decision.disposition is Disposition.STALE
    assert story.batch == stub
    assert len(story.completions) == 1


def test_an_owner_is_the_owner_whatever_the_scopes() -> None:
    story = givens.running()
    assert story.pause(by=replace(OWNER, scopes=())).disposition is Disposition.APPLIED
