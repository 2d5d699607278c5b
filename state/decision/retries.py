"""Rules for retries: by itself after an attempt that failed, or because somebody asks for one."""

from hashlib import sha256

from msgspec.structs import replace

from schemas.internal.enums import DeadlineKind, PhaseStatus, ReasonCode
from schemas.internal.events import Event, RetryPhase
from schemas.internal.history import Reason
from schemas.internal.pipeline import PhaseDefinition
from state.batch import Batch, PhaseRun
from state.decision.attempts import MAX_ATTEMPTS, commanded, essay_ids, inputs, lost, running_attempt, supersede
from state.decision.clocks import arm_in, disarm
from state.decision.graph import definition_of, descendants
from state.decision.transitions import phase_status

_LOWEST_PERCENT = 80
_SPREAD_PERCENT = 40
_DIGEST_BITS = 64


def backoff_ms(batch: Batch, definition: PhaseDefinition, attempt: int, counted: int) -> int:
    """Return the milliseconds between the end of `attempt` and the next one.

    `retry_backoff_s` after the first attempt that counts, doubled with each further one (`counted` of them have
    ended), times a factor in [0.8, 1.2). The factor spreads batches that failed together over time; it is derived from
    the batch, its life, the phase and the attempt, so that deciding the event again gives the same deadline.
    """
    facts = f"retry\n{batch.batch_id}\n{batch.registered_version}\n{definition.name}\n{attempt}"
    drawn = int.from_bytes(sha256(facts.encode()).digest()[: _DIGEST_BITS // 8], "big")
    base = definition.retry_backoff_s * 1000 << (counted - 1)
    return base * ((_LOWEST_PERCENT << _DIGEST_BITS) + _SPREAD_PERCENT * drawn) // (100 << _DIGEST_BITS)


def retry_later(batch: Batch, event: Event, definition: PhaseDefinition) -> Batch | None:
    """Return the batch with the phase waiting to retry, or None where its last attempt is the last by itself.

    The next attempt works on the essays that this one lost, but for those that would fail again. Without such essays
    there is none, nor for a phase whose peer does not echo the attempt: its late outcomes could not be told apart.
    """
    run = batch.phases[definition.name]
    counted = [attempt for attempt in run.attempts if not attempt.superseded]
    again = tuple(found.essay for found in counted[-1].lost if found.retryable)
    allowed = definition.echoes_attempt and len(counted) < definition.max_attempts
    if not again or not allowed or len(run.attempts) >= MAX_ATTEMPTS:
        return None
    last = counted[-1].number
    wait = backoff_ms(batch, definition, last, len(counted))
    waiting = replace(run, status=phase_status(run.status, PhaseStatus.WAITING_TO_RETRY), selection=again)
    batch = replace(batch, phases={**batch.phases, definition.name: waiting})
    return arm_in(batch, event, DeadlineKind.RETRY_BACKOFF, wait, definition.name, last + 1)


def refusal_of_retry(batch: Batch, body: RetryPhase) -> Reason | None:
    """Return why a retry request is refused, or None."""
    if batch.status.waiting:
        return Reason(code=ReasonCode.NOT_STARTED, phase=body.phase, status=batch.status.value)
    if body.phase not in batch.requested_phases:
        return Reason(code=ReasonCode.PHASE_NOT_REQUESTED, phase=body.phase)
    code = _in_the_way(batch, body)
    if code is not None:
        return Reason(code=code, phase=body.phase, status=batch.phases[body.phase].status.value)
    unknown = _named(body).difference(_ids(batch, inputs(batch, body.phase)))
    if unknown:
        return Reason(code=ReasonCode.UNKNOWN_ESSAYS, phase=body.phase, essays=len(unknown))
    for name in (body.phase, *_requested_after(batch, body.phase)):
        if len(batch.phases[name].attempts) >= MAX_ATTEMPTS:
            return Reason(code=ReasonCode.TOO_MANY_ATTEMPTS, phase=name, attempt=MAX_ATTEMPTS)
    return None


def _in_the_way(batch: Batch, body: RetryPhase) -> ReasonCode | None:
    """Return why the phase's status does not allow the retry, or None."""
    run = batch.phases[body.phase]
    match run.status:
        case PhaseStatus.PENDING_DEPENDENCIES:
            return ReasonCode.PHASE_RUNNING
        case PhaseStatus.DISPATCH_INITIATED if not _covers_running(batch, body, run):
            return ReasonCode.PHASE_RUNNING
        case PhaseStatus.COMPLETED_SUCCESSFULLY:
            return ReasonCode.PHASE_SUCCEEDED
        case PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE:
            return ReasonCode.NOTHING_FAILED
        case _:
            something = body.essays and (_named(body) or _selected(batch, body) != ())
            return None if something else ReasonCode.NOTHING_FAILED


def _covers_running(batch: Batch, body: RetryPhase, run: PhaseRun) -> bool:
    """Whether the retry takes over every essay of the running attempt, so that its outcome is not needed."""
    running = running_attempt(run)
    return body.essays == "all" or (running is not None and _ids(batch, commanded(batch, running)) <= _named(body))


def _named(body: RetryPhase) -> frozenset[str]:
    return frozenset() if isinstance(body.essays, str) else frozenset(body.essays)


def _ids(batch: Batch, essays: tuple[int, ...]) -> frozenset[str]:
    known = essay_ids(batch)
    return frozenset(known[essay] for essay in essays)


def _selected(batch: Batch, body: RetryPhase) -> tuple[int, ...] | None:
    """Return the essays that the next attempt is limited to; None for all inputs of the phase.

    Essays that wait for an automatic retry stay in the next attempt, whichever others are named.
    """
    if body.essays == "all":
        return None
    if body.essays == "failed":
        return tuple(found.essay for found in lost(batch, body.phase))
    known, named = essay_ids(batch), frozenset(body.essays)
    waiting = batch.phases[body.phase].selection or ()
    return tuple(essay for essay in inputs(batch, body.phase) if known[essay] in named or essay in waiting)


def _requested_after(batch: Batch, phase: str) -> tuple[str, ...]:
    return tuple(name for name in descendants(batch, phase) if name in batch.requested_phases)


def retry_phase(batch: Batch, body: RetryPhase) -> tuple[Batch, Reason]:
    """Return the batch with the phase pending on the essays asked for, and everything downstream superseded.

    A retry of all essays supersedes the phase's earlier attempts; any other keeps their results, and survivors merge.
    An attempt that still runs is superseded in any case. The caller advances the batch, which starts the phase.
    """
    run, selection = batch.phases[body.phase], _selected(batch, body)
    number = len(run.attempts) + 1
    again = supersede(run) if selection is None else _select(run, selection)
    changed = {body.phase: _pending(again)}
    for name in _requested_after(batch, body.phase):
        changed[name] = _reopen(batch.phases[name], definition_of(batch, name))
    essays = inputs(batch, body.phase) if selection is None else selection
    reason = Reason(code=ReasonCode.RETRY_STARTED, phase=body.phase, attempt=number, essays=len(essays))
    batch = replace(batch, phases={**batch.phases, **changed})
    for name in changed:
        batch = disarm(batch, name)
    return batch, reason


def _select(run: PhaseRun, selection: tuple[int, ...]) -> PhaseRun:
    """Return the run limited to a selection: earlier texts of these essays no longer count."""
    chosen = frozenset(selection)
    return replace(
        run,
        attempts=tuple(
            replace(attempt, superseded=True) if attempt.concluded_ms is None else attempt for attempt in run.attempts
        ),
        selection=selection,
        texts={essay: text for essay, text in run.texts.items() if essay not in chosen},
        metrics={essay: metrics for essay, metrics in run.metrics.items() if essay not in chosen},
        stalled=False,
        reason=None,
    )


def _reopen(run: PhaseRun, definition: PhaseDefinition) -> PhaseRun:
    """Return the run of a phase after the retried one, pending again without results."""
    pending = _pending(supersede(run))
    if definition.join == "all" or run.status is PhaseStatus.PENDING_DEPENDENCIES:
        return pending
    return replace(pending, reopened=True)


def _pending(run: PhaseRun) -> PhaseRun:
    if run.status is PhaseStatus.PENDING_DEPENDENCIES:
        return run
    return replace(run, status=phase_status(run.status, PhaseStatus.PENDING_DEPENDENCIES))
