"""Rules between registration and the first command: essays ready, content provisioned, validation failed."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.effects import CommandStudentMatching, Effect
from schemas.internal.enums import BatchStatus, ReasonCode
from schemas.internal.events import ContentProvisioned, EssayRef, EssaysReady, Event, FileFailure, ValidationFailed
from schemas.internal.history import Reason
from state.batch import Batch, Essay
from state.decision.attempts import essay_ids, slots_of
from state.decision.clocks import disarm
from state.decision.digests import dedupe_by_essay, ready_digest, validation_digest
from state.decision.ending import end
from state.decision.phases import advance
from state.decision.result import Decision
from state.decision.transitions import batch_status

SHOWN_FILE_FAILURES = 20
"""How many files that failed validation are kept in full; all are counted."""
REMEMBERED_VALIDATIONS = 32
"""How many of a batch's last validation errors are told from new ones. Peers send one."""

_WITHOUT_CONTENT = (ReasonCode.NO_ESSAYS, ReasonCode.CRITICAL_VALIDATION_FAILURE)
"""Why a batch ended of which no file became an essay: two events can say so, and each can come first."""


def essays_ready(batch: Batch, event: Event, body: EssaysReady) -> Decision:
    """Start the pipeline on the essays named, or end the batch where there is none."""
    if batch.ready_digest:
        code = ReasonCode.READY_AGAIN
        if ready_digest(body.essays) != batch.ready_digest:
            code = ReasonCode.CONFLICTING_READY
        return Decision.duplicate(batch, Reason(code=code))
    if batch.status.terminal:
        return _note_reasons(batch, event, body)
    known = _in_slots(batch, body.essays)
    if body.essays and not known:
        return _stale(batch, ReasonCode.FOREIGN_ESSAYS_ONLY)
    noted = _note_failures(batch, body.failures, len(body.failures))
    return _start_pipeline(noted, event, known, body.essays)


def content_provisioned(batch: Batch, event: Event, body: ContentProvisioned) -> Decision:
    """Start a guest batch; have a class batch's essays matched to its students first."""
    if batch.status.terminal:
        return _stale(batch, ReasonCode.BATCH_ENDED)
    if not batch.status.waiting:
        return _stale(batch, ReasonCode.ALREADY_STARTED)
    if batch.provisioned:
        return _stale(batch, ReasonCode.ALREADY_PROVISIONED)
    known = _in_slots(batch, body.essays)
    if body.essays and not known:
        return _stale(batch, ReasonCode.FOREIGN_ESSAYS_ONLY)
    if batch.context.class_id is None or not known:
        return _start_pipeline(batch, event, known, body.essays)
    return _match_students(batch, event, known, body.essays)


def validation_failed(batch: Batch, event: Event, body: ValidationFailed) -> Decision:
    """Note files that failed validation; a critical failure ends a batch that has not started.

    The event that starts the batch, or ends it without an essay, comes on another topic and can overtake this one: so
    failures are noted as long as the batch goes on, and after an end for which they are the reason.
    """
    digest = validation_digest(body)
    if digest in batch.validations:
        return Decision.duplicate(batch, Reason(code=ReasonCode.VALIDATION_FAILURES_ALREADY_RECORDED))
    if batch.status.terminal and batch.reason not in _WITHOUT_CONTENT:
        return _stale(batch, ReasonCode.BATCH_ENDED)
    files = max(body.total, len(body.failures))
    noted = _note_failures(batch, body.failures, files)
    noted = replace(noted, validations=(*batch.validations[1 - REMEMBERED_VALIDATIONS :], digest))
    if not (body.critical and batch.status.waiting):
        return Decision.applied(noted, event, (), Reason(code=ReasonCode.VALIDATION_FAILURES_RECORDED, essays=files))
    reason = Reason(code=ReasonCode.CRITICAL_VALIDATION_FAILURE, essays=files)
    failed, completed = end(noted, event, BatchStatus.FAILED_CRITICALLY, reason.code)
    return Decision.applied(failed, event, (completed,), reason)


def _note_reasons(batch: Batch, event: Event, body: EssaysReady) -> Decision:
    """Note why no file became an essay, where the event that says so comes after the end."""
    if batch.reason not in _WITHOUT_CONTENT or body.essays or not body.failures:
        return _stale(batch, ReasonCode.BATCH_ENDED)
    files = len(body.failures)
    noted = replace(_note_failures(batch, body.failures, files), ready_digest=ready_digest(body.essays))
    return Decision.applied(noted, event, (), Reason(code=ReasonCode.VALIDATION_FAILURES_RECORDED, essays=files))


def _start_pipeline(batch: Batch, event: Event, known: dict[str, EssayRef], named: tuple[EssayRef, ...]) -> Decision:
    batch = replace(batch, ready_digest=ready_digest(named), ready_count=len(known))
    if not known:
        batch, completed = end(batch, event, BatchStatus.FAILED_CRITICALLY, ReasonCode.NO_ESSAYS)
        reason = Reason(code=ReasonCode.NO_ESSAYS, unaccounted=batch.expected)
        return Decision.applied(batch, event, (completed,), reason)
    status = batch_status(batch.status, BatchStatus.PROCESSING_PIPELINES)
    started = replace(_with_essays(disarm(batch), tuple(known.values())), status=status)
    started, effects = advance(started, event)
    return Decision.applied(started, event, effects, _counted(ReasonCode.PIPELINE_STARTED, batch, known, named))


def _with_essays(batch: Batch, refs: tuple[EssayRef, ...]) -> Batch:
    slots = {essay_id: slot for slot, essay_id in enumerate(slots_of(batch))}
    return replace(
        batch,
        essays=tuple([Essay(slots[ref.essay_id], ref.text_storage_id) for ref in refs]),
        metrics={i: ref.spellcheck_metrics for i, ref in enumerate(refs) if ref.spellcheck_metrics is not None},
    )


def _match_students(batch: Batch, event: Event, known: dict[str, EssayRef], named: tuple[EssayRef, ...]) -> Decision:
    reason = _counted(ReasonCode.STUDENT_MATCHING_STARTED, batch, known, named)
    refs = tuple(known.values())
    provisioned = replace(batch, provisioned=True)
    if batch.pause is not None:  # No command goes out; `match_provisioned` sends it when the batch is resumed.
        reason = replace(reason, detail="The command goes out when the batch is resumed.")
        return Decision.applied(_with_essays(provisioned, refs), event, (), reason)
    matching, effects = _command_matching(provisioned, event, refs)
    return Decision.applied(matching, event, effects, reason)


def match_provisioned(batch: Batch, event: Event) -> tuple[Batch, tuple[Effect, ...]]:
    """Command the student matching of a batch whose content came while it was paused; of any other, nothing."""
    if not batch.essays or batch.status is not BatchStatus.AWAITING_CONTENT_VALIDATION:
        return batch, ()
    known = zip(essay_ids(batch), batch.essays, strict=True)
    refs = tuple(EssayRef(name, essay.text, batch.metrics.get(i)) for i, (name, essay) in enumerate(known))
    return _command_matching(replace(batch, essays=(), metrics={}), event, refs)


def _command_matching(batch: Batch, event: Event, essays: tuple[EssayRef, ...]) -> tuple[Batch, tuple[Effect, ...]]:
    command = CommandStudentMatching(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "command_student_matching"),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=batch.correlation_id,
        trace_id=batch.trace_id,
        context=batch.context,
        essays=essays,
    )
    status = batch_status(batch.status, BatchStatus.AWAITING_STUDENT_VALIDATION)
    return replace(batch, status=status), (command,)


def _counted(code: ReasonCode, batch: Batch, known: dict[str, EssayRef], named: tuple[EssayRef, ...]) -> Reason:
    foreign = len(dedupe_by_essay(named)) - len(known) if len(named) != len(known) else 0
    return Reason(code=code, essays=len(known), foreign=foreign, unaccounted=batch.expected - len(known))


def _in_slots(batch: Batch, refs: tuple[EssayRef, ...]) -> dict[str, EssayRef]:
    found, slots = dedupe_by_essay(refs), frozenset(slots_of(batch))
    if found.keys() <= slots:
        return found
    return {essay_id: ref for essay_id, ref in found.items() if essay_id in slots}


def _note_failures(batch: Batch, failures: tuple[FileFailure, ...], total: int) -> Batch:
    if not total:
        return batch
    shown = (*batch.file_failures, *failures)[:SHOWN_FILE_FAILURES]
    return replace(batch, file_failures=shown, file_failures_total=batch.file_failures_total + total)


def _stale(batch: Batch, code: ReasonCode) -> Decision:
    return Decision.stale(batch, Reason(code=code, status=batch.status.value))
