"""What processes wait for, over time: the kernel's pressure, dirty pages, and each process's wait for a core."""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.sampler import Sampler

TICK_S = 0.25
RESOURCES = ("cpu", "io", "memory")
_KIB = 1_024
_MB = 1e6


class Tick(NamedTuple):
    """Counters at one time."""

    at_s: float
    stalled_us: Mapping[str, int]
    """Time for which some task of the host waited for each resource. A resource is absent without /proc/pressure."""
    dirty_bytes: int
    writeback_bytes: int
    queued_ns: Mapping[str, int]
    """Time for which each process was ready and had no core: its main thread, or all threads of the broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What was waited for in a span of time."""

    stalled: Mapping[str, float]
    """Share of the time in which some task of the host waited for each resource."""
    dirty_mb: float
    """Most dirty pages at a time."""
    writeback_mb: float
    """Most pages at a time that were being written to disk."""
    queued_ms: Mapping[str, float]
    """Milliseconds for which each process was ready and had no core."""


class HostWatch(Sampler):
    """Samples the host in a thread of its own; a context manager."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        super().__init__("host-watch", TICK_S)
        self._pids = dict(pids)
        self._ticks: list[Tick] = []

    def between(self, start_s: float, end_s: float) -> Waits:
        """Return what was waited for between two Unix times, widened to the nearest samples."""
        return waits(self._ticks, start_s, end_s)

    def _look(self) -> None:
        self._ticks.append(self._tick())

    def _tick(self) -> Tick:
        memory = _memory()
        return Tick(
            at_s=time.time(),
            stalled_us=_pressure(),
            dirty_bytes=memory["Dirty"],
            writeback_bytes=memory["Writeback"],
            queued_ns={name: _queued_ns(pid, every_thread=name == "broker") for name, pid in self._pids.items()},
        )


def waits(ticks: list[Tick], start_s: float, end_s: float) -> Waits:
    """Return what was waited for between two times, from the sample before the first to the one after the last."""
    times = [tick.at_s for tick in ticks]
    first = max(0, bisect_right(times, start_s) - 1)
    last = min(len(ticks) - 1, max(bisect_left(times, end_s), first + 1))
    before, after, span = ticks[first], ticks[last], ticks[first : last + 1]
    seconds = max(1e-9, after.at_s - before.at_s)
    return Waits(
        stalled={
            name: (after.stalled_us[name] - before.stalled_us[name]) / seconds / 1e6
            for name in before.stalled_us
            if name in after.stalled_us
        },
        dirty_mb=max(tick.dirty_bytes for tick in span) / _MB,
        writeback_mb=max(tick.writeback_bytes for tick in span) / _MB,
        queued_ms={
            name: max(0, after.queued_ns.get(name, 0) - before.queued_ns[name]) / 1e6 for name in before.queued_ns
        },
    )


def _pressure() -> dict[str, int]:
    found = {}
    for name in RESOURCES:
        try:
            some = Path(f"/proc/pressure/{name}").read_text(encoding="ascii").splitlines()[0]
        except OSError:  # a kernel without it, or one that is told not to count
            continue
        found[name] = int(some.rpartition("total=")[2])
    return found


def _memory() -> dict[str, int]:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = (line.partition(":") for line in lines)
    return {name: int(rest.split()[0]) * _KIB for name, _, rest in fields}


def _queued_ns(pid: int, *, every_thread: bool) -> int:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat") if every_thread else [Path(f"/proc/{pid}/schedstat")]
    total = 0
    for path in tasks:
        try:
            total += int(path.read_text(encoding="ascii").split()[1])
        except OSError:  # the thread has ended
            continue
    return total
