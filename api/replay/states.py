"""The state of a batch, rebuilt from its own inbox records, for previews and proofs."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from api.errors import Problem, not_ready
from api.kafka_log.ends import EndOffsets
from api.kafka_log.kafka_log import LogPartition
from api.queries.batches import Batches
from api.queries.projection import BoundedProjection
from api.queries.read_threads import ReadThreads
from api.replay.recorded import CHANGING, HistoryTail, OpenFetcher, Records
from runtime.kafka.partitioner import partition_of
from schemas.errors import BrokerError, Code, OrchestratorError, RecordsExpired
from schemas.internal.enums import Disposition
from schemas.internal.history import HistoryRecord
from schemas.internal.status import StatusRecord
from schemas.topics import Topic, TopicTable
from state.batch import Batch
from state.replay import RecordedEvent, Replay, replay

_THREADS = 2
"""Concurrent replays of one worker; further ones wait, within their own timeout."""
_PAGE = 500
_Answer = TypeVar("_Answer")


class BatchStates:
    """Rebuilds batches by replaying them. Each replay has its own consumer, in a thread of its own.

    A call takes at most about `timeout_s` seconds for each of its reads.
    """

    def __init__(
        self,
        batches: Batches,
        projection: BoundedProjection,
        ends: EndOffsets,
        open_fetcher: OpenFetcher,
        topics: TopicTable,
        *,
        timeout_s: float,
    ) -> None:
        self._batches = batches
        self._projection = projection
        self._ends = ends
        self._open_fetcher = open_fetcher
        self._topics = topics
        self._timeout_s = timeout_s
        self._threads = ReadThreads(
            timeout_s=timeout_s,
            interrupt=lambda _thread: None,  # a fetch has the same bound, and ends by itself
            threads=_THREADS,
            name="replay",
            no_answer=_too_slow,
        )

    async def state_of(self, batch_id: str) -> Batch | None:
        """Return the batch's present state, the last decision included; None if there is no such batch.

        Raises:
            Problem: 410 if its inbox records are no longer there, 500 if the rebuilt state is not the published one,
                503 if Kafka or the projection cannot be read in time.
        """
        status = await self._batches.find(batch_id)
        if status is None:
            return None
        result = await self._replay(status, CHANGING)
        if result.status:
            raise _differs(result, status)
        return result.batch

    async def replay_of(self, batch_id: str) -> Replay | None:
        """Return the replay of every inbox record of the batch's present life; None if there is no such batch.

        Raises `Problem` 410, 500 or 503 as `state_of` does, but not for a difference: the result shows those.
        """
        status = await self._batches.find(batch_id)
        return None if status is None else await self._replay(status, ())

    async def events_of(self, batch_id: str) -> tuple[RecordedEvent, ...] | None:
        """Return the recorded events of the batch's present life, as `replay_of` decides them again."""
        status = await self._batches.find(batch_id)
        return None if status is None else await self._collect(status, (), lambda events: events)

    def stop(self) -> None:
        """End the threads without waiting for a replay that is under way."""
        self._threads.stop()

    async def _replay(self, status: StatusRecord, dispositions: Sequence[Disposition]) -> Replay:
        return await self._collect(status, dispositions, lambda events: replay(events, status))

    async def _collect(
        self,
        status: StatusRecord,
        dispositions: Sequence[Disposition],
        then: Callable[[tuple[RecordedEvent, ...]], _Answer],
    ) -> _Answer:
        """Return the result of `then`, called in a thread with the batch's events.

        Every decision up to that of `status` is among them: its history record is in the same transaction, so it lies
        before the end of its partition as of now, and the tail is read to that end.
        """
        batch_id = status.batch_id
        try:
            tail, known = await self._known(batch_id, dispositions)

            def collect() -> _Answer:
                with self._open_fetcher() as fetcher:
                    records = Records(fetcher, self._topics, self._timeout_s)
                    newer = records.tail(batch_id, tail)
                    histories = [
                        each for each in (*known, *newer) if not dispositions or each.disposition in dispositions
                    ]
                    return then(records.events(batch_id, histories))

            return await self._threads.run(collect)
        except Problem:
            raise
        except OrchestratorError as error:
            raise _problem(error) from error

    async def _known(
        self, batch_id: str, dispositions: Sequence[Disposition]
    ) -> tuple[HistoryTail, list[HistoryRecord]]:
        """Return what the projection has of the batch's history, and where the rest lies."""
        # The offsets are read first: rows that the projector adds in between are read twice, and none is missed.
        offsets = await self._projection.offsets()
        number = partition_of(batch_id.encode(), self._topics.partitions)
        partition = LogPartition(Topic.HISTORY, number)
        end = await self._ends.end(partition, self._timeout_s)
        known: list[HistoryRecord] = []
        cursor: str | None = None
        while True:
            page = await self._projection.history(batch_id, after=cursor, limit=_PAGE, dispositions=dispositions)
            known += page.records
            cursor = page.next_cursor
            if len(page.records) < _PAGE:
                return HistoryTail(number, offsets.get(partition), end), known


def _too_slow(timeout_s: float) -> OrchestratorError:
    return BrokerError(
        f"The records of the batch could not be read from Kafka within {timeout_s:g} s.",
        next_step="Send the request again in a moment; if it fails again, /healthz says what is wrong.",
    )


def _problem(error: OrchestratorError) -> Problem:
    if isinstance(error, RecordsExpired):
        return Problem(410, error.code, error.message, next_step=error.next_step, error="Records expired")
    if error.code == Code.REPLAY_DIFFERS:
        return Problem(500, error.code, error.message, next_step=error.next_step, error="Replay differs")
    return not_ready(f"The batch cannot be rebuilt from its records now: {error.message}")


def _differs(result: Replay, status: StatusRecord) -> Problem:
    fields = ", ".join(difference.fact for difference in result.status)
    return Problem(
        500,
        Code.REPLAY_DIFFERS,
        f"The state rebuilt from the inbox is not the published one of version {status.version}; it differs in "
        f"{fields}.",
        next_step="See `bos batches replay ID`; after an upgrade, batches that were started before can differ.",
        error="Replay differs",
    )
