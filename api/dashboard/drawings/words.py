"""Durations and clock times as drawings write them."""

from datetime import UTC, datetime

_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400


def length(milliseconds: float) -> str:
    """Return how long a stretch of time is, in its two largest units: `1m 40s`, `3d 4h`.

    Finer than `views.times.duration`, because what is measured here has ended or is compared.
    """
    seconds = max(0, round(milliseconds / 1_000))
    if seconds < _MINUTE_S:
        return f"{seconds}s"
    if seconds < _HOUR_S:
        return _two(seconds, _MINUTE_S, "m", 1, "s")
    if seconds < _DAY_S:
        return _two(seconds, _HOUR_S, "h", _MINUTE_S, "m")
    return _two(seconds, _DAY_S, "d", _HOUR_S, "h")


def clock(time_ms: int, step_ms: int) -> str:
    """Return the label of a tick in UTC, as fine as the step between two ticks asks for."""
    moment = datetime.fromtimestamp(time_ms / 1_000, UTC)
    if step_ms < _MINUTE_S * 1_000:
        return f"{moment:%H:%M:%S}"
    if step_ms < _DAY_S * 1_000:
        return f"{moment:%H:%M}"
    return f"{moment:%d %b}"


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    first, rest = divmod(seconds, large)
    second = rest // small
    return f"{first}{large_unit} {second}{small_unit}" if second else f"{first}{large_unit}"
