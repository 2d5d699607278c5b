"""Essays of a phase: its inputs, and the digests that tell a repeated event from a conflicting one."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from schemas.internal.events import EssayRef, PhaseConcluded, ValidationFailed
from state.batch import Batch

_encode = msgspec.json.encode


def dedupe_by_essay(refs: Iterable[EssayRef]) -> dict[str, EssayRef]:
    """Return refs by essay id, the first of each, in their order."""
    refs = tuple(refs)
    found = {ref.essay_id: ref for ref in refs}
    if len(found) == len(refs):
        return found
    found = {}
    for ref in refs:
        found.setdefault(ref.essay_id, ref)
    return found


def essays_to_command(batch: Batch, phase: str) -> tuple[EssayRef, ...]:
    """Return the essays that the running or next attempt of `phase` works on, with their newest text.

    All ready essays, or the union of the survivors of the requested phases before it, in the order of the ready
    event; limited to the attempt's own selection where it has one.
    """
    inputs = _inputs(batch, phase)
    only = batch.phases[phase].only
    if not only:
        return inputs
    chosen = frozenset(only)
    return tuple(ref for ref in inputs if ref.essay_id in chosen)


def _inputs(batch: Batch, phase: str) -> tuple[EssayRef, ...]:
    before = dependencies(batch, phase)
    if not before:
        return batch.essays
    if len(before) == 1:
        return batch.phases[before[0]].survivors
    uploaded = {ref.essay_id: ref.text_storage_id for ref in batch.essays}
    newest: dict[str, EssayRef] = {}
    for name in before:
        for ref in batch.phases[name].survivors:
            if ref.essay_id not in newest or ref.text_storage_id != uploaded[ref.essay_id]:
                newest[ref.essay_id] = ref
    return tuple(newest[essay_id] for essay_id in uploaded if essay_id in newest)


def dependencies(batch: Batch, phase: str) -> tuple[str, ...]:
    """Return the requested phases that `phase` waits for, with its own dependencies in place of one not requested."""
    after = {definition.name: definition.after for definition in batch.pipeline.phases}
    found: dict[str, None] = {}
    stack = list(reversed(after[phase]))
    while stack:
        name = stack.pop()
        if name in batch.requested_phases:
            found[name] = None
        else:
            stack.extend(reversed(after[name]))
    return tuple(found)


def lost_essay_ids(batch: Batch) -> frozenset[str]:
    """Return the ready essays that some phase lost."""
    return frozenset(lost.essay_id for run in batch.phases.values() for lost in run.failed)


def ready_digest(refs: Iterable[EssayRef]) -> str:
    """Return a digest of the set of (essay, text), whatever the order and repeats."""
    return _digest(sorted({(ref.essay_id, ref.text_storage_id) for ref in refs}))


def outcome_digest(outcome: PhaseConcluded) -> str:
    """Return a digest that two outcomes share when phase, status and sets are equal, whatever ids, times and order."""
    succeeded = sorted({(ref.essay_id, ref.text_storage_id) for ref in outcome.essays})
    return _digest([outcome.phase, outcome.status, succeeded, sorted(set(outcome.failed_essay_ids))])


def validation_digest(body: ValidationFailed) -> str:
    """Return a digest that two validation errors share when they name the same failures, whatever ids and order."""
    failures = sorted({(f.code, f.message, f.file_name, f.essay_id) for f in body.failures})
    return _digest([body.critical, body.total, failures])


def _digest(facts: object) -> str:
    return sha256(_encode(facts)).hexdigest()[:32]
