"""Times as the api writes them."""

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@overload
def timestamp(time_ms: int) -> str: ...
@overload
def timestamp(time_ms: None) -> None: ...
@overload
def timestamp(time_ms: int | None) -> str | None: ...
def timestamp(time_ms: int | None) -> str | None:
    """Return Unix milliseconds in RFC 3339 form, in UTC."""
    if time_ms is None:
        return None
    return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
