"""The status record of a batch and the history record of a decision."""

from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import LostReason, PhaseStatus, ReasonCode
from schemas.internal.events import CancelBatch, Event, PauseBatch, RegisterBatch, ResumeBatch, RetryPhase
from schemas.internal.formats import HISTORY, STATUS
from schemas.internal.history import NO_VERSION, Answer, Change, EffectNote, HistoryRecord
from schemas.internal.status import Counts, FailedEssay, PhaseView, StatusRecord
from state.batch import Attempt, Batch, LostEssay, PhaseRun
from state.decision.attempts import count_commanded, count_essays, count_succeeded, essay_ids, lost_in, running_attempt
from state.decision.clocks import retry_due_ms
from state.decision.result import Decision

_REQUESTS = (RegisterBatch, CancelBatch, PauseBatch, ResumeBatch, RetryPhase)


def status_record(batch: Batch) -> StatusRecord:
    """Return the snapshot of a batch."""
    views: dict[str, PhaseView] = {}
    failed: list[FailedEssay] = []
    stalled = held = False
    for name, run in batch.phases.items():
        if not run.attempts:
            views[name] = PhaseView(status=run.status, reason=run.reason)
            continue
        found = lost_in(batch, run)
        views[name] = _phase_view(batch, name, run, found)
        stalled = stalled or run.stalled
        held = held or run.status is PhaseStatus.HELD
        if found:
            failed += _failed(batch, name, found)
    return StatusRecord(
        writer=STATUS.version,
        least_reader=STATUS.least_reader,
        batch_id=batch.batch_id,
        version=batch.version,
        status=batch.status,
        correlation_id=batch.correlation_id,
        context=batch.context,
        owner_subject=batch.owner.subject,
        owner_organisation=batch.owner.organisation,
        pipeline=batch.pipeline.name,
        pipeline_version=batch.pipeline.version,
        requested_phases=batch.requested_phases,
        phases=views,
        counts=_counts(batch, len({essay.essay_id for essay in failed}) if failed else 0),
        failed_essays=tuple(failed),
        file_failures=batch.file_failures,
        file_failures_total=batch.file_failures_total,
        reason=batch.reason,
        stalled=stalled,
        held=held,
        pause=batch.pause,
        registered_ms=batch.registered_ms,
        updated_ms=batch.updated_ms,
        ended_ms=batch.ended_ms,
        deadlines=batch.deadlines if batch.pause is None else (),
    )


def _counts(batch: Batch, lost_by_any: int) -> Counts:
    """Return the batch's essay counts, given how many essays some phase lost."""
    succeeded = count_succeeded(batch, lost_by_any)
    return Counts(
        expected=batch.expected,
        ready=batch.ready_count,
        unaccounted=batch.expected - batch.ready_count if batch.ready_digest else 0,
        succeeded=succeeded,
        failed=batch.ready_count - succeeded,
    )


def _phase_view(batch: Batch, phase: str, run: PhaseRun, found: tuple[LostEssay, ...]) -> PhaseView:
    """Return a phase that was commanded as the status record shows it; `found` are the essays that it lost."""
    total, lost = count_commanded(batch, run), len(found)
    unaccounted = sum([essay.reason is LostReason.UNACCOUNTED for essay in found]) if found else 0
    last, ended = run.attempts[-1], run.status.terminal
    running = running_attempt(run)
    under_way = 0 if running is None else count_essays(batch, running)
    return PhaseView(
        status=run.status,
        attempt=len(run.attempts),
        commanded=total,
        succeeded=total - under_way - lost,
        failed=lost - unaccounted,
        unaccounted=unaccounted,
        foreign=0 if last.superseded else last.foreign,
        started_ms=None if last.superseded else last.commanded_ms,
        completed_ms=last.concluded_ms if ended and not last.superseded else None,
        reason=run.reason,
        stalled=run.stalled,
        retry_due_ms=None if running is not None or ended else retry_due_ms(batch, phase),
    )


def _failed(batch: Batch, phase: str, found: tuple[LostEssay, ...]) -> list[FailedEssay]:
    if not found:
        return []
    known = essay_ids(batch)
    return [FailedEssay(known[essay.essay], phase, essay.reason, essay.detail) for essay in found]


def history_record(
    before: Batch | None,
    event: Event,
    decision: Decision,
    effects: tuple[EffectNote, ...] = (),
    dead_letter_id: str | None = None,
) -> HistoryRecord:
    """Return the history record of one inbox record."""
    after = decision.batch
    body = event.body
    changes, succeeded, failed = _differences(before, after)
    request = body if isinstance(body, _REQUESTS) else None
    answered = decision.reason.code is not ReasonCode.FOREIGN_BATCH_ID
    return HistoryRecord(
        writer=HISTORY.version,
        least_reader=HISTORY.least_reader,
        batch_id=event.batch_id,
        partition=event.partition,
        offset=event.offset,
        time_ms=event.time_ms,
        kind=body.__struct_config__.tag,  # type: ignore[arg-type]
        disposition=decision.disposition,
        reason=decision.reason,
        version=after.version if after is not None else NO_VERSION,
        based_on=before.version if before is not None else NO_VERSION,
        origin=event.origin,
        actor=request.principal if request is not None else None,
        request_id=request.request_id if request is not None else None,
        changes=tuple(changes),
        succeeded=succeeded,
        failed=len(failed),
        failed_essays=tuple(failed),
        effects=effects,
        dead_letter_id=dead_letter_id,
        answer=answer(after) if request is not None and after is not None and answered else None,
    )


def effect_note(effect: Effect, topic: str = "") -> EffectNote:
    """Return an effect as a history record names it; `topic` is the real name, empty where it is not published."""
    kind = str(effect.__struct_config__.tag)
    match effect:
        case CommandPhase():
            return EffectNote(kind, effect.event_id, topic, effect.phase, effect.attempt, len(effect.essays))
        case CommandStudentMatching():
            return EffectNote(kind, effect.event_id, topic, essays=len(effect.essays))
        case _:
            return EffectNote(kind, effect.event_id, topic)


def answer(batch: Batch) -> Answer:
    """Return the answer to a request about `batch`."""
    return Answer(
        batch_id=batch.batch_id, correlation_id=batch.correlation_id, status=batch.status, version=batch.version
    )


def _differences(before: Batch | None, after: Batch | None) -> tuple[list[Change], int, list[FailedEssay]]:
    """Return the statuses that changed, how many essays survived the attempts that ended, and those that they lost."""
    changes, succeeded, failed = list[Change](), 0, list[FailedEssay]()
    if after is None or after is before:
        return changes, succeeded, failed
    if before is None:
        changes.append(Change(after=after.status))
        changes += [Change(phase=name, after=run.status) for name, run in after.phases.items()]
        return changes, succeeded, failed
    if before.status is not after.status:
        changes.append(Change(before=before.status, after=after.status))
    for name, run in after.phases.items():
        earlier = before.phases[name]
        if earlier is run:
            continue
        if earlier.status is not run.status:
            changes.append(Change(phase=name, before=earlier.status, after=run.status))
        ended = _ended(running_attempt(earlier), run.attempts)
        if ended is not None:
            found = _failed(after, name, ended.lost)
            succeeded += count_essays(before, earlier.attempts[-1]) - len(found)
            failed += found
    return changes, succeeded, failed


def _ended(running: Attempt | None, attempts: tuple[Attempt, ...]) -> Attempt | None:
    if running is None:
        return None
    now = attempts[running.number - 1]
    return now if now.concluded_ms is not None else None
