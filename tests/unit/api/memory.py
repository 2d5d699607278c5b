"""A cluster in memory for the api: real requests, decisions and records, without Kafka and SQL."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Self, TypeVar

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from api.dependencies import Services
from api.kafka_log.kafka_log import FOLLOWED, LogPartition, LogRecord, shortly_before, start_of
from api.queries.projection import ProjectionQueries
from api.resources import Resources
from api.settings import ApiSettings
from runtime.health import ProcessHealth
from runtime.kafka.admin import Partition
from runtime.kafka.partition_reader import KafkaRecord
from runtime.kafka.partitioner import partition_of
from schemas.errors import (
    BrokerError,
    InvalidCursor,
    LivenessError,
    OrchestratorError,
    RecordsExpired,
    RecordTooLarge,
    UnreadableRecord,
)
from schemas.inbound.normalise import normalise
from schemas.inbound.transform import RecordTransform
from schemas.internal.dead_letters import dead_letter
from schemas.internal.enums import Disposition
from schemas.internal.events import Event, InboxRecord
from schemas.internal.formats import PROCESS
from schemas.internal.history import EffectNote, HistoryRecord
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition, Pipelines
from schemas.internal.processes import ProcessRecord, ProcessState
from schemas.internal.records import (
    decode_history,
    decode_inbox,
    decode_status,
    history_outgoing,
    inbox_outgoing,
    process_outgoing,
    status_outgoing,
    status_tombstone,
)
from schemas.internal.status import StatusRecord
from schemas.public.registration import RegistrationPolicy
from schemas.topics import Topic, TopicTable
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from state.projection import HistoryPage, LetterReader, Reader
from tests.patience import PATIENCE_S
from tests.unit.api.memory_database import MemoryDatabase

Answer = TypeVar("Answer")
PARTITIONS = 4
PIPELINE = PipelineDefinition(
    name="default",
    version=1,
    phases=(
        PhaseDefinition(name="spellcheck"),
        PhaseDefinition(name="cj_assessment", after=("spellcheck",), when="enable_cj_assessment"),
    ),
)


class MemoryCluster:
    """Topics, router and orchestrator in one object, which can be made slow, silent or broken."""

    def __init__(self, *, peer_era: str = "any", partitions: int = PARTITIONS) -> None:
        self.policy = RegistrationPolicy(pipelines=Pipelines.only(PIPELINE), peer_era=peer_era)  # type: ignore[arg-type]
        self.partitions = partitions
        self.logs: dict[LogPartition, list[LogRecord]] = {
            LogPartition(topic, number): [] for topic in FOLLOWED for number in range(partitions)
        }
        self.gaps: dict[LogPartition, int] = {}
        self.requests: list[tuple[bytes, bytes]] = []
        self.batches: dict[str, Batch] = {}
        self.inbox: list[KafkaRecord] = []
        """Records of the only partition of its inbox."""
        self.inbox_start = 0
        """First offset of the inbox that retention has left."""
        self.deciding = True
        self.unreachable: str | None = None
        self.strand_next = False
        """Whether the log that reads next gets no answers from then on."""
        self.stranded: MemoryLog | None = None
        self.checks = 0
        """Number of checks of its topics."""
        self.too_large = False
        self.hidden: set[LogPartition] = set()
        """Partitions whose records are written, but not readable yet."""
        self.arrived = threading.Condition()

    def end(self, partition: LogPartition) -> int:
        with self.arrived:
            log = self.logs[partition]
            return (log[-1].offset + 1 if log else 0) + self.gaps.get(partition, 0)

    def append(self, outgoing: OutgoingRecord, *, marker: bool = True) -> LogRecord:
        """Write a record in a transaction of its own, which ends with a control record."""
        assert isinstance(outgoing.topic, Topic)
        partition = LogPartition(outgoing.topic, partition_of(outgoing.key, self.partitions))
        with self.arrived:
            offset = self.end(partition)
            record = LogRecord(partition, offset, outgoing.key, outgoing.value, dict(outgoing.headers))
            self.logs[partition].append(record)
            self.gaps[partition] = int(marker)
            self.arrived.notify_all()
        return record

    def reveal(self) -> None:
        with self.arrived:
            self.hidden.clear()
            self.arrived.notify_all()

    def decide_all(self) -> None:
        """Decide on every waiting request."""
        waiting, self.requests = self.requests, []
        for number, (_, value) in enumerate(waiting):
            self.decide(value, number)

    def decide(self, value: bytes, offset: int = 0) -> None:
        at = RecordPosition("huleedu.batch.requests.v1", 0, offset)
        try:
            inbox = normalise(Topic.REQUESTS, at, value, {}, self.policy)
        except UnreadableRecord as error:
            letter = dead_letter(
                value=value, key=None, first=at, code=error.code, reason=error.message, request_id=error.request_id
            )
            self.append(letter)
            return
        self.decide_inbox(inbox)

    def decide_inbox(self, inbox: InboxRecord) -> None:
        """Write a record to the inbox and decide on it."""
        version = sum(len(log) for at, log in self.logs.items() if at.topic is not Topic.PROCESSES) + 1
        event = Event(
            batch_id=inbox.batch_id,
            origin=inbox.origin,
            body=inbox.body,
            version=version,
            time_ms=1_750_000_000_000 + version,
            partition=0,
            offset=version,
        )
        stored = inbox_outgoing(inbox)
        name = TopicTable().name(Topic.INBOX)
        self.inbox.append(KafkaRecord(name, 0, event.offset, stored.key, stored.value, (), event.time_ms))
        before = self.batches.get(inbox.batch_id)
        decision = decide(before, event)
        if decision.batch is not None:
            self.batches[inbox.batch_id] = decision.batch
            if decision.batch is not before:
                self.append(status_outgoing(status_record(decision.batch)))
        notes = tuple(EffectNote(type(effect).__name__, effect.event_id, "a topic") for effect in decision.effects)
        self.append(history_outgoing(history_record(before, event, decision, notes)))

    def publish(self, record: StatusRecord) -> LogRecord:
        return self.append(status_outgoing(record))

    def purge(self, batch_id: str, version: int) -> LogRecord:
        return self.append(status_tombstone(batch_id, version))


class MemoryLog:
    """Reads a cluster; waits for no record once `closing` is set: an api that is stopped waits for its last read."""

    def __init__(self, cluster: MemoryCluster, closing: threading.Event | None = None) -> None:
        self._cluster = cluster
        self._closing = closing or threading.Event()
        self._positions: dict[LogPartition, int] = {}
        self.closed = False

    def start(self, offsets: Mapping[LogPartition, int] | None) -> dict[LogPartition, int]:
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Wait.")
        ends = {partition: self._cluster.end(partition) for partition in self._cluster.logs}
        for partition, end in ends.items():
            start = shortly_before(end) if offsets is None else offsets.get(partition, 0)
            self._positions[partition] = start_of(partition, start, 0, end)
        return ends

    def resume(self, positions: Mapping[LogPartition, int]) -> None:
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Wait.")
        self._positions = dict(positions)

    def read(self, timeout_s: float) -> list[LogRecord]:
        if self._cluster.stranded is self or self._cluster.strand_next:
            self._cluster.stranded, self._cluster.strand_next = self, False
            raise LivenessError("silent", next_step="None.")
        with self._cluster.arrived:
            self._cluster.arrived.wait_for(lambda: self._closing.is_set() or self._ready(), timeout_s)
            found = []
            for partition, log in self._cluster.logs.items():
                if partition in self._cluster.hidden:
                    continue
                found += [record for record in log if record.offset >= self._positions[partition]]
                self._positions[partition] = max(self._positions[partition], self._cluster.end(partition))
            return found

    def positions(self) -> dict[LogPartition, int]:
        return dict(self._positions)

    def check(self) -> None:
        self._cluster.checks += 1
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Wait.")

    def close(self) -> None:
        self.closed = True

    def _ready(self) -> bool:
        return any(
            self._cluster.end(partition) > position
            for partition, position in self._positions.items()
            if partition not in self._cluster.hidden
        )


class MemoryRequests:
    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def append(self, key: bytes, value: bytes) -> None:
        await asyncio.sleep(0)
        if self._cluster.too_large:
            raise RecordTooLarge("too large", next_step="")
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Send it again with the same Idempotency-Key.")
        self._cluster.requests.append((key, value))
        if self._cluster.deciding:
            self._cluster.decide_all()


class MemoryLetters:
    """Writes what operators do with dead letters; the router and the orchestrator work at once."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.transform = RecordTransform(cluster.policy, cluster.policy.limits)
        self.replayed: list[OutgoingRecord] = []
        self.too_large = False
        """Whether a record of what was done is refused with its value."""

    async def append(self, record: OutgoingRecord) -> None:
        await asyncio.sleep(0)
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Send it again.")
        if record.topic is Topic.DEAD_LETTERS:
            if self.too_large and record.value is not None:
                raise RecordTooLarge("too large", next_step="")
            self._cluster.append(record)
            return
        assert record.topic is Topic.REPLAY
        self.replayed.append(record)
        at = RecordPosition(Topic.REPLAY.value, 0, len(self.replayed))
        routed = self.transform.apply(record.topic, at, record.key, record.value, dict(record.headers))
        if routed.topic is Topic.INBOX:
            self._cluster.decide_inbox(decode_inbox(routed.value or b""))
        else:
            self._cluster.append(routed)


class MemoryOperations:
    """Writes operations and what is asked of them."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def append(self, record: OutgoingRecord) -> None:
        await asyncio.sleep(0)
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Wait.")
        self._cluster.append(record, marker=False)


class MemoryEnds:
    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def end(self, partition: LogPartition, timeout_s: float) -> int:  # noqa: ARG002 - it answers at once
        if self._cluster.unreachable is not None:
            raise BrokerError(self._cluster.unreachable, next_step="Wait.")
        return self._cluster.end(partition)


class MemoryFetcher:
    """Fetches records of a cluster in memory; its topics have their default names."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def fetch(
        self,
        partition: Partition,
        offsets: Iterable[int],
        *,
        timeout_s: float,  # noqa: ARG002 - it answers at once
    ) -> list[KafkaRecord]:
        wanted = set(offsets)
        found = [record for record in self._cluster.inbox if record.offset in wanted]
        missing = wanted.difference(record.offset for record in found)
        if missing or min(wanted) < self._cluster.inbox_start:
            raise RecordsExpired(f"{partition} is no longer there", next_step="None.")
        return found

    def read(
        self,
        partition: Partition,
        start: int | None,
        end: int,
        *,
        keep: Callable[[KafkaRecord], bool],
        timeout_s: float,  # noqa: ARG002 - it answers at once
    ) -> list[KafkaRecord]:
        topic, number = partition
        with self._cluster.arrived:
            log = list(self._cluster.logs[LogPartition(TopicTable().topic(topic), number)])
        stored = [KafkaRecord(topic, number, each.offset, each.key, each.value, (), each.time_ms) for each in log]
        return [record for record in stored if (start or 0) <= record.offset < end and keep(record)]


class MemoryProjection:
    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.rows: dict[str, StatusRecord] = {}
        self.histories: list[HistoryRecord] = []
        self.reflected: dict[LogPartition, int] = {}
        self.error: OrchestratorError | None = None
        self._lock = threading.Lock()
        self._database = MemoryDatabase()

    def get(self, batch_id: str) -> StatusRecord | None:
        if self.error is not None:
            raise self.error
        return self.rows.get(batch_id)

    def offsets(self) -> Mapping[LogPartition, int]:
        if self.error is not None:
            raise self.error
        return dict(self.reflected)

    def history(
        self, batch_id: str, *, after: str | None = None, limit: int, dispositions: Sequence[Disposition] = ()
    ) -> HistoryPage:
        if self.error is not None:
            raise self.error
        if after is not None and not after.isdecimal():
            raise InvalidCursor(f"{after!r} is no cursor of this list.", next_step="Leave it out.")
        begin = int(after or 0)
        own = [each for each in self.histories if each.batch_id == batch_id]
        own = [each for each in own if not dispositions or each.disposition in dispositions]
        found = tuple(own[begin : begin + limit])
        return HistoryPage(found, str(begin + len(found)) if found else after)

    def letters(self, query: Callable[[LetterReader], Answer]) -> Answer:
        """Query a real database, to which all dead letters are applied first."""
        return self.read(query)

    def read(self, query: Callable[[Reader], Answer]) -> Answer:
        """Query a real database, to which all dead letters are applied, and of status and history what `project` took.

        A test that changes `rows` by hand does not change this database.
        """
        if self.error is not None:
            raise self.error
        logs = self._cluster.logs
        with self._lock:
            ends = {at: self.reflected.get(at, 0) for at in logs if at.topic in (Topic.STATUS, Topic.HISTORY)}
            ends |= {at: self._cluster.end(at) for at in logs if at.topic is Topic.DEAD_LETTERS}
            return self._database.query(logs, ends, query)

    def close(self) -> None:
        """Remove the database."""
        with self._lock:
            self._database.close()

    def interrupt(self, thread: int) -> None:
        """Do nothing: no read waits."""

    def project(self) -> None:
        """Take in the whole status and history topics."""
        self.histories = []
        for partition, log in self._cluster.logs.items():
            if partition.topic is Topic.HISTORY:
                self.histories += [decode_history(record.value or b"") for record in log]
                self.reflected[partition] = log[-1].offset + 1 if log else 0
            if partition.topic is not Topic.STATUS:
                continue
            for record in log:
                if record.value is None:
                    self.rows.pop(record.key.decode(), None)
                else:
                    self.rows[record.key.decode()] = decode_status(record.value)
            self.reflected[partition] = log[-1].offset + 1 if log else 0


INTERVAL_S = 60.0
"""Report interval, so long that no process is missing on a slow machine."""


PATIENT = dict.fromkeys(("response_timeout_s", "write_timeout_s", "projection_timeout_s", "body_timeout_s"), PATIENCE_S)
"""No request is given up because the machine is busy."""


def process_record(kind: str, **facts: Any) -> ProcessRecord:
    """Return the report of a healthy process of `kind`, changed by `facts`."""
    given: dict[str, Any] = {
        "writer": PROCESS.version,
        "least_reader": PROCESS.least_reader,
        "kind": kind,
        "instance": "0",
        "start_id": f"{kind}-start",
        "state": ProcessState.RUNNING,
        "host": "host-1",
        "pid": 17,
        "version": "0.1.0",
        "settings_digest": "ab" * 32,
        "started_ms": 1_750_000_000_000,
        "time_ms": 1_750_000_000_000,
        "interval_s": INTERVAL_S,
        "alive": True,
        "assigned": True,
        "restored": True,
        "partitions": 4,
    }
    return ProcessRecord(**given | facts)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `condition` holds; for conditions behind HTTP, which have no event."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def answers(client: AsyncClient, path: str, status: int) -> None:
    """Wait until a GET of `path` is answered with `status`."""

    async def answered() -> bool:
        return (await client.get(path)).status_code == status

    await until(answered)


class World:
    """An api in front of a cluster in memory."""

    def __init__(
        self,
        app: FastAPI,
        cluster: MemoryCluster,
        client: AsyncClient,
        projection: MemoryProjection,
        letters: MemoryLetters,
    ) -> None:
        self.cluster = cluster
        self.letters = letters
        self.client = client
        self.projection = projection
        self.app = app
        self.services: Services = app.state.services
        self.failures: list[Exception] = []
        """Errors of the follower when it could not go on."""

    async def until_waited_for(self, batch_id: str) -> None:
        """Wait until a call waits for the next version of this batch."""

        async def waited_for() -> bool:
            futures = self.services.follower._changes._futures.get(batch_id, [])
            return any(not future.done() for future in futures)

        await until(waited_for)

    async def until_the_log_is_waited_for(self) -> None:
        """Wait until a call waits for the follower to read up to an end offset."""

        async def waited_for() -> bool:
            return bool(self.services.follower._reached)

        await until(waited_for)

    async def has_read_the_reports(self) -> bool:
        """Return whether the follower has read the reports of the processes; the api is ready before."""
        return self.services.follower.processes_read

    def tell(self, *records: ProcessRecord) -> None:
        """Write reports of processes."""
        for record in records:
            self.cluster.append(process_outgoing(record), marker=False)


@asynccontextmanager
async def world(
    cluster: MemoryCluster | None = None,
    projection: MemoryProjection | None = None,
    *,
    database: ProjectionQueries | None = None,
    wait_ready: bool = True,
    processes: tuple[str, ...] = ("router", "orchestrator", "projector", "timekeeper"),
    **settings: object,
) -> AsyncIterator[World]:
    """Run an api over `cluster`, and `database` where it is a real one, with `processes` that are healthy.

    Further arguments are settings.
    """
    cluster = cluster or MemoryCluster()
    closing = threading.Event()
    projection = projection or MemoryProjection(cluster)
    for kind in processes:
        cluster.append(process_outgoing(process_record(kind)), marker=False)
    failures: list[Exception] = []
    letters = MemoryLetters(cluster)

    @asynccontextmanager
    async def parts(_: ApiSettings) -> AsyncIterator[Resources]:
        yield Resources(
            log=lambda: MemoryLog(cluster, closing),
            requests=MemoryRequests(cluster),
            letters=letters,
            operations=MemoryOperations(cluster),
            ends=MemoryEnds(cluster),
            projection=database or projection,
            health=ProcessHealth("api", grouped=False),
            fetcher=lambda: MemoryFetcher(cluster),
            reporting=nullcontext,
        )

    given = {"peer_era": cluster.policy.peer_era, "report_interval_s": INTERVAL_S, **PATIENT, **settings}
    app = create_app(ApiSettings(**given), parts, on_failure=failures.append)  # type: ignore[arg-type]
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        found = World(app, cluster, client, projection, letters)
        found.failures = failures
        for bounded in (found.services.batches, found.services.states, found.services.states._threads):
            bounded._timeout_s = PATIENCE_S
        if wait_ready:
            await answers(client, "/readyz", 200)
            await until(found.has_read_the_reports)
        try:
            yield found
        finally:
            closing.set()
            with cluster.arrived:
                cluster.arrived.notify_all()
    projection.close()
