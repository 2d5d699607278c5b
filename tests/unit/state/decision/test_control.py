"""Control requests as a table: the batch that they find, the request, and what comes of it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import EssayRef, EssaysReady
from schemas.internal.records import NEXT_DEADLINE_MS, status_outgoing
from schemas.internal.status import Pause
from state.decision.result import Decision
from tests.unit.state import givens
from tests.unit.state.clocked import ADMIN, HOLDS, RETRIES, SECOND_MS, STRANGER, ClockedStory, begun, phase
from tests.unit.state.givens import ENDED, LIVE, Given
from tests.unit.state.story import OWNER, essay_ids, refs

R = ReasonCode
Ask = Callable[[ClockedStory], Decision]

REQUESTS: dict[str, Ask] = {
    "cancel": lambda story: story.cancel(),
    "pause": lambda story: story.pause(),
    "resume": lambda story: story.resume(),
    "retry": lambda story: story.retry("a"),
}


def assert_refused(story: ClockedStory, code: ReasonCode) -> None:
    """Assert that the last request was refused, remembered as such, and changed nothing else."""
    told = story.last
    assert (told.decision.disposition, told.decision.reason.code) == (Disposition.REFUSED, code)
    assert told.decision.effects == ()
    assert told.history.changes == ()
    assert told.history.version == told.history.based_on
    assert told.before is not None
    assert told.before.phases == story.batch.phases
    assert told.before.deadlines == story.batch.deadlines
    assert told.before.status is story.batch.status
    assert told.before.pause == story.batch.pause
    assert story.batch.decided[-1].code is code


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


# -------------------------------------------------------------------------------------------------- pause and resume


@pytest.mark.parametrize("given", [given for given in LIVE if given is not givens.paused], ids=lambda g: g.__name__)
def test_a_pause_turns_each_deadline_into_what_is_left_and_a_resume_arms_it_with_that(given: Given) -> None:
    story = given()
    armed = story.batch.deadlines
    story.pause(reason="holidays")
    at = story.now_ms
    assert [deadline.due_ms for deadline in story.batch.deadlines] == [deadline.due_ms - at for deadline in armed]
    assert story.batch.pause is not None
    assert (story.batch.pause.since_ms, story.batch.pause.by, story.batch.pause.reason) == (at, "teacher", "holidays")
    story.wait(1_000_000)
    story.resume()
    passed = story.now_ms - at
    kept = {(deadline.kind, deadline.phase): deadline.due_ms for deadline in armed}
    for deadline in story.batch.deadlines:
        assert deadline.due_ms == kept[deadline.kind, deadline.phase] + passed
    assert len(story.batch.deadlines) == len(armed)


def test_a_deadline_that_was_due_before_the_pause_is_due_at_the_resume() -> None:
    story = givens.running()
    story.wait(1_000)
    story.pause()
    assert {deadline.due_ms for deadline in story.batch.deadlines} == {0}
    story.resume()
    assert {deadline.due_ms for deadline in story.batch.deadlines} == {story.now_ms}
    assert story.reached(story.now_ms).disposition is Disposition.APPLIED


def test_a_paused_batch_has_no_next_deadline_in_its_header() -> None:
    story = givens.running()
    assert NEXT_DEADLINE_MS in dict(status_outgoing(story.status).headers)
    story.pause()
    assert NEXT_DEADLINE_MS not in dict(status_outgoing(story.status).headers)
    story.resume()
    headers = dict(status_outgoing(story.status).headers)
    assert headers[NEXT_DEADLINE_MS] == b"%d" % story.batch.deadlines[0].due_ms
    story.pause()
    story.cancel()
    assert NEXT_DEADLINE_MS in dict(status_outgoing(story.status).headers)


def test_no_deadline_is_reached_while_a_batch_is_paused() -> None:
    story = givens.running()
    due = story.armed(DeadlineKind.PHASE, "a").due_ms
    story.pause()
    story.reached(due)
    story.reached(story.armed(DeadlineKind.PHASE, "a").due_ms)
    for told in story.told[-2:]:
        assert (told.decision.disposition, told.decision.reason.code) == (Disposition.STALE, R.BATCH_PAUSED)
        assert told.decision.batch is told.before


def test_a_deadline_from_before_the_pause_is_not_armed_after_it() -> None:
    story = givens.running()
    due = story.armed(DeadlineKind.STALLED, "a").due_ms
    story.pause()
    story.wait(1_000)
    story.resume()
    story.reached(due)
    assert story.last.decision.reason.code is R.DEADLINE_NOT_ARMED


def test_an_outcome_in_a_pause_is_recorded_and_the_next_phase_starts_at_the_resume() -> None:
    story = givens.paused()
    decision = story.answer("a", failed=[0])
    assert (decision.disposition, decision.effects) == (Disposition.APPLIED, ())
    assert story.run("a").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert story.run("b").status is PhaseStatus.PENDING_DEPENDENCIES
    story.resume()
    assert story.run("b").status is PhaseStatus.DISPATCH_INITIATED
    assert essay_ids(story.commands("b")[0]) == list(story.slots[1:])
    assert story.last.history.changes[0].phase == "b"
    assert story.commands("b")[0].time_ms == story.now_ms


def test_an_end_that_outcomes_lead_to_happens_in_a_pause() -> None:
    story = givens.succeeded()
    story.pause()
    story.answer("b")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY
    assert story.batch.pause is None
    assert len(story.completions) == 1
    story.resume()
    assert_refused(story, R.BATCH_ENDED)


def test_a_failure_in_a_pause_skips_what_follows_and_ends_the_batch() -> None:
    story = givens.paused()
    story.fail("a")
    assert story.run("b").status is PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert story.clocks() == [("purge", "")]
    assert story.batch.deadlines[0].due_ms == story.now_ms + 5_000 * SECOND_MS


def test_essays_that_come_in_a_pause_are_commanded_at_the_resume() -> None:
    story = givens.waiting()
    story.pause()
    story.ready()
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert story.commands("a") == []
    assert story.clocks() == []
    story.resume()
    assert essay_ids(story.commands("a")[0]) == list(story.slots)
    assert story.clocks() == [("stalled", "a"), ("phase", "a")]


def test_a_resume_before_the_essays_came_starts_nothing() -> None:
    story = givens.waiting()
    story.pause()
    story.resume()
    assert story.commands("a") == []
    assert story.clocks() == [("never_provisioned", "")]
    story.ready()
    assert len(story.commands("a")) == 1


def test_the_students_of_a_class_are_matched_at_the_resume() -> None:
    story = givens.matching()
    class_batch = ClockedStory(story.registration.pipeline, context=story.registration.context)
    class_batch.register()
    class_batch.pause()
    content = (EssayRef(class_batch.slots[1], "text", {"word_count": 7}), *refs(class_batch.slots[:1]))
    class_batch.provisioned(content)
    assert class_batch.matchings == []
    class_batch.resume()
    assert [command.essays for command in class_batch.matchings] == [content]
    assert class_batch.batch.status is BatchStatus.AWAITING_STUDENT_VALIDATION
    class_batch.pause()
    class_batch.resume()
    assert len(class_batch.matchings) == 1


def test_a_retrys_clock_stands_in_a_pause() -> None:
    story = givens.backing_off()
    armed = story.armed(DeadlineKind.RETRY_BACKOFF, "a")
    story.pause()
    left = armed.due_ms - story.now_ms
    story.wait(1_000)
    story.resume()
    assert story.armed(DeadlineKind.RETRY_BACKOFF, "a").due_ms == story.now_ms + left
    story.reach(DeadlineKind.RETRY_BACKOFF, "a")
    assert len(story.commands("a")) == 2


def test_an_attempt_that_fails_in_a_pause_has_its_whole_backoff_left() -> None:
    story = begun(phase("a", **RETRIES))
    story.pause()
    story.fail("a")
    [deadline] = story.batch.deadlines
    assert (deadline.kind, deadline.phase) == (DeadlineKind.RETRY_BACKOFF, "a")
    assert 8 * SECOND_MS <= deadline.due_ms < 12 * SECOND_MS
    story.wait(500)
    story.resume()
    assert story.armed(DeadlineKind.RETRY_BACKOFF, "a").due_ms == story.now_ms + deadline.due_ms


def test_a_phase_that_is_held_in_a_pause_has_its_whole_hold_left() -> None:
    story = begun(phase("a", **HOLDS))
    story.pause()
    story.fail("a")
    [deadline] = story.batch.deadlines
    assert (deadline.kind, deadline.due_ms) == (DeadlineKind.HOLD, 1_000 * SECOND_MS)
    story.resume()
    assert story.armed(DeadlineKind.HOLD, "a").due_ms == story.now_ms + 1_000 * SECOND_MS


def test_a_hold_stands_in_a_pause() -> None:
    story = givens.held()
    story.pause()
    story.wait(100_000)
    story.resume()
    assert story.run("a").status is PhaseStatus.HELD
    story.reach(DeadlineKind.HOLD, "a")
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY


def test_a_retry_in_a_pause_starts_at_the_resume() -> None:
    story = givens.failed()
    story.pause()
    decision = story.retry("a", [story.slots[1]])
    assert (decision.disposition, decision.reason.code, decision.effects) == (Disposition.APPLIED, R.RETRY_STARTED, ())
    assert story.run("a").status is PhaseStatus.PENDING_DEPENDENCIES
    assert story.run("a").selection == (1,)
    story.retry("a")
    assert_refused(story, R.PHASE_RUNNING)
    story.resume()
    assert essay_ids(story.commands("a")[-1]) == [story.slots[1]]
    assert story.run("a").selection is None


def test_a_paused_batch_says_so_to_its_readers() -> None:
    story = givens.running()
    story.pause(reason="holidays")
    paused = Pause(since_ms=story.now_ms, by="teacher", reason="holidays")
    assert (story.status.pause, story.status.deadlines) == (paused, ())
    story.resume()
    assert (story.status.pause, story.status.deadlines) == (None, story.batch.deadlines)


def test_an_owner_is_the_owner_whatever_the_scopes() -> None:
    story = givens.running()
    assert story.pause(by=replace(OWNER, scopes=())).disposition is Disposition.APPLIED
