"""The hub: it takes in every record of the status topic, and tells the clients of the streams that want it."""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Mapping

from api.errors import Problem, not_ready
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogPartition, LogRecord
from api.live.channel import Channel, event_of
from api.live.client import Client
from api.live.events import dropped_event, heartbeat_event, reset_event, retry_line
from api.live.facts import BatchFacts, Notice, notice_of
from api.live.matching import Interest
from api.live.position import parse_position, position_id
from api.live.ring import Ring
from api.monitoring.metrics import ApiMetrics
from schemas.errors import Code
from schemas.topics import Topic

HEARTBEAT_S = 15
MOST_NOTICES = 10_000
"""Notices kept for clients that connect again."""
MOST_BEFORE = 20_000
"""Batches whose facts are kept, to tell which filter a batch has left."""
_TICK_S = 1.0
_PROJECTED_EVERY_S = 0.25
_SLOW = "The client does not read its events as fast as they come. Connect again with the id of the last event."
_SHUTDOWN = "The service stops. Connect again: another replica, or the next start, goes on from the last event."
_EXPIRED = "The stream has been open for as long as one may be. Connect again with the id of the last event."


class Hub:
    """Streams of one worker. Use it on the event loop only.

    `most_clients` bounds the open streams; a stream is ended after `max_age_s` seconds, so that clients spread over
    replicas again and show their credentials anew.
    """

    def __init__(self, metrics: ApiMetrics, *, most_clients: int, max_age_s: float) -> None:
        self._metrics = metrics
        self._most_clients = most_clients
        self._max_age_s = max_age_s
        self._follower: KafkaLogFollower | None = None
        self._started = False
        self._closed = False
        self._ring = Ring(MOST_NOTICES)
        self._before: OrderedDict[str, BatchFacts] = OrderedDict()
        self._channels: dict[Interest, Channel] = {}
        self._by_batch: dict[str, set[Channel]] = {}
        self._filtered: set[Channel] = set()
        self._clients: dict[Client, Channel] = {}
        self._wheel: list[set[Client]] = [set() for _ in range(HEARTBEAT_S)]

    @property
    def clients(self) -> int:
        """Number of open streams."""
        return len(self._clients)

    def follow(self, follower: KafkaLogFollower) -> None:
        """Name the follower whose records `observe` is given."""
        self._follower = follower

    def observe(self, record: LogRecord) -> None:
        """Take in a record of the Kafka log."""
        if record.partition.topic is not Topic.STATUS:
            return
        self._start()
        notice = notice_of(record)
        if notice is None:
            return
        self._ring.add(notice)
        before = self._remember(notice)
        for channel in self._by_batch.get(notice.batch_id, ()):
            channel.take(notice, before)
        for channel in self._filtered:
            channel.take(notice, before)

    def open(self, interest: Interest, last_event_id: str | None = None) -> Client:
        """Return a new client, which must be given to `forget` in the end.

        Its first events tell what has changed since `last_event_id`, or that this is not known any more. Raises
        `Problem` 503 if there are too many clients, if the service stops, or if it has not read the log up to its end.
        """
        if self._follower is None or not self._follower.ready:
            raise _not_ready()
        if self._closed or len(self._clients) >= self._most_clients:
            raise _no_room(self._most_clients)
        self._start()
        client = Client(slow=lambda: dropped_event("slow", _SLOW))
        channel = self._channel(interest)
        channel.clients.add(client)
        self._clients[client] = channel
        min(self._wheel, key=len).add(client)
        self._metrics.streams.set(len(self._clients))
        client.offer(retry_line() + heartbeat_event(time.time_ns() // 1_000_000, self.position()))
        self._catch_up(client, channel, last_event_id)
        age = self._max_age_s * random.uniform(0.9, 1.0)  # noqa: S311 - so that clients do not all return at once
        client.expires = asyncio.get_running_loop().call_later(
            age, client.drop, "expired", dropped_event("expired", _EXPIRED)
        )
        return client

    def forget(self, client: Client) -> None:
        """Forget a client that is gone."""
        client.leave()
        channel = self._clients.pop(client, None)
        if channel is None:
            return
        for slot in self._wheel:
            slot.discard(client)
        channel.clients.discard(client)
        if not channel.clients:
            self._close_channel(channel)
        self._metrics.streams.set(len(self._clients))
        if client.reason is not None:
            self._metrics.streams_ended.labels(client.reason).inc()

    def position(self) -> str:
        """Return the id of an event that is sent now."""
        return position_id(_status(self._positions()))

    def projected_position(self) -> str:
        """Return the id of the position that the projection is known to have reached.

        A page that was made from the projection opens its stream with this id, so that nothing is missed in between.
        """
        return position_id({} if self._follower is None else _status(self._follower.projection))

    async def run(self) -> None:
        """Send heartbeats, and tell what the projection has reached, until cancelled."""
        loop = asyncio.get_running_loop()
        begun, tick = loop.time(), 0
        while True:
            await asyncio.sleep(_PROJECTED_EVERY_S)
            if self._follower is not None and self._channels:
                offsets = _status(self._follower.projection)
                for channel in tuple(self._channels.values()):
                    channel.projected(offsets)
            while begun + (tick + 1) * _TICK_S <= loop.time():
                tick += 1
                self._beat(self._wheel[tick % HEARTBEAT_S])

    def close(self) -> None:
        """End every stream; whoever reads one is told to connect again."""
        self._closed = True
        event = dropped_event("shutdown", _SHUTDOWN)
        for client in tuple(self._clients):
            client.drop("shutdown", event)

    def _start(self) -> None:
        """Note where the follower began to read, once it has begun."""
        if self._started or self._follower is None or not self._follower.started:
            return
        self._started = True
        self._ring.start_at(_status(self._follower.began_at))

    def _positions(self) -> Mapping[LogPartition, int]:
        return {} if self._follower is None else self._follower.positions

    def _remember(self, notice: Notice) -> BatchFacts | None:
        before = self._before.pop(notice.batch_id, None)
        if notice.facts is not None:
            self._before[notice.batch_id] = notice.facts
            if len(self._before) > MOST_BEFORE:
                self._before.popitem(last=False)
        return before

    def _catch_up(self, client: Client, channel: Channel, last_event_id: str | None) -> None:
        if last_event_id is None:
            return
        offsets = parse_position(last_event_id)
        missed = None if offsets is None or not self._started else self._ring.since(offsets)
        if missed is None:
            client.offer(reset_event("unknown_id" if offsets is None else "too_old", self.position()))
            return
        told = event_of(channel.interest, missed, self.position())
        if told is not None:
            client.offer(told.encoded)
            channel.await_projection(told.offsets)

    def _channel(self, interest: Interest) -> Channel:
        channel = self._channels.get(interest)
        if channel is None:
            channel = self._channels[interest] = Channel(interest, lambda: _status(self._positions()))
            if interest.batch_id is None:
                self._filtered.add(channel)
            else:
                self._by_batch.setdefault(interest.batch_id, set()).add(channel)
        return channel

    def _close_channel(self, channel: Channel) -> None:
        channel.close()
        del self._channels[channel.interest]
        self._filtered.discard(channel)
        batch_id = channel.interest.batch_id
        if batch_id is not None:
            self._by_batch[batch_id].discard(channel)
            if not self._by_batch[batch_id]:
                del self._by_batch[batch_id]

    def _beat(self, clients: set[Client]) -> None:
        if not clients:
            return
        event = heartbeat_event(time.time_ns() // 1_000_000, self.position())
        for client in clients:
            client.offer(event)


def _status(offsets: Mapping[LogPartition, int]) -> dict[int, int]:
    return {partition.number: offset for partition, offset in offsets.items() if partition.topic is Topic.STATUS}


def _not_ready() -> Problem:
    return not_ready(
        "There are no live updates yet: the Kafka log is still being read up to its end.",
        next_step="Connect again in a moment; /healthz says what is wrong if it stays so.",
    )


def _no_room(most: int) -> Problem:
    return Problem(
        503,
        Code.TOO_MANY_STREAMS,
        f"{most} streams are open in this process, which is the limit, or it is about to stop.",
        next_step="Connect again in a moment. The operator can raise BATCH_ORCHESTRATOR_SERVICE_MAX_STREAMS or add a "
        "replica.",
        error="Service is busy",
        headers={"Retry-After": "5"},
    )
