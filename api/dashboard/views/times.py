"""Times, durations and numbers as pages write them."""

from datetime import UTC, datetime

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def iso(time_ms: int) -> str:
    """Return a time for the attribute `datetime`: `2026-11-24T14:03:22.120Z`."""
    return utc(time_ms).replace(" ", "T")


def utc(time_ms: int, now_ms: int | None = None) -> str:
    """Return a time in UTC, `2026-11-24 14:03:22.120Z`; without the date where that is the day of `now_ms`."""
    moment = datetime.fromtimestamp(time_ms / 1_000, UTC)
    clock = f"{moment:%H:%M:%S}.{moment.microsecond // 1_000:03d}Z"
    if now_ms is not None and moment.date() == datetime.fromtimestamp(now_ms / 1_000, UTC).date():
        return clock
    return f"{moment:%Y-%m-%d} {clock}"


def relative(time_ms: int, now_ms: int) -> str:
    """Return a time as it is from `now_ms`: `41m ago`, `in 3h 5m`, `now`."""
    distance = now_ms - time_ms
    if abs(distance) < _SECOND:
        return "now"
    return f"{duration(distance)} ago" if distance > 0 else f"in {duration(-distance)}"


def duration(milliseconds: float) -> str:
    """Return a duration in at most two units: `12s`, `41m`, `3h 5m`, `2d 4h`."""
    whole = max(0, int(milliseconds))
    if whole < _MINUTE:
        return f"{whole // _SECOND}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    return _two(whole, _DAY, "d", _HOUR, "h")


def number(value: float) -> str:
    """Return a number with thin groups of thousands: `18,204`."""
    return f"{value:,}"


def _two(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    first, rest = divmod(whole, large)
    second = rest // small
    return f"{first}{large_unit} {second}{small_unit}" if second else f"{first}{large_unit}"
