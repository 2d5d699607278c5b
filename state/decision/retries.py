"""Rules for automatic retries: whether an attempt that ended is followed by another one by itself, and when."""

from hashlib import sha256

from schemas.internal.pipeline import PhaseDefinition
from state.batch import Batch

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
