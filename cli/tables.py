"""Tables of commands: columns with headings, as wide as their longest cell."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

Row = dict[str, Any]


class Times(StrEnum):
    """Form of moments in tables. JSON and YAML have them as the api gives them, in UTC."""

    UTC = "utc"
    LOCAL = "local"
    RELATIVE = "relative"


class _Chosen:
    """What the caller of the command line has chosen."""

    times = Times.UTC


def show_times(form: Times) -> None:
    """Have tables of this process show moments in this form."""
    _Chosen.times = form


class Column(NamedTuple):
    """A column: its heading, and its cell for a row of the api's JSON."""

    heading: str
    cell: Callable[[Row], str]
    wide: bool = False
    """Shown with `-o wide` only."""
    right: bool = False
    """Aligned to the right, for numbers."""


def table(rows: Sequence[Row], columns: Sequence[Column], *, wide: bool = False) -> list[str]:
    """Return the lines of a table, the headings first."""
    shown = [column for column in columns if wide or not column.wide]
    cells = [[column.heading for column in shown], *([column.cell(row) for column in shown] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(shown))]
    return [
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, shown, strict=True)
        ).rstrip()
        for line in cells
    ]


def short_id(batch_id: str) -> str:
    """Return the beginning of a UUID, by which commands find it; another id whole."""
    return batch_id[:8] if len(batch_id) == 36 and batch_id.count("-") == 4 else batch_id


def age(time: str | None, now: datetime | None = None) -> str:
    """Return how long ago a time was, such as `41m`; `in 5m` for one that comes; `-` for none."""
    if not time:
        return "-"
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(time)).total_seconds()
    text = duration(abs(seconds))
    return text if seconds >= -0.5 else f"in {text}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as `41m` or `23h19m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m"
    if whole < 86_400:
        return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3_600:02}h"


def clock(time: str | None, *, with_day: bool = True) -> str:
    """Return a moment of the api to the second, in the form that was chosen; `with_day` false leaves out its day."""
    if not time:
        return "-"
    if _Chosen.times is Times.RELATIVE:
        text = age(time)
        return text if text.startswith("in ") else f"{text} ago"
    moment = datetime.fromisoformat(time)
    if _Chosen.times is Times.LOCAL:
        local = moment.astimezone()
        return f"{local:%Y-%m-%d %H:%M:%S %Z}" if with_day else f"{local:%H:%M:%S}"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if with_day else f"{moment:%H:%M:%SZ}"
