"""The envelope of events: building the era's own, reading the orchestrator's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from peers.options import Era

Json: TypeAlias = dict[str, Any]
Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

ELS = "essay-lifecycle-service"


@dataclass(frozen=True, slots=True)
class Send:
    """One record that the peers want sent at the wall clock time `at` (seconds since 1970)."""

    at: float
    topic: str
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One record that the orchestrator published, with where it was read."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    partition: int = -1
    offset: int = -1


def timestamp(at: float) -> str:
    """RFC 3339 in UTC with microseconds and `Z`, as the originals write it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def encode(era: Era, *, event_id: str, event_type: str, at: float, correlation_id: str, data: Json) -> bytes:
    """The era's envelope around `data` as UTF-8 JSON; nulls are kept, `metadata` came after the seed."""
    envelope: Json = {
        "event_id": event_id,
        "event_type": event_type,
        "event_timestamp": timestamp(at),
        "source_service": ELS,
        "schema_version": 1,
        "correlation_id": correlation_id,
        "data_schema_uri": None,
        "data": data,
    }
    if era != "seed":
        envelope["metadata"] = None
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def system_metadata(era: Era, batch_id: str, event: str, at: float) -> Json:
    """SystemProcessingMetadata: the entity is nested before head and flat at head."""
    entity: Json = {"entity_id": batch_id, "entity_type": "batch", "parent_id": None}
    rest: Json = {
        "timestamp": timestamp(at),
        "processing_stage": None,
        "started_at": None,
        "completed_at": None,
        "event": event,
        "error_info": {},
    }
    return entity | rest if era == "head" else {"entity": entity} | rest


def decode(value: bytes) -> Json | None:
    """The JSON object in `value`, or None where it is something else."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
