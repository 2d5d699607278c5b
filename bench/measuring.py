"""Measures a process from outside while it processes a prepared load: its progress and its CPU time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import psutil

WARM_UP = 0.1
"""Share of the work before the measurement begins, so that imports, topic checks and metadata do not count."""
_POLL_S = 0.02
_STALL_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The progress at one time, and the CPU time (seconds, user and system) of each process."""

    at: float
    done: int
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """A rate, and CPU microseconds for each unit of work by process."""

    per_second: float
    cpu_us: Mapping[str, float]

    @classmethod
    def between(cls, first: Sample, last: Sample) -> "Cost":
        """Return the cost of the work between two samples."""
        done = last.done - first.done
        return cls(
            per_second=done / (last.at - first.at),
            cpu_us={name: (cpu - first.cpu[name]) / done * 1e6 for name, cpu in last.cpu.items()},
        )

    @classmethod
    def middle(cls, costs: "list[Cost]") -> "Cost":
        """Return the medians over rounds."""
        return cls(
            per_second=median(cost.per_second for cost in costs),
            cpu_us={name: median(cost.cpu_us[name] for cost in costs) for name in costs[0].cpu_us},
        )


class NoProgress(Exception):
    """The measured process has made no progress for too long."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def sample(done: int, pids: Mapping[str, int]) -> Sample:
    """Return a sample of now."""
    return Sample(time.monotonic(), done, {name: cpu_seconds(pid) for name, pid in pids.items()})


def measure_to_end(
    done: Callable[[], int], total: int, pids: Mapping[str, int], *, check: Callable[[], None] = lambda: None
) -> Cost:
    """Return the cost of a work of `total` units from its warm-up to its end.

    Both ends are taken just after `done` has moved, so that what is done but not counted yet is small.

    Raises:
        NoProgress: nothing moved for a minute. `check` may raise sooner.
    """
    first, count = None, 0
    moved = time.monotonic()
    while count < total:
        time.sleep(_POLL_S)
        check()
        now = done()
        if now != count:
            count, moved = now, time.monotonic()
            if first is None and count >= total * WARM_UP:
                first = sample(count, pids)
        elif time.monotonic() - moved > _STALL_S:
            raise NoProgress(f"{count} of {total} were done, then nothing for {_STALL_S:.0f} s")
    assert first is not None
    return Cost.between(first, sample(count, pids))
