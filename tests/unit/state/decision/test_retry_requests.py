"""Retry requests as a table: the batch that they find, the request, and what comes of it."""

from typing import Literal

import pytest

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from state.decision.attempts import MAX_ATTEMPTS
from tests.unit.state import givens
from tests.unit.state.clocked import RETRIES, ClockedStory, begun, phase
from tests.unit.state.givens import Given
from tests.unit.state.story import essay_ids, texts

R = ReasonCode
P = PhaseStatus
Essays = Literal["all", "failed"] | tuple[int, ...]

REFUSED: list[tuple[Given, str, Essays, ReasonCode]] = [
    (givens.waiting, "a", "all", R.NOT_STARTED),
    (givens.matching, "a", "all", R.NOT_STARTED),
    (givens.waiting, "ghost", "all", R.NOT_STARTED),
    (givens.running, "ghost", "all", R.PHASE_NOT_REQUESTED),
    (givens.half_asked, "b", "all", R.PHASE_NOT_REQUESTED),
    (givens.running, "a", "failed", R.PHASE_RUNNING),
    (givens.running, "a", (0, 1), R.PHASE_RUNNING),
    (givens.stalled, "a", "failed", R.PHASE_RUNNING),
    (givens.second_attempt, "a", "failed", R.PHASE_RUNNING),
    (givens.second_attempt, "a", (0, 1), R.PHASE_RUNNING),
    (givens.running, "b", "all", R.PHASE_RUNNING),
    (givens.running, "b", "failed", R.PHASE_RUNNING),
    (givens.succeeded, "a", "all", R.PHASE_SUCCEEDED),
    (givens.succeeded, "a", "failed", R.PHASE_SUCCEEDED),
    (givens.succeeded, "a", (0,), R.PHASE_SUCCEEDED),
    (givens.failed, "b", "failed", R.NOTHING_FAILED),
    (givens.failed, "b", "all", R.NOTHING_FAILED),
    (givens.failed, "a", (), R.NOTHING_FAILED),
    (givens.backing_off, "a", (), R.NOTHING_FAILED),
    (givens.partial, "a", (0, 9), R.UNKNOWN_ESSAYS),
    (givens.partial, "b", (0, 1, 2), R.UNKNOWN_ESSAYS),
    (givens.held, "a", (9,), R.UNKNOWN_ESSAYS),
]
"""A batch, a phase of it, the essays, and why their retry is refused. Slot 9 is no essay of the batch."""

APPLIED: list[tuple[Given, Essays, tuple[int, ...]]] = [
    (givens.running, "all", (0, 1, 2)),
    (givens.running, (2, 1, 0), (0, 1, 2)),
    (givens.stalled, "all", (0, 1, 2)),
    (givens.stalled, (0, 1, 2), (0, 1, 2)),
    (givens.second_attempt, "all", (0, 1, 2)),
    (givens.second_attempt, (1, 2), (1, 2)),
    (givens.backing_off, "failed", (1, 2)),
    (givens.backing_off, "all", (0, 1, 2)),
    (givens.backing_off, (2,), (1, 2)),
    (givens.held, "failed", (0, 1, 2)),
    (givens.held, "all", (0, 1, 2)),
    (givens.held, (1,), (1,)),
    (givens.failed, "failed", (0, 1, 2)),
    (givens.failed, "all", (0, 1, 2)),
    (givens.failed, (0, 2, 0), (0, 2)),
    (givens.partial, "failed", (2,)),
    (givens.partial, "all", (0, 1, 2)),
    (givens.partial, (0, 2), (0, 2)),
]
"""A batch, the essays of its phase `a` to retry, and those that the next attempt is commanded."""


def named(story: ClockedStory, essays: Essays) -> Literal["all", "failed"] | tuple[str, ...]:
    """Return the essays of a request: slots by their numbers."""
    if isinstance(essays, str):
        return essays
    return tuple(story.slots[index] if index < len(story.slots) else f"foreign-{index}" for index in essays)


@pytest.mark.parametrize(("given", "name", "essays", "code"), REFUSED)
def test_a_retry_is_refused(given: Given, name: str, essays: Essays, code: ReasonCode) -> None:
    story = given()
    before = story.batch
    decision = story.retry(name, named(story, essays))
    assert (decision.disposition, decision.reason.code, decision.effects) == (Disposition.REFUSED, code, ())
    assert decision.reason.phase == name
    assert story.batch.phases == before.phases
    assert story.batch.deadlines == before.deadlines
    assert story.batch.version == before.version


@pytest.mark.parametrize(("given", "essays", "commanded"), APPLIED)
def test_a_retry_starts_the_next_attempt_on_the_essays_named(
    given: Given, essays: Essays, commanded: tuple[int, ...]
) -> None:
    story = given()
    attempts = len(story.commands("a"))
    decision = story.retry("a", named(story, essays), reason="words")
    assert (decision.disposition, decision.reason.code) == (Disposition.APPLIED, R.RETRY_STARTED)
    assert (decision.reason.phase, decision.reason.attempt) == ("a", attempts + 1)
    assert (decision.reason.essays, decision.reason.detail) == (len(commanded), "words")
    [command] = decision.effects
    assert command == story.commands("a")[-1]
    assert essay_ids(story.commands("a")[-1]) == [story.slots[index] for index in commanded]
    assert story.run("a").status is P.DISPATCH_INITIATED
    assert [(d.kind, d.attempt) for d in story.batch.deadlines if d.phase == "a"] == [
        (DeadlineKind.STALLED, attempts + 1),
        (DeadlineKind.PHASE, attempts + 1),
    ]
    assert story.run("b").status is P.PENDING_DEPENDENCIES
    assert not story.run("a").stalled
    assert not [deadline for deadline in story.batch.deadlines if deadline.phase == "b"]


@pytest.mark.parametrize(("given", "essays", "commanded"), APPLIED)
def test_a_batch_that_was_retried_succeeds_once_its_essays_have(
    given: Given, essays: Essays, commanded: tuple[int, ...]
) -> None:
    story = given()
    before = {lost.essay_id for lost in story.status.failed_essays if lost.phase == "a"}
    if given is givens.second_attempt:
        before = {story.slots[1], story.slots[2]}
    story.retry("a", named(story, essays))
    story.answer("a")
    left = before - {story.slots[index] for index in commanded}
    survivors = [slot for slot in story.slots if slot not in left]
    if given in (givens.held, givens.failed) and essays not in ("all", "failed"):
        survivors = [story.slots[index] for index in sorted(set(commanded))]
    assert essay_ids(story.commands("b")[-1]) == survivors
    story.answer("b")
    if "z" in story.batch.phases:
        story.answer("z")
    assert story.batch.status is (
        BatchStatus.COMPLETED_SUCCESSFULLY if len(survivors) == 3 else BatchStatus.COMPLETED_WITH_FAILURES
    )
    assert len(story.completions) == 1
    assert story.completions[0].succeeded == len(survivors)
    assert {lost.essay_id for lost in story.status.failed_essays} == set(story.slots) - set(survivors)


def test_the_survivors_of_several_attempts_merge_with_the_texts_that_each_gave() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[1])
    story.retry("a")
    story.answer("a")
    command = story.commands("b")[-1]
    assert essay_ids(command) == list(story.slots)
    assert texts(command) == [f"a#{number}:{slot}" for number, slot in zip((1, 2, 1), story.slots, strict=True)]
    view = story.status.phases["a"]
    assert (view.status, view.attempt, view.commanded, view.succeeded) == (P.COMPLETED_SUCCESSFULLY, 2, 3, 3)


def test_an_essay_that_a_list_commands_again_and_that_fails_now_is_lost() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[1])
    story.retry("a", [story.slots[0], story.slots[1]])
    story.answer("a", failed=[0])
    assert essay_ids(story.commands("b")[-1]) == list(story.slots[1:])
    assert [lost.essay_id for lost in story.status.failed_essays] == [story.slots[0]]


def test_a_text_of_an_attempt_that_was_superseded_does_not_come_back() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[2], by="old")
    story.retry("a", "all")
    upload = [f"upload:{slot}" for slot in story.slots]
    assert texts(story.commands("a")[-1]) == upload
    story.answer("a", by="upload")
    assert texts(story.commands("b")[-1]) == upload


def test_a_text_of_an_essay_that_is_commanded_again_does_not_come_back() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[2], by="old")
    story.retry("a", [story.slots[0], story.slots[2]])
    story.answer("a", by="upload")
    assert texts(story.commands("b")[-1]) == [
        f"upload:{story.slots[0]}",
        f"old:{story.slots[1]}",
        f"upload:{story.slots[2]}",
    ]


def test_a_text_of_an_essay_that_is_lost_now_does_not_come_back_over_another_branch() -> None:
    story = begun(phase("a"), phase("b", deadline_s=5_000), phase("c", ["a", "b"]))
    story.answer("a", failed=[2], by="old")
    story.retry("a", [story.slots[0]])
    story.reach(DeadlineKind.PHASE, "a")
    story.answer("b", by="upload")
    assert texts(story.commands("c")[-1]) == [
        f"upload:{story.slots[0]}",
        f"old:{story.slots[1]}",
        f"upload:{story.slots[2]}",
    ]


# ------------------------------------------------------------------------------------------------------- how often


def exhausted(*phases: str) -> ClockedStory:
    """Return a story whose phase `a` has used up its attempts, and failed in the last; `z` keeps the batch going."""
    story = givens.failed()
    for _ in range(MAX_ATTEMPTS - 1):
        story.retry("a")
        story.fail("a")
    return story


def test_a_phase_is_retried_so_often_and_not_more() -> None:
    story = exhausted()
    assert len(story.commands("a")) == MAX_ATTEMPTS
    decision = story.retry("a")
    assert (decision.disposition, decision.reason.code) == (Disposition.REFUSED, R.TOO_MANY_ATTEMPTS)
    assert decision.reason.phase == "a"


@pytest.mark.parametrize("essays", ["all", "failed"])
def test_the_stored_record_keeps_each_lost_essay_once_however_often_it_is_retried(essays: Essays) -> None:
    story = givens.failed()
    for _ in range(5):
        story.retry("a", named(story, essays))
        story.fail("a")
    kept = [found for attempt in story.run("a").attempts for found in attempt.lost]
    assert [found.essay for found in kept] == [0, 1, 2]


def test_a_retry_that_would_command_a_dependant_too_often_is_refused() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[0])
    for _ in range(MAX_ATTEMPTS - 1):
        story.retry("b", "all")
    decision = story.retry("a")
    assert (decision.disposition, decision.reason.code) == (Disposition.REFUSED, R.TOO_MANY_ATTEMPTS)
    assert decision.reason.phase == "b"


def test_no_retry_by_itself_beyond_the_last_attempt() -> None:
    story = begun(phase("a", **{**RETRIES, "max_attempts": 50}), phase("z"))
    for number in range(1, MAX_ATTEMPTS):
        story.fail("a")
        assert story.run("a").status is P.WAITING_TO_RETRY
        story.reach(DeadlineKind.RETRY_BACKOFF, "a")
        assert len(story.commands("a")) == number + 1
    story.fail("a")
    assert story.run("a").status is P.FAILED


def test_each_attempt_has_ids_of_its_own() -> None:
    story = givens.failed()
    story.retry("a")
    story.fail("a")
    story.retry("a", "all")
    commands = story.commands("a")
    assert [command.attempt for command in commands] == [1, 2, 3]
    assert len({command.event_id for command in commands}) == 3
    assert len({command.correlation_id for command in commands}) == 3


@pytest.mark.parametrize("essays", [[1], [0], [0, 1], [2]])
def test_essays_that_wait_for_an_automatic_retry_are_in_the_next_attempt_whichever_are_named(essays: list[int]) -> None:
    story = givens.backing_off()
    decision = story.retry("a", [story.slots[index] for index in essays])
    commanded = sorted({1, 2, *essays})
    assert essay_ids(story.commands("a")[-1]) == [story.slots[index] for index in commanded]
    assert decision.reason.essays == len(commanded)
    story.answer("a")
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)
    story.answer("b")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY


def test_an_essay_that_would_fail_again_is_in_the_next_attempt_only_where_it_is_named() -> None:
    story = begun(phase("a", **RETRIES), phase("b", ["a"]))
    story.answer("a", failed=[1, 2], not_retryable=[2])
    story.retry("a", [story.slots[0]])
    assert essay_ids(story.commands("a")[-1]) == list(story.slots[:2])
