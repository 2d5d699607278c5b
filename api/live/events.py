"""The events of a stream, as bytes (docs/live.md)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi.sse import format_sse_event
from msgspec import Struct

RETRY_MS = 2_000
"""Milliseconds that a browser waits before it connects again."""
PURGED = "purged"
"""Status of a batch that was removed; it has no record any more."""


class Changed(Struct, frozen=True, omit_defaults=True, gc=False):
    """A batch that was decided on."""

    id: str
    version: int
    status: str
    left: bool = False
    """It no longer fits the filter of the stream; it may have before."""


def batch_event(changed: Iterable[Changed], count: int, upto_ms: int, position: str) -> bytes:
    """Return the notice of changed batches; `count` of them, of which the first are named."""
    return _event("batch", {"ids": list(changed), "n": count, "upto": _time(upto_ms)}, position)


def projected_event(position: str) -> bytes:
    """Return the notice that lists show what the `batch` events before it have told."""
    return _event("projected", {"upto": position})


def reset_event(reason: str, position: str) -> bytes:
    """Return the notice that events are missing, so that the client must read again what it shows."""
    return _event("reset", {"reason": reason}, position)


def heartbeat_event(now_ms: int, position: str) -> bytes:
    """Return the sign of life, with the server's time."""
    return _event("heartbeat", {"time": _time(now_ms)}, position)


def dropped_event(reason: str, detail: str) -> bytes:
    """Return the last event of a stream that the server ends."""
    return _event("dropped", {"reason": reason, "detail": detail})


def retry_line() -> bytes:
    """Return the begin of a stream: how long a client waits before it connects again."""
    return format_sse_event(retry=RETRY_MS)


def _event(name: str, data: dict[str, Any], position: str | None = None) -> bytes:
    return format_sse_event(event=name, data_str=msgspec.json.encode(data).decode(), id=position)


def _time(unix_ms: int) -> str:
    moment = datetime.fromtimestamp(unix_ms / 1_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
