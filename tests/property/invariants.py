"""Invariants that hold after every event."""

from collections import Counter

from schemas.internal.enums import Disposition, PhaseStatus, ReasonCode
from schemas.internal.history import NO_VERSION
from schemas.internal.status import StatusRecord
from state.decision.transitions import BATCH_TRANSITIONS, PHASE_TRANSITIONS
from tests.unit.state.story import Story, Told


def check_step(told: Told) -> None:
    """Versions grow with what is applied and with nothing else; nothing else publishes; every step is in the tables."""
    decision, before, after = told.decision, told.before, told.decision.batch
    history = told.history
    assert history.based_on == (before.version if before else NO_VERSION)
    if decision.disposition is Disposition.APPLIED:
        assert after is not None
        assert history.version == after.version == told.event.version > history.based_on
        assert after.updated_ms == told.event.time_ms
    else:
        assert decision.effects == ()
        assert history.changes == ()
        assert history.version == history.based_on
        if decision.disposition is not Disposition.REFUSED:
            assert after is before
    for change in history.changes:
        if change.before is None:
            continue
        table = PHASE_TRANSITIONS if change.phase else BATCH_TRANSITIONS
        steps = {status.value: {after.value for after in row} for status, row in table.items()}
        assert change.after in steps[change.before]
    if before is not None and before.status.terminal:
        # Only why no file became an essay is noted after the end.
        late = decision.reason.code is ReasonCode.VALIDATION_FAILURES_RECORDED
        assert late or decision.disposition is not Disposition.APPLIED
        assert decision.effects == ()


def check_story(story: Story) -> None:
    """No effect twice; one completed event, when and only when the batch ended; counts add up."""
    seen = Counter(effect.event_id for effect in story.effects)
    assert not seen or seen.most_common(1)[0][1] == 1
    if story.current is None:
        assert story.effects == []
        return
    status = story.status
    check_counts(status)
    assert len(story.completions) == int(status.status.terminal)
    if status.status.terminal:
        completed = story.completions[0]
        assert completed.final_status is status.status
        assert completed.succeeded == status.counts.succeeded
        assert completed.succeeded + completed.failed == status.counts.expected
        assert [deadline.kind.value for deadline in status.deadlines] == ["purge"]
        assert all(status.phases[name].status.terminal for name in status.requested_phases)
    else:
        assert status.deadlines
        assert list(status.deadlines) == sorted(status.deadlines, key=lambda deadline: deadline.due_ms)


def check_counts(status: StatusRecord) -> None:
    """Every essay is counted once, in the batch and in each phase."""
    counts = status.counts
    if counts.ready or counts.unaccounted:
        assert counts.expected == counts.ready + counts.unaccounted
    assert counts.ready == counts.succeeded + counts.failed
    lost_by_any = len({lost.essay_id for lost in status.failed_essays})
    all_ran = all(status.phases[name].commanded for name in status.requested_phases)
    assert counts.failed == (lost_by_any if all_ran or not status.status.terminal else counts.ready)
    for name, phase in status.phases.items():
        if phase.completed_ms is not None:
            assert phase.commanded == phase.succeeded + phase.failed + phase.unaccounted
            assert phase.status.terminal
        lost = [essay for essay in status.failed_essays if essay.phase == name]
        assert len(lost) == phase.failed + phase.unaccounted
        assert (phase.started_ms is not None) == (phase.attempt > 0) == (phase.commanded > 0)
        if phase.status is PhaseStatus.COMPLETED_SUCCESSFULLY:
            assert not lost
