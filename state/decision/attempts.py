"""Attempts of a phase: which essays each was commanded, and what all of them together came to.

Everything here is derived from the batch, so that a fact is recorded once. Essays are indexes into `Batch.essays`,
ascending: the order of the ready event.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from schemas import ids
from schemas.internal.enums import LostReason
from state.batch import Attempt, Batch, Essay, LostEssay, PhaseRun
from state.decision.graph import dependencies

MAX_ATTEMPTS = 20
"""Most attempts of a phase, those that were superseded included: each stays in the stored record."""


def slots_of(batch: Batch) -> tuple[str, ...]:
    """Return the essay ids that the batch handed out at its registration."""
    return ids.slot_ids(batch.batch_id, batch.registered_version, batch.expected)


def essay_ids(batch: Batch) -> tuple[str, ...]:
    """Return the ids of the ready essays, in the order of `Batch.essays`."""
    slots = slots_of(batch)
    return tuple([slots[essay.slot] for essay in batch.essays])


def running_attempt(run: PhaseRun) -> Attempt | None:
    """Return the attempt that waits for its outcome, or None."""
    if not run.attempts or run.attempts[-1].concluded_ms is not None or run.attempts[-1].superseded:
        return None
    return run.attempts[-1]


def correlation_of(batch: Batch, phase: str, number: int) -> str:
    """Return the correlation id in an attempt's command: the client's for the first attempt, else a derived one."""
    if number == 1:
        return batch.correlation_id
    return ids.attempt_correlation_id(batch.batch_id, batch.registered_version, phase, number)


def commanded(batch: Batch, attempt: Attempt) -> tuple[int, ...]:
    """Return the essays that an attempt was commanded."""
    return tuple(range(len(batch.essays))) if attempt.essays is None else attempt.essays


def count_essays(batch: Batch, attempt: Attempt) -> int:
    """Return how many essays an attempt was commanded."""
    return len(batch.essays) if attempt.essays is None else len(attempt.essays)


def inputs(batch: Batch, phase: str) -> tuple[int, ...]:
    """Return the essays that a phase can work on: all, or those that survived one of its ended dependencies."""
    before = dependencies(batch, phase)
    if not before:
        return tuple(range(len(batch.essays)))
    ended = [name for name in before if batch.phases[name].status.succeeded]
    if len(ended) == 1:
        return survivors(batch, ended[0])
    return tuple(sorted({essay for name in ended for essay in survivors(batch, name)}))


def next_essays(batch: Batch, phase: str) -> tuple[int, ...]:
    """Return the essays of the phase's next attempt: its inputs, limited to the selection where there is one."""
    chosen = batch.phases[phase].selection
    if chosen is None:
        return inputs(batch, phase)
    wanted = frozenset(chosen)
    return tuple(essay for essay in inputs(batch, phase) if essay in wanted)


def survivors(batch: Batch, phase: str) -> tuple[int, ...]:
    """Return the essays that the phase's attempts together did not lose; not those of a running attempt."""
    run = batch.phases[phase]
    if len(run.attempts) == 1 and not run.attempts[0].lost and running_attempt(run) is None:
        return () if run.attempts[0].superseded else commanded(batch, run.attempts[0])
    return tuple(sorted(essay for essay, lost in _results(batch, run).items() if lost is None))


def lost(batch: Batch, phase: str) -> tuple[LostEssay, ...]:
    """Return the essays that the phase's attempts together lost; not those of a running attempt."""
    return lost_in(batch, batch.phases[phase])


def lost_in(batch: Batch, run: PhaseRun) -> tuple[LostEssay, ...]:
    """Return the essays that the attempts of a run together lost; not those of a running attempt."""
    if not run.attempts:
        return ()
    if len(run.attempts) == 1 and not run.attempts[0].superseded:
        return run.attempts[0].lost
    results = _results(batch, run)
    return tuple(found for _, found in sorted(results.items()) if found is not None)


def tally(batch: Batch, run: PhaseRun) -> tuple[int, int]:
    """Return how many essays survived the attempts of a run together, and how many they lost."""
    if len(run.attempts) == 1 and not run.attempts[0].superseded:
        failed = len(run.attempts[0].lost)
        return count_essays(batch, run.attempts[0]) - failed, failed
    results = _results(batch, run)
    failed = sum(found is not None for found in results.values())
    return len(results) - failed, failed


def lost_by_any(batch: Batch) -> frozenset[int]:
    """Return the essays that some phase lost."""
    return frozenset([found.essay for run in batch.phases.values() for found in lost_in(batch, run)])


def count_succeeded(batch: Batch, lost_by_any: int) -> int:
    """Return how many ready essays came through; `lost_by_any` is how many of them some phase lost.

    Once the batch has ended none has, where a requested phase never ran, or was to run again on all and never did.
    """
    if batch.ended_ms is not None and not all(map(_has_run, map(batch.phases.__getitem__, batch.requested_phases))):
        return 0
    return batch.ready_count - lost_by_any


def _has_run(run: PhaseRun) -> bool:
    return any(not attempt.superseded for attempt in run.attempts)


def count_commanded(batch: Batch, run: PhaseRun) -> int:
    """Return how many essays the attempts of a run were commanded, each once; superseded attempts not at all."""
    if batch.ended_ms is not None:
        return run.commanded
    attempts = [attempt for attempt in run.attempts if not attempt.superseded]
    if len(attempts) == 1:
        return count_essays(batch, attempts[0])
    return len({essay for attempt in attempts for essay in commanded(batch, attempt)})


def _results(batch: Batch, run: PhaseRun) -> dict[int, LostEssay | None]:
    """Return what became of each essay in the newest attempt on it: how it was lost, or None for a survivor."""
    results: dict[int, LostEssay | None] = {}
    for attempt in run.attempts:
        if attempt.superseded:
            continue
        essays = commanded(batch, attempt)
        if attempt.concluded_ms is None:
            for essay in essays:
                results.pop(essay, None)
        else:
            results.update(dict.fromkeys(essays))
            results.update((found.essay, found) for found in attempt.lost)
    return results


def supersede(run: PhaseRun) -> PhaseRun:
    """Return the run without results: its attempts are superseded, and its texts and metrics no longer count.

    What they lost goes too: a phase can be retried often, and the record must not grow with every essay each time.
    """
    attempts = tuple(replace(attempt, superseded=True, lost=()) for attempt in run.attempts)
    return replace(run, attempts=attempts, selection=None, texts={}, metrics={}, stalled=False, reason=None)


def conclude(batch: Batch, run: PhaseRun, attempt: Attempt) -> PhaseRun:
    """Return the run with its last attempt as it ended; what earlier ones lost of its essays no longer counts."""
    earlier = run.attempts[:-1]
    if earlier:
        again = frozenset(commanded(batch, attempt))
        earlier = tuple(_without(before, again) for before in earlier)
    return replace(run, attempts=(*earlier, attempt), stalled=False)


def _without(attempt: Attempt, essays: frozenset[int]) -> Attempt:
    if not attempt.lost:
        return attempt
    return replace(attempt, lost=tuple(found for found in attempt.lost if found.essay not in essays))


def stub(batch: Batch) -> Batch:
    """Return the batch as it is kept after its end: without texts, and with the slots of lost essays alone.

    What attempts lost, and a later one did not, goes; so do the indexes of the essays commanded.
    """
    kept = {essay: place for place, essay in enumerate(sorted(lost_by_any(batch)))}
    phases = {
        name: PhaseRun(
            status=run.status,
            attempts=tuple([_stub_of(attempt, lost_in(batch, run), kept) for attempt in run.attempts]),
            reason=run.reason,
            commanded=count_commanded(batch, run),
        )
        for name, run in batch.phases.items()
    }
    essays = tuple(Essay(batch.essays[essay].slot, "") for essay in kept)
    return replace(batch, phases=phases, essays=essays, metrics={})


def _stub_of(attempt: Attempt, counting: Iterable[LostEssay], kept: dict[int, int]) -> Attempt:
    if not attempt.lost:
        return replace(attempt, essays=())
    still = {id(found) for found in counting}
    lost_here = tuple(replace(found, essay=kept[found.essay]) for found in attempt.lost if id(found) in still)
    return replace(attempt, essays=(), lost=lost_here)


def without_details(batch: Batch) -> Batch:
    """Return the batch without the peers' words on lost essays, the largest part of a record that loses many."""
    phases = {
        name: replace(run, attempts=tuple(map(_without_details, run.attempts))) for name, run in batch.phases.items()
    }
    return replace(batch, phases=phases)


def _without_details(attempt: Attempt) -> Attempt:
    return replace(attempt, lost=tuple(replace(found, detail="") for found in attempt.lost))


def cut_off(batch: Batch, attempt: Attempt, reason: LostReason) -> tuple[LostEssay, ...]:
    """Return all essays of a running attempt as lost because no outcome of it will be recorded."""
    return tuple(LostEssay(essay, reason) for essay in commanded(batch, attempt))
