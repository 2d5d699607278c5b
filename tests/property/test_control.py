"""Batches under control: whatever happens in whatever order, the rules hold after every event."""

from collections.abc import Iterable

import pytest
from hypothesis import given

from schemas.internal.codec import encode
from schemas.internal.effects import CommandPhase, PipelineCompleted
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus
from schemas.internal.history import NO_VERSION
from schemas.internal.records import NEXT_DEADLINE_MS, status_outgoing
from state.batch import Batch
from state.codec import encode_batch
from state.decision.attempts import MAX_ATTEMPTS, commanded, essay_ids, inputs, lost, running_attempt, survivors
from state.decision.graph import definition_of, dependencies
from state.decision.transitions import BATCH_TRANSITIONS, PHASE_TRANSITIONS
from tests.property.control_world import Happening, Plan, begin, happenings, plans, starts
from tests.unit.state.clocked import ClockedStory

P = PhaseStatus
K = DeadlineKind
REACHED = (
    P.DISPATCH_INITIATED,
    P.COMPLETED_SUCCESSFULLY,
    P.COMPLETED_WITH_PARTIAL_SUCCESS,
    P.FAILED,
    P.WAITING_TO_RETRY,
    P.HELD,
)


@pytest.mark.slow
@given(plan=plans(), started=starts, happened=happenings())
def test_the_rules_hold_whatever_happens(plan: Plan, started: bool, happened: list[Happening]) -> None:  # noqa: FBT001
    story = begin(plan, started=started)
    told = 0
    for happening in happened:
        happening.happen(story)
        for index in range(told, len(story.told)):
            check_step(story, index)
        told = len(story.told)
        check_batch(story)
    check_replay(plan, story)


# ------------------------------------------------------------------------------------------------------- what holds


def check_step(story: ClockedStory, index: int) -> None:
    """What is applied changes the batch, and nothing else does; statuses follow the tables."""
    before, event, decision, history = story.told[index]
    if decision.disposition is not Disposition.APPLIED:
        assert decision.effects == ()
        assert history.changes == ()
        assert history.version == history.based_on
        if decision.disposition is not Disposition.REFUSED:
            assert decision.batch is before
        return
    if decision.batch is None:
        assert before is not None
        assert before.status.terminal
        assert history.version == NO_VERSION
        return
    assert history.version == event.version
    if before is None:
        return
    if before.status is not decision.batch.status:
        assert decision.batch.status in BATCH_TRANSITIONS[before.status]
    for name, run in decision.batch.phases.items():
        assert run.status in reachable(before.phases[name].status)
    if decision.batch.pause is not None:
        assert not any(isinstance(effect, CommandPhase) for effect in decision.effects)
    for effect in decision.effects:
        if isinstance(effect, CommandPhase):
            check_command(decision.batch, effect)


def reachable(status: PhaseStatus) -> set[PhaseStatus]:
    """Return the statuses that one event can lead to: a retry can pass through pending, a start at once fail."""
    one = {status, *PHASE_TRANSITIONS[status]}
    return one | {after for step in one if step is P.PENDING_DEPENDENCIES for after in PHASE_TRANSITIONS[step]}


def check_command(batch: Batch, command: CommandPhase) -> None:
    """A command names inputs of its phase, with texts of attempts that count."""
    if batch.status.terminal:
        return
    places = {essay_id: index for index, essay_id in enumerate(essay_ids(batch))}
    essays = [places[ref.essay_id] for ref in command.essays]
    assert essays == sorted(set(essays))
    assert essays
    assert set(essays) <= set(inputs(batch, command.phase))
    for essay, ref in zip(essays, command.essays, strict=True):
        giver, _, number = ref.text_storage_id.split(":")[0].partition("#")
        if giver != "upload":
            attempt = batch.phases[giver].attempts[int(number) - 1]
            assert not attempt.superseded
            assert essay in survivors(batch, giver)


def check_batch(story: ClockedStory) -> None:
    """Essays are conserved, clocks are armed where they belong, and the end is published once, with its counts."""
    if story.current is None:
        return
    batch, status = story.batch, story.status
    life = [effect for told in story.told[story.lives[-1] :] for effect in told.decision.effects]
    ends = [effect for effect in life if isinstance(effect, PipelineCompleted)]
    assert len(ends) == int(batch.status.terminal)
    counts = status.counts
    assert counts.ready == counts.succeeded + counts.failed
    lost = len({essay.essay_id for essay in status.failed_essays})
    ran = all(any(not one.superseded for one in batch.phases[name].attempts) for name in batch.requested_phases)
    assert counts.failed == (lost if ran or not batch.status.terminal else counts.ready)
    for view in status.phases.values():
        assert min(view.succeeded, view.failed, view.unaccounted) >= 0
        if view.status.terminal:
            assert view.commanded == view.succeeded + view.failed + view.unaccounted
    assert sorted(clocks_of(batch)) == sorted((d.kind, d.phase) for d in batch.deadlines)
    assert [d.due_ms for d in batch.deadlines] == sorted(d.due_ms for d in batch.deadlines)
    assert (NEXT_DEADLINE_MS in dict(status_outgoing(status).headers)) == bool(batch.deadlines and not batch.pause)
    if batch.status.terminal:
        [completed] = ends
        assert completed.final_status is batch.status
        assert (completed.succeeded, completed.failed) == (counts.succeeded, counts.expected - counts.succeeded)
        assert batch.pause is None
        assert all(run.status.terminal for run in batch.phases.values())
    elif batch.status is BatchStatus.PROCESSING_PIPELINES:
        check_essays(batch)
        assert not all(batch.phases[name].status.terminal for name in batch.requested_phases)


def clocks_of(batch: Batch) -> Iterable[tuple[DeadlineKind, str]]:
    """Yield the kind and phase of each deadline that must be armed, and of no other."""
    if batch.status.terminal:
        yield K.PURGE, ""
        return
    if batch.status.waiting:
        yield K.NEVER_PROVISIONED, ""
    for name, run in batch.phases.items():
        if run.status is P.DISPATCH_INITIATED:
            yield K.PHASE, name
            if not run.stalled:
                yield K.STALLED, name
        elif run.status is P.WAITING_TO_RETRY:
            yield K.RETRY_BACKOFF, name
        elif run.status is P.HELD:
            yield K.HOLD, name


def check_essays(batch: Batch) -> None:
    """Every input of a phase that was reached is surviving, lost or in work there; each in one of them."""
    for name in batch.requested_phases:
        run = batch.phases[name]
        assert len(run.attempts) <= MAX_ATTEMPTS
        running = running_attempt(run)
        assert (running is not None) == (run.status is P.DISPATCH_INITIATED)
        if run.status not in REACHED:
            continue
        parts = (
            survivors(batch, name),
            tuple(found.essay for found in lost(batch, name)),
            () if running is None else commanded(batch, running),
        )
        together = [essay for part in parts for essay in part]
        assert len(together) == len(set(together))
        if definition_of(batch, name).join == "all" or not dependencies(batch, name):
            assert sorted(together) == list(inputs(batch, name))
        else:
            assert set(together) <= set(inputs(batch, name))
        if run.status is P.COMPLETED_SUCCESSFULLY:
            assert not parts[1]


def check_replay(plan: Plan, story: ClockedStory) -> None:
    """The same events, decided again, give the same bytes: state, effects and history."""
    again = plan.story()
    for told in story.told:
        again.tell_event(told.event)
    assert [encode(told.history) for told in again.told] == [encode(told.history) for told in story.told]
    assert [encode(effect) for effect in again.effects] == [encode(effect) for effect in story.effects]
    assert again.current == story.current
    if story.current is not None:
        assert encode_batch(again.batch) == encode_batch(story.batch)
