"""Digests that tell a repeated event from a conflicting one, and the collapse of repeated essays."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from schemas.internal.events import EssayRef, PhaseConcluded, ValidationFailed

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
