"""Measures the timekeeper: reading many armed deadlines, starting again with them, and firing those of one second."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from bench.load import fill_status
from bench.measuring import cpu_seconds
from bench.workplace import InboxEnd, Workplace, assigned, metric
from cli.supervision.owned_process import OwnedProcess
from cli.supervision.ports import free_port
from runtime.settings import Settings

AT_ONCE = 100_000
"""Deadlines that are due in one second."""
LEAD_S = 30.0
"""Seconds that the deadlines of that second are armed before it begins."""
_FAR_MS = 86_400_000
_ARMED = "batch_orchestrator_deadlines_armed"
_POLL_S = 0.05
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinesResult:
    """What was found. Times are in seconds."""

    armed: int
    """Deadlines in the index."""
    first_start_s: float
    """From the start of the process, with an empty directory, until all of them were in the index."""
    index_bytes: int
    """Size of the index on disk."""
    next_start_s: float
    """The same with the directory kept."""
    at_once: int
    """Deadlines that were due in one second."""
    fired_s: float
    """From the end of that second until all of them were in the inbox."""
    cpu_s: float
    """CPU that the timekeeper used for that, user and system."""
    repeats: int
    """Deadlines in the inbox beyond one for each."""
    assignments: int
    """How often its group assigned partitions while it fired: 1 where no heartbeat was missed."""


class Deadlines:
    """Measures a timekeeper that is alone: with empty inputs the router has nothing to pass."""

    def __init__(self, workplace: Workplace, report: Callable[[str], None]) -> None:
        self._workplace = workplace
        self._report = report
        self._index = workplace.directory / "deadlines"
        self._port = free_port()
        self._names = {"TIMEKEEPER_DIR": str(self._index), "METRICS_PORT": str(self._port)}

    def run(self, armed: int) -> DeadlinesResult:
        """Arm `armed` deadlines, start twice, and fire those of one second."""
        settings = self._workplace.settings(**self._names)
        self._workplace.provision(settings)
        self._report(f"writing {armed} statuses with a deadline of tomorrow")
        tomorrow = _now_ms() + _FAR_MS
        fill_status(settings, ((f"armed-{number:08}", tomorrow + number) for number in range(armed)))
        first_start_s = self._start_until_armed(armed, "first")
        size = sum(path.stat().st_size for path in self._index.rglob("*") if path.is_file())
        next_start_s = self._start_until_armed(armed, "next")
        self._report(f"index of {size / 1e6:.0f} MB; started in {first_start_s:.1f} s, then in {next_start_s:.1f} s")
        fired_s, cpu_s, repeats, assignments = self._fire(settings, armed)
        return DeadlinesResult(
            armed=armed,
            first_start_s=first_start_s,
            index_bytes=size,
            next_start_s=next_start_s,
            at_once=AT_ONCE,
            fired_s=fired_s,
            cpu_s=cpu_s,
            repeats=repeats,
            assignments=assignments,
        )

    def _start_until_armed(self, armed: int, name: str) -> float:
        started = time.monotonic()
        with self._workplace.process(name, ("-m", "cli.main", "timekeeper"), self._names) as process:
            self._await(name, process, lambda: self._armed() >= armed)
            return time.monotonic() - started

    def _fire(self, settings: Settings, armed: int) -> tuple[float, float, int, int]:
        name = "firing"
        with (
            self._workplace.process(name, ("-m", "cli.main", "timekeeper"), self._names) as process,
            closing(InboxEnd(settings)) as fired,
        ):
            self._await(name, process, lambda: assigned(self._port))
            begin = _now_ms() + round(LEAD_S * 1_000)
            fill_status(settings, ((f"due-{one:08}", begin + one * 1_000 // AT_ONCE) for one in range(AT_ONCE)))
            self._await(name, process, lambda: self._armed() >= armed + AT_ONCE)
            if _now_ms() > begin:
                raise TimeoutError(f"{AT_ONCE} deadlines were not armed within {LEAD_S:.0f} s")
            self._report(f"{AT_ONCE} deadlines are due in {(begin - _now_ms()) / 1_000:.0f} s, all in one second")
            used = cpu_seconds(process.pid)
            self._await(name, process, lambda: fired() >= AT_ONCE)
            used = cpu_seconds(process.pid) - used
            fired_s = (_now_ms() - begin) / 1_000 - 1
            self._report(f"all are in the inbox {fired_s:.1f} s after the end of that second")
            log = (self._workplace.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            return fired_s, used, fired() - AT_ONCE, sum('"assigned"' in line for line in log.splitlines())

    def _armed(self) -> float:
        return metric(self._port, _ARMED) or 0.0

    def _await(self, name: str, process: OwnedProcess, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not condition():
            self._workplace.check(name, process)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the timekeeper has not come to its aim within {_TIMEOUT_S:.0f} s")
            time.sleep(_POLL_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
