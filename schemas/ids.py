"""Derived identifiers. The same facts give the same id, so a repeated decision gives identical bytes.

All are UUIDv5 in one namespace; the names below are frozen, because ids that were published stay valid for ever.
"""

from functools import lru_cache
from hashlib import sha1
from uuid import NAMESPACE_URL, UUID, uuid5

VERSIONS_PER_GENERATION = 2**44
"""A batch's version is generation * VERSIONS_PER_GENERATION + offset on the inbox: it grows over a new inbox too."""
NAMESPACE = uuid5(NAMESPACE_URL, "urn:batch-orchestrator:ids:v1")
_PREFIX = NAMESPACE.bytes
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def derived_id(name: str) -> str:
    """Return UUIDv5(NAMESPACE, name) as text; the same as `uuid.uuid5` at a third of its cost."""
    return _text(sha1(_PREFIX + name.encode(), usedforsecurity=False).hexdigest())


def _text(digest: str) -> str:
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def keyed_batch_id(organisation: str, subject: str, key: str) -> str:
    """Id of a batch registered with an Idempotency-Key, in the scope of who registers it."""
    return derived_id(f"batch\n{organisation}\n{subject}\n{key}")


def record_id(topic: str, partition: int, offset: int) -> str:
    """Id of an event that carries none, from where it was first read."""
    return derived_id(f"record\n{topic}\n{partition}\n{offset}")


def dead_letter_id(topic: str, partition: int, offset: int) -> str:
    """Id of the dead letter of the record first read there; repeats coincide."""
    return derived_id(f"dead-letter\n{topic}\n{partition}\n{offset}")


def control_request_id(batch_id: str, organisation: str, subject: str, key: str) -> str:
    """Id of a request to control a batch that is sent with an Idempotency-Key, in the scope of who sends it."""
    return derived_id(f"control\n{organisation}\n{subject}\n{key}\n{batch_id}")


def operation_request_id(operation_id: str, item: str) -> str:
    """Id of the request that an operation makes about one of its items; a repeat coincides."""
    return derived_id(f"operation\n{operation_id}\n{item}")


def keyed_operation_id(organisation: str, subject: str, key: str) -> str:
    """Id of an operation that is started with an Idempotency-Key, in the scope of who starts it."""
    return derived_id(f"bulk\n{organisation}\n{subject}\n{key}")


def request_event_id(request_id: str) -> str:
    """Id of the event that carries a request."""
    return derived_id(f"request\n{request_id}")


def request_correlation_id(request_id: str) -> str:
    """Correlation id of a request that brought none."""
    return derived_id(f"request-correlation\n{request_id}")


def slot_id(batch_id: str, registered_version: int, index: int) -> str:
    """Id of the essay slot `index` (from 0) of a batch. 36 characters: peers drop longer ones."""
    return derived_id(f"slot\n{batch_id}\n{registered_version}\n{index}")


def slot_ids(batch_id: str, registered_version: int, count: int) -> tuple[str, ...]:
    """Return the ids of all slots of a batch.

    They are needed with most events of a batch, and those of a batch that goes on follow each other: the ids of the
    last batches of an ordinary size are kept.
    """
    derive = kept_slot_ids if count <= _KEPT_SLOTS else _slot_ids
    return derive(batch_id, registered_version, count)


def _slot_ids(batch_id: str, registered_version: int, count: int) -> tuple[str, ...]:
    # What they have in common is hashed once.
    common = sha1(_PREFIX + f"slot\n{batch_id}\n{registered_version}\n".encode(), usedforsecurity=False)
    digests: list[str] = []
    for index in range(count):
        one = common.copy()
        one.update(b"%d" % index)
        digests.append(one.hexdigest())
    # `_text` once more in place: called for each slot, it would cost a fifth of this function.
    return tuple([f"{d[:8]}-{d[8:12]}-5{d[13:16]}-{_VARIANTS[d[16]]}{d[17:20]}-{d[20:32]}" for d in digests])


_KEPT_SLOTS = 128
kept_slot_ids = lru_cache(maxsize=1_024)(_slot_ids)
"""`slot_ids` of batches of an ordinary size. A benchmark clears it, so that registrations cost what they do."""


def effect_id(batch_id: str, registered_version: int, kind: str, phase: str = "", attempt: int = 0) -> str:
    """Id of a published event or command, in this life of the batch."""
    return derived_id(f"effect\n{batch_id}\n{registered_version}\n{kind}\n{phase}\n{attempt}")


def attempt_correlation_id(batch_id: str, registered_version: int, phase: str, attempt: int) -> str:
    """Correlation id of a phase's second and later attempts; the first uses the client's."""
    return derived_id(f"correlation\n{batch_id}\n{registered_version}\n{phase}\n{attempt}")


def trace_id(correlation_id: str) -> str:
    """W3C trace id (32 hex digits) of a batch that brought no trace of its own; never the one that is all zeros."""
    correlation = UUID(correlation_id)
    return correlation.hex if correlation.int else UUID(derived_id(f"trace\n{correlation_id}")).hex


def span_id(event_id: str) -> str:
    """W3C span id (16 hex digits) of a published event, derived so that a repeat is identical."""
    return event_id.replace("-", "")[:16]
