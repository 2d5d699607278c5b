"""Words for counts and times in sentences for people."""

from datetime import UTC, datetime

_S, _MIN, _H, _D = 1_000, 60_000, 3_600_000, 86_400_000
_SOON_MS = 10 * _MIN


def counted(number: int | str, one: str) -> str:
    """Return a number with its noun: `1 essay`, `2 essays`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def listed(names: tuple[str, ...]) -> str:
    """Return names as a list in a sentence: `a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def duration(milliseconds: float) -> str:
    """Return a duration in its two largest units, rounded down: `12 s`, `41 min`, `2 h 5 min`, `3 d 4 h`."""
    left = max(0, int(milliseconds))
    if left < _MIN:
        return f"{left // _S} s"
    if left < _H:
        return f"{left // _MIN} min"
    large, small, names = (_H, _MIN, ("h", "min")) if left < _D else (_D, _H, ("d", "h"))
    rest = left % large // small
    return f"{left // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")


def clock(time_ms: int, now_ms: int) -> str:
    """Return a point of time in UTC: `2026-11-25 13:22Z`, with seconds where it is within ten minutes of `now_ms`."""
    form = "%Y-%m-%d %H:%M:%SZ" if abs(time_ms - now_ms) < _SOON_MS else "%Y-%m-%d %H:%MZ"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime(form)
