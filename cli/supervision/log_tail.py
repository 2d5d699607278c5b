"""Reads the last lines of a log file without reading the whole file."""

from pathlib import Path

_TAIL_BYTES = 65_536


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a rotated log, including the previous file if the newest is shorter."""
    lines = _tail(path)
    if len(lines) < count:
        lines = _tail(path.with_name(f"{path.name}.1")) + lines
    return lines[-count:]


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _TAIL_BYTES))
            return log.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
