"""The public request: how anyone asks something of a batch, over Kafka.

The peers' envelope, with `event_type` equal to the request topic and this data. `body` is what the client said,
verbatim: the router alone turns it into facts, and fingerprints it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from schemas import ids
from schemas.internal.codec import encode
from schemas.internal.events import Principal
from schemas.topics import Topic


class RequestKind(StrEnum):
    """What is asked for."""

    REGISTER = "register"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


class _Data(Struct, frozen=True):
    request_id: str
    kind: RequestKind
    batch_id: str
    principal: Principal
    body: dict[str, Any]


class _Envelope(Struct, frozen=True):
    event_id: str
    event_type: str
    event_timestamp: datetime
    source_service: str
    schema_version: int
    correlation_id: str | None
    data: _Data


def request_record(  # noqa: PLR0913 - each is a field of the frozen format
    *,
    request_id: str,
    kind: RequestKind | str,
    batch_id: str,
    principal: Principal,
    correlation_id: str | None,
    body: dict[str, Any],
    now: datetime,
    event_type: str = Topic.REQUESTS.value,
    source_service: str = "batch-orchestrator-api",
) -> bytes:
    """Return the value of a record for the request topic; its key is the batch_id.

    `body` is the client's JSON object as it was given. `correlation_id` is a UUID; without one the router derives one.
    `now` is an aware time, for information. `event_type` is the topic's real name under another prefix.
    """
    return encode(
        _Envelope(
            event_id=ids.request_event_id(request_id),
            event_type=event_type,
            event_timestamp=now,
            source_service=source_service,
            schema_version=1,
            correlation_id=correlation_id,
            data=_Data(request_id, RequestKind(kind), batch_id, principal, body),
        )
    )
