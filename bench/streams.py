"""Measures live updates: what idle streams cost, and how long after a decision its notice arrives."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import psutil

from bench.live import PlayedPeers
from bench.measuring import cpu_seconds
from bench.whole import ANSWER_S
from bench.wire import EVENTS_PER_BATCH
from bench.workplace import ProcessEnded
from cli.demo.table import percentile
from cli.supervision.stack import Stack
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.record_fetcher import RecordFetcher
from schemas.internal.records import VERSION
from schemas.topics import Topic

RATE = 500.0
"""Decisions a second while the latency is measured."""
FOLLOWED_EVERY = 25
"""Every so many batches, one is followed by a stream of its own."""
API = "api-0"
_SETTLE_S = 3.0
_TIMEOUT_S = 120.0
_MIB = 2**20
_decode = msgspec.json.Decoder().decode
Told = dict[tuple[str, int], float]
"""When a version of a batch was told first, Unix milliseconds."""


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
            resident = psutil.Process(api).memory_info().rss
            listener.call(listener.open_idle(idle))
            time.sleep(_SETTLE_S)
            before, begun = cpu_seconds(api), time.monotonic()
            time.sleep(idle_seconds)
            idle_cores = (cpu_seconds(api) - before) / (time.monotonic() - begun)
            idle_mib = (psutil.Process(api).memory_info().rss - resident) / _MIB
            self._report(f"{idle} idle streams: {idle_cores:.3f} cores, {idle_mib:.0f} MiB")
            return self._loaded(listener, api, idle, idle_cores, idle_mib, seconds, essays)
        finally:
            listener.stop()

    def _loaded(
        self,
        listener: "Listener",
        api: int,
        idle: int,
        idle_cores: float,
        idle_mib: float,
        seconds: float,
        essays: int,
    ) -> StreamsResult:
        starts = self._ends()
        listener.call(listener.follow())
        gap = EVENTS_PER_BATCH / RATE
        with closing(
            PlayedPeers(self._stack.settings, essays=essays, run=f"{self._run}-live", delay=ANSWER_S)
        ) as peers:
            due = time.monotonic()

            def refill() -> None:
                nonlocal due
                while due <= time.monotonic():
                    peers.register()
                    due += gap

            peers.play(time.monotonic() + _SETTLE_S, refill)
            first, before, begun = peers.ended, cpu_seconds(api), time.time()
            peers.play(time.monotonic() + seconds, refill)
            last, cores, ended = peers.ended, cpu_seconds(api) - before, time.time()
            peers.play(time.monotonic() + _SETTLE_S, lambda: None)
        decided = {at: ms for at, ms in self._decisions(starts).items() if begun * 1_000 <= ms < ended * 1_000}
        one, every = _latencies(decided, listener.one), _latencies(decided, listener.every)
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


def _latencies(decided: Told, told: Told) -> list[float]:
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


class Listener:
    """Clients of streams on an event loop in a thread of its own."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="listener", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._followed: set[str] = set()
        self._seen: set[str] = set()
        self.one: Told = {}
        """What streams of one batch have told."""
        self.every: Told = {}
        """What the stream of every batch has told."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def call(self, work: Any) -> None:
        """Run a coroutine on the loop, and wait for its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    def stop(self) -> None:
        """Close every stream."""
        self.call(self._cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def open_idle(self, count: int) -> None:
        """Open streams of which nothing is told."""
        for _ in range(count):
            reader = await self._open("/v1/stream?course=none")
            self._spawn(_drain(reader))

    async def follow(self) -> None:
        """Open a stream of every batch, and one of its own for some of the batches that it tells."""
        self._spawn(self._every(await self._open("/v1/stream")))

    async def _every(self, reader: asyncio.StreamReader) -> None:
        async for changed in _changes(reader):
            now = time.time() * 1_000
            for each in changed:
                self.every.setdefault((each["id"], each["version"]), now)
                self._maybe_follow(each["id"])

    def _maybe_follow(self, batch_id: str) -> None:
        if batch_id in self._seen:
            return
        self._seen.add(batch_id)
        if len(self._seen) % FOLLOWED_EVERY == 0:
            self._spawn(self._one(batch_id))

    async def _one(self, batch_id: str) -> None:
        reader = await self._open(f"/v1/batches/{quote(batch_id, safe='')}/stream")
        first = True
        async for changed in _changes(reader):
            now = time.time() * 1_000
            if first:  # the state at the begin, whose decision lies before the stream
                first = False
                continue
            for each in changed:
                self.one.setdefault((each["id"], each["version"]), now)

    async def _open(self, path: str) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise ConnectionError(f"{path}: {status.decode().strip()}")
        self._followed.add(path)
        await reader.readuntil(b"event: heartbeat\n")
        return reader

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def _changes(reader: asyncio.StreamReader) -> Any:
    """Yield the batches of each `batch` event."""
    name = b""
    with suppress(asyncio.IncompleteReadError):
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"data: ") and name == b"batch":
                yield _decode(line[6:])["ids"]
