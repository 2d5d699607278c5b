"""Bytes that processes write to disk, as the kernel counts them: /proc/PID/io."""

from collections.abc import Mapping
from pathlib import Path

_FIELD = "write_bytes:"


def written_bytes(pids: Mapping[str, int]) -> dict[str, int]:
    """Return how many bytes each process has caused to be written so far.

    They are counted when a page becomes dirty, not when it reaches the disk, so a short measurement misses nothing. A
    page that is written twice before it reaches the disk counts once.
    """
    found = {}
    for name, pid in pids.items():
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
        found[name] = next(int(line.removeprefix(_FIELD)) for line in lines if line.startswith(_FIELD))
    return found
