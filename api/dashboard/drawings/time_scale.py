"""The scale of a timeline: milliseconds to coordinates, with long idle stretches folded. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

FOLD_PX = 28.0
"""Width of a folded stretch."""
_FOLD_SHARE = 0.6
"""Share of the whole span from which on a stretch in which nothing works is folded."""
_STEPS_MS = tuple(
    seconds * 1_000
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
)


class Piece(Struct, frozen=True):
    """A stretch of time and where it lies."""

    start_ms: int
    end_ms: int
    left: float
    right: float
    folded: bool


class TimeScale(Struct, frozen=True):
    """Maps times to coordinates."""

    pieces: tuple[Piece, ...]

    def x(self, time_ms: float) -> float:
        """Return the coordinate of a time; times outside of the scale lie at its edges."""
        for piece in self.pieces:
            if time_ms <= piece.end_ms:
                share = (time_ms - piece.start_ms) / max(1, piece.end_ms - piece.start_ms)
                return piece.left + max(0.0, share) * (piece.right - piece.left)
        return self.pieces[-1].right

    def ticks(self, most: int = 7) -> tuple[tuple[int, ...], int]:
        """Return round times that lie well apart, and the step between them in milliseconds."""
        shown = [piece for piece in self.pieces if not piece.folded]
        span = sum(piece.end_ms - piece.start_ms for piece in shown)
        step = next((each for each in _STEPS_MS if span / each <= most), _STEPS_MS[-1] * max(1, span // 604_800_000))
        found = [time for piece in shown for time in range(-(-piece.start_ms // step) * step, piece.end_ms + 1, step)]
        return tuple(found), step


def time_scale(
    start_ms: int,
    end_ms: int,
    happenings: Iterable[int],
    working: Sequence[tuple[int, int]],
    left: float,
    right: float,
) -> TimeScale:
    """Return the scale from `start_ms` to `end_ms`.

    `happenings` are the times at which something happens. A stretch between two of them is folded where it is long and
    lies in none of `working`.
    """
    times = sorted({start_ms, end_ms, *(each for each in happenings if start_ms < each < end_ms)})
    least = _FOLD_SHARE * (end_ms - start_ms)

    def idle(begin: int, end: int) -> bool:
        return end - begin > least and len(times) > 2 and not any(s < end and begin < e for s, e in working)

    stretches = [(begin, end, idle(begin, end)) for begin, end in pairwise(times)]
    folds = sum(folded for *_, folded in stretches)
    shown = sum(end - begin for begin, end, folded in stretches if not folded)
    per_ms = (right - left - folds * FOLD_PX) / max(1, shown)
    pieces, x = [], left
    for begin, end, folded in stretches:
        width = FOLD_PX if folded else (end - begin) * per_ms
        pieces.append(Piece(begin, end, x, x + width, folded))
        x += width
    return TimeScale(tuple(_merged(pieces)))


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Join neighbours that are not folded: they have the same scale."""
    found: list[Piece] = []
    for piece in pieces:
        if found and not piece.folded and not found[-1].folded:
            found[-1] = Piece(found[-1].start_ms, piece.end_ms, found[-1].left, piece.right, folded=False)
        else:
            found.append(piece)
    return found
