"""Measures live updates: what idle streams cost, and how long after a decision its notice arrives."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psutil

from bench.live import Pace, PlayedPeers
from bench.measuring import cpu_seconds
from bench.sizes import api_metric
from bench.stream_listener import FOLLOWED_EVERY, Listener, Told
from bench.wire import EVENTS_PER_BATCH
from bench.workplace import ProcessEnded
from cli.demo.table import percentile
from cli.supervision.stack import Stack
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.record_fetcher import RecordFetcher
from runtime.metric_names import API_STREAMS
from schemas.internal.records import VERSION
from schemas.topics import Topic

RATE = 500.0
"""Decisions a second while the latency is measured."""
API = "api-0"
ANSWER_S = (0.6, 1.5)
"""Answer time of the peers, in seconds. A stream has at most two events a second by design: a change that follows
another one within half a second waits for the rest of it. Real peers answer later than that."""
_SETTLE_S = 5.0
_TIMEOUT_S = 600.0
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsResult:
    """Results of the section. Latencies are in seconds, from the append of a decision's status to its notice."""

    idle: int
    idle_cores: float
    idle_mib: float
    decisions_per_second: float
    one_batch: int
    """Decisions told by streams of one batch."""
    one_batch_p50: float
    one_batch_p99: float
    everything_p50: float
    everything_p99: float
    """Of a stream of every batch, which gathers for half a second."""
    loaded_cores: float
    """CPU of the api under this load, in cores."""


class Streams:
    """Measures a running stack."""

    def __init__(self, stack: Stack, run: str, report: Callable[[str], None]) -> None:
        self._stack = stack
        self._run = run
        self._report = report

    def run(self, *, idle: int, idle_seconds: float, seconds: float, essays: int) -> StreamsResult:
        """Open `idle` streams, then load the pipeline while a few streams are told of it."""
        api = self._stack.supervisor.pid(API)
        listener = Listener(self._stack.api_url)
        listener.start()
        try:
            idle_cores, idle_mib = self._idle(listener, api, idle, idle_seconds)
            return self._loaded(listener, api, idle, idle_cores, idle_mib, seconds, essays)
        finally:
            listener.stop()

    def _idle(self, listener: Listener, api: int, count: int, seconds: float) -> tuple[float, float]:
        """Return the cores and the MiB that the api needs for `count` streams of which nothing is told."""
        resident = psutil.Process(api).memory_info().rss
        listener.call(listener.open_idle(count))
        self._report(f"{count} idle streams are open")
        time.sleep(_SETTLE_S)
        self._require_open(count)
        before, begun = cpu_seconds(api), time.monotonic()
        time.sleep(seconds)
        cores = (cpu_seconds(api) - before) / (time.monotonic() - begun)
        self._require_open(count)
        mib = (psutil.Process(api).memory_info().rss - resident) / _MIB
        self._report(f"{count} idle streams: {cores:.3f} cores, {mib:.0f} MiB")
        return cores, mib

    def _require_open(self, count: int) -> None:
        """Raise `ProcessEnded` where the api itself counts fewer streams: closed ones cost nothing."""
        found = api_metric(self._stack.api_url, API_STREAMS)
        if found < count:
            raise ProcessEnded(f"the api has {found:.0f} open streams of {count}")

    def _loaded(
        self,
        listener: Listener,
        api: int,
        idle: int,
        idle_cores: float,
        idle_mib: float,
        seconds: float,
        essays: int,
    ) -> StreamsResult:
        starts = self._ends()
        self._report(f"{RATE:.0f} decisions/s, with a stream of every batch and one of every {FOLLOWED_EVERY}th")
        listener.call(listener.follow())
        with closing(
            PlayedPeers(self._stack.settings, essays=essays, run=f"{self._run}-live", delay=ANSWER_S)
        ) as peers:
            refill = Pace(peers, RATE)
            peers.warm_up(_SETTLE_S, refill)
            first, before, begun = peers.ended, cpu_seconds(api), time.time()
            peers.play(time.monotonic() + seconds, refill)
            last, cores, ended = peers.ended, cpu_seconds(api) - before, time.time()
            peers.play(time.monotonic() + _SETTLE_S, lambda: None)
        decided = {at: ms for at, ms in self._decisions(starts).items() if begun * 1_000 <= ms < ended * 1_000}
        one, every = latencies(decided, listener.one), latencies(decided, listener.every)
        if not one or not every:
            raise ProcessEnded(f"no notice was measured: {last - first} batches ended in {seconds:.0f} s")
        return StreamsResult(
            idle=idle,
            idle_cores=idle_cores,
            idle_mib=idle_mib,
            decisions_per_second=(last - first) * EVENTS_PER_BATCH / (ended - begun),
            one_batch=len(one),
            one_batch_p50=percentile(one, 50),
            one_batch_p99=percentile(one, 99),
            everything_p50=percentile(every, 50),
            everything_p99=percentile(every, 99),
            loaded_cores=cores / (ended - begun),
        )

    def _ends(self) -> dict[tuple[str, int], int]:
        settings = self._stack.settings
        name = settings.topics().name(Topic.STATUS)
        return KafkaAdmin(settings.kafka()).log_ends(
            [(name, number) for number in range(settings.topic_partitions)], committed=True
        )

    def _decisions(self, starts: dict[tuple[str, int], int]) -> Told:
        """Return when each status record since `starts` was appended."""
        found: Told = {}
        for partition, end in self._ends().items():
            with RecordFetcher(self._stack.settings.kafka(), f"{self._run}-statuses") as fetcher:
                for record in fetcher.read(
                    partition, starts[partition], end, keep=lambda _: True, timeout_s=_TIMEOUT_S
                ):
                    version = int(dict(record.headers)[VERSION] or b"0")
                    found[(record.key or b"").decode(), version] = record.time_ms
        return found


def latencies(decided: Told, told: Told) -> list[float]:
    """Return the sorted seconds from each decision to the first notice of this or a newer version of its batch."""
    by_batch: dict[str, list[tuple[int, float]]] = {}
    for (batch_id, version), at in told.items():
        by_batch.setdefault(batch_id, []).append((version, at))
    took = []
    for (batch_id, version), appended in decided.items():
        seen = [at for newer, at in by_batch.get(batch_id, ()) if newer >= version]
        opened = min((newer for newer, _ in by_batch.get(batch_id, ())), default=version)
        if seen and version >= opened:
            took.append((min(seen) - appended) / 1_000)
    return sorted(took)
