"""The status record of a batch and the history record of a decision."""

from schemas.internal.codec import FORMAT_VERSION, LEAST_READER
from schemas.internal.enums import ReasonCode
from schemas.internal.events import CancelBatch, Event, PauseBatch, RegisterBatch, ResumeBatch, RetryPhase
from schemas.internal.history import NO_VERSION, Answer, Change, EffectNote, HistoryRecord
from schemas.internal.status import Counts, FailedEssay, PhaseView, StatusRecord
from state.batch import Batch, PhaseRun
from state.decision.essays import lost_essay_ids
from state.decision.result import Decision

_REQUESTS = (RegisterBatch, CancelBatch, PauseBatch, ResumeBatch, RetryPhase)


def status_record(batch: Batch) -> StatusRecord:
    """Return the snapshot of a batch."""
    return StatusRecord(
        writer=FORMAT_VERSION,
        least_reader=LEAST_READER,
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
        phases={name: phase_view(run) for name, run in batch.phases.items()},
        counts=counts(batch),
        failed_essays=tuple(lost for run in batch.phases.values() for lost in run.failed),
        file_failures=batch.file_failures,
        file_failures_total=batch.file_failures_total,
        reason=batch.reason,
        stalled=batch.stalled,
        registered_ms=batch.registered_ms,
        updated_ms=batch.updated_ms,
        ended_ms=batch.ended_ms,
        deadlines=batch.deadlines,
    )


def counts(batch: Batch) -> Counts:
    """Return the batch's essay counts, from recorded facts."""
    failed = len(lost_essay_ids(batch))
    return Counts(
        expected=batch.expected,
        ready=batch.ready_count,
        unaccounted=batch.expected - batch.ready_count if batch.ready_digest else 0,
        succeeded=batch.ready_count - failed,
        failed=failed,
    )


def phase_view(run: PhaseRun) -> PhaseView:
    """Return one phase as the status record shows it."""
    unaccounted = sum(lost.reason == "unaccounted" for lost in run.failed)
    return PhaseView(
        status=run.status,
        attempt=run.attempt,
        commanded=run.commanded,
        succeeded=run.commanded - len(run.failed) if run.completed_ms is not None else 0,
        failed=len(run.failed) - unaccounted,
        unaccounted=unaccounted,
        foreign=run.foreign,
        started_ms=run.started_ms,
        completed_ms=run.completed_ms,
        reason=run.reason,
    )


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
    failed = _newly_failed(before, after)
    request = body if isinstance(body, _REQUESTS) else None
    answered = decision.reason.code is not ReasonCode.FOREIGN_BATCH_ID
    return HistoryRecord(
        writer=FORMAT_VERSION,
        least_reader=LEAST_READER,
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
        changes=_changes(before, after),
        succeeded=_newly_succeeded(before, after),
        failed=len(failed),
        failed_essays=failed,
        effects=effects,
        dead_letter_id=dead_letter_id,
        answer=answer(after) if request is not None and after is not None and answered else None,
    )


def answer(batch: Batch) -> Answer:
    """Return the answer to a request about `batch`."""
    return Answer(
        batch_id=batch.batch_id, correlation_id=batch.correlation_id, status=batch.status, version=batch.version
    )


def _changes(before: Batch | None, after: Batch | None) -> tuple[Change, ...]:
    if after is None or after is before:
        return ()
    found: list[Change] = []
    if before is None or before.status is not after.status:
        found.append(Change(before=None if before is None else before.status.value, after=after.status.value))
    for name, run in after.phases.items():
        earlier = None if before is None else before.phases[name]
        if earlier is None or earlier.status is not run.status:
            status = None if earlier is None else earlier.status.value
            found.append(Change(phase=name, before=status, after=run.status.value))
    return tuple(found)


def _concluded(before: Batch | None, after: Batch | None) -> list[PhaseRun]:
    if before is None or after is None or after is before:
        return []
    return [
        run
        for name, run in after.phases.items()
        if run is not before.phases[name] and run.completed_ms != before.phases[name].completed_ms
    ]


def _newly_failed(before: Batch | None, after: Batch | None) -> tuple[FailedEssay, ...]:
    return tuple(lost for run in _concluded(before, after) for lost in run.failed)


def _newly_succeeded(before: Batch | None, after: Batch | None) -> int:
    return sum(run.commanded - len(run.failed) for run in _concluded(before, after))
