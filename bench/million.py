"""Measures an orchestrator with very many live batches: its start, and a decision's cost beside that of a small one."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median

import psutil

from bench.alone import ORCHESTRATOR
from bench.events import Input, event_bytes
from bench.load import fill_events
from bench.measuring import cpu_seconds
from bench.sizes import directory_bytes
from bench.wire import PHASES, BatchIds, Wire
from bench.workplace import GroupOffsets, Workplace
from cli.supervision.owned_process import OwnedProcess
from schemas.ids import slot_ids
from schemas.internal.outgoing import RecordPosition

ROUNDS = 5
"""Rounds in which the large and the small orchestrator are measured in turns."""
STARTS = 8
"""Batches that are kept for the starts: an event of each partition waits for each of two starts."""
_IDLE_CORES = 0.1
_SETTLE_S = 120.0
_TELL_S = 20.0
_LOOK_S = 0.02
_STALL_S = 300.0
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class MillionResult:
    """What was found. CPU times are in microseconds for a decision.

    A start takes from that of the process until it has committed a decision of each partition, in seconds.
    """

    many: int
    few: int
    registered_per_second: float
    start_kept_s: float
    start_lost_s: float
    many_us: float
    few_us: float
    of_few: float
    """CPU of a decision with many batches over that with few: the median over the rounds, each of which has other
    batches."""
    rss_mb: float
    """Memory of the process with many batches."""
    store_mb: float


class Million:
    """Measures two orchestrators, each on topics of its own."""

    def __init__(self, many: Workplace, few: Workplace, *, essays: int, report: Callable[[str], None]) -> None:
        self._many, self._few = many, few
        self._essays = essays
        self._report = report

    def run(self, many: int, few: int) -> MillionResult:
        """Register `many` and `few` batches, start again with them, and measure decisions in turns."""
        with ExitStack() as stack:
            large = stack.enter_context(closing(_Live(self._many, many, self._essays, self._report)))
            small = stack.enter_context(closing(_Live(self._few, few, self._essays, self._report)))
            per_second = large.register()
            kept_s = large.start_again(0)
            self._report(f"{many} live batches, directory kept: the first decisions after {kept_s:.1f} s")
            large.lose_directory()
            lost_s = large.start_again(STARTS // 2)
            self._report(f"{many} live batches, directory lost: the first decisions after {lost_s:.1f} s")
            small.register()
            each = (few - STARTS) // ROUNDS
            costs = [(large.decide(number, each), small.decide(number, each)) for number in range(ROUNDS)]
            for large_us, small_us in costs:
                self._report(f"a decision: {large_us:.0f} us with {many} live batches, {small_us:.0f} us with {few}")
            return MillionResult(
                many=many,
                few=few,
                registered_per_second=per_second,
                start_kept_s=kept_s,
                start_lost_s=lost_s,
                many_us=median(large_us for large_us, _ in costs),
                few_us=median(small_us for _, small_us in costs),
                of_few=median(large_us / small_us for large_us, small_us in costs),
                rss_mb=large.rss_mb(),
                store_mb=directory_bytes(large.directory) / _MB,
            )


class _Live:
    """An orchestrator with live batches that are registered and nothing else."""

    def __init__(self, workplace: Workplace, batches: int, essays: int, report: Callable[[str], None]) -> None:
        self._workplace = workplace
        self._batches = batches
        self._essays = essays
        self._report = report
        self.directory = workplace.directory / "state"
        self._names = {"STATE_DIR": str(self.directory)}
        self._settings = workplace.settings(**self._names)
        workplace.provision(self._settings)
        self._done = GroupOffsets(self._settings)
        self._wire = Wire("seed", essays)
        self._partitions = self._settings.topic_partitions
        self._total = 0
        self._running: ExitStack | None = None
        self._process: OwnedProcess | None = None

    def close(self) -> None:
        """End the process."""
        self._stop()
        self._done.close()

    def register(self) -> float:
        """Register all batches, and return how many were decided in a second."""
        self._report(f"registering {self._batches} batches")
        self._append(self._event(number, "register") for number in range(self._batches))
        self._start()
        begun = time.monotonic()
        self._await_done()
        return self._batches / (time.monotonic() - begun)

    def start_again(self, first: int) -> float:
        """Stop, let an event wait in each partition, and return how long the next start takes to decide them."""
        self._stop()
        self._append(self._event(first + number, "ready") for number in range(self._partitions))
        begun = time.monotonic()
        self._start()
        self._await_done()
        return time.monotonic() - begun

    def lose_directory(self) -> None:
        """Stop, and remove the state directory."""
        self._stop()
        shutil.rmtree(self.directory)

    def decide(self, number: int, batches: int) -> float:
        """Return the CPU of a decision in round `number`: two events for each of `batches` batches across the store."""
        process = self._settled()
        stride = (self._batches - STARTS) // batches
        before, first = cpu_seconds(process.pid), self._total
        self._append(self._follow_ups(STARTS + number + stride * each for each in range(batches)))
        self._await_done()
        return (cpu_seconds(process.pid) - before) / (self._total - first) * 1e6

    def rss_mb(self) -> float:
        """Return the memory of the process."""
        assert self._process is not None
        return float(psutil.Process(self._process.pid).memory_info().rss) / _MB

    def _event(self, number: int, step: str) -> Input:
        """Return an event of a batch; its essays have the ids that its registration's place on the inbox gives them."""
        ids, partition = BatchIds.numbered(number, "live"), number % self._partitions
        slots = slot_ids(ids.batch_id, number // self._partitions, self._essays)
        at = RecordPosition(self._settings.topics().name(self._wire.topics[step]), partition, number)
        return Input(step, self._wire.topics[step], event_bytes(self._wire, ids, step, slots), at)

    def _follow_ups(self, numbers: Iterable[int]) -> Iterator[Input]:
        """Yield the events after which a batch runs its second phase, and so is still live."""
        for number in numbers:
            for step in ("ready", PHASES[0]):
                yield self._event(number, step)

    def _append(self, events: Iterable[Input]) -> None:
        self._total += fill_events(self._settings, events).records

    def _start(self) -> None:
        self._running = ExitStack()
        self._process = self._running.enter_context(self._workplace.process("orchestrator", ORCHESTRATOR, self._names))

    def _stop(self) -> None:
        if self._running is not None:
            self._running.close()
        self._running = self._process = None

    def _await_done(self) -> None:
        """Wait until every record of the inbox is decided."""
        assert self._process is not None
        told = moved = time.monotonic()
        reached = -1
        while (now := self._done()) < self._total:
            self._workplace.check("orchestrator", self._process)
            if now != reached:
                reached, moved = now, time.monotonic()
            if time.monotonic() - moved > _STALL_S:
                raise TimeoutError(f"{reached} of {self._total} were decided, then nothing for {_STALL_S:.0f} s")
            if time.monotonic() - told > _TELL_S:
                told = time.monotonic()
                self._report(f"{now} of {self._total} decided")
            time.sleep(_LOOK_S)

    def _settled(self) -> OwnedProcess:
        """Wait until the process has nothing to do, compactions of its store included, and return it."""
        assert self._process is not None
        deadline = time.monotonic() + _SETTLE_S
        used = 1.0
        while used > _IDLE_CORES and time.monotonic() < deadline:
            before = cpu_seconds(self._process.pid)
            time.sleep(1.0)
            used = cpu_seconds(self._process.pid) - before
        return self._process
