"""How changes are gathered, and how a client is bounded."""

import asyncio
import itertools
from typing import Any

import msgspec
import pytest

from api.http_protocol import CONNECTION, ConnectionControl
from api.kafka_log.follower import KafkaLogFollower
from api.live import channel as channel_module
from api.live import response as response_module
from api.live.channel import EVERY_S, Channel
from api.live.client import Client
from api.live.facts import BatchFacts, ContextFacts, Notice
from api.live.hub import Hub
from api.live.matching import Interest
from api.live.response import EventStream
from api.live.ring import Ring
from api.monitoring.metrics import ApiMetrics
from schemas.internal.enums import BatchStatus
from state.projection import EVERYTHING
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.anyio
EVERY_BATCH = Interest(EVERYTHING)


def notice(offset: int, batch_id: str = "b", partition: int = 0) -> Notice:
    facts = BatchFacts(
        batch_id=batch_id,
        version=offset,
        status=BatchStatus.PROCESSING_PIPELINES,
        owner_subject="anonymous",
        owner_organisation="",
        context=ContextFacts(),
        pipeline="default",
        phases={},
        registered_ms=1,
        updated_ms=2,
    )
    return Notice(partition, offset, batch_id, offset, 1_000 + offset, facts)


class Recorded(Client):
    """Records the events that it is offered, and when."""

    def __init__(self) -> None:
        super().__init__(slow=lambda: b"slow")
        self.told: list[tuple[float, dict[str, Any]]] = []
        self.arrived = asyncio.Event()

    def offer(self, event: bytes) -> None:
        data = next(line for line in event.splitlines() if line.startswith(b"data: "))
        self.told.append((asyncio.get_running_loop().time(), msgspec.json.decode(data[6:])))
        self.arrived.set()


async def test_a_stream_of_changes_is_told_twice_a_second_and_ends_with_the_last_one() -> None:
    client, channel = Recorded(), Channel(EVERY_BATCH, lambda: {0: 7})
    channel.clients.add(client)
    last = 0
    async with asyncio.timeout(PATIENCE_S):
        while len(client.told) < 3:
            last += 1
            channel.take(notice(last), None)
            await asyncio.sleep(0.001)
        while client.told[-1][1]["ids"][0]["version"] != last:
            client.arrived.clear()
            await client.arrived.wait()
    times = [at for at, _ in client.told]
    assert all(later - earlier >= EVERY_S * 0.99 for earlier, later in itertools.pairwise(times))


async def test_an_event_names_a_bounded_number_of_batches_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel_module, "MOST_NAMED", 3)
    client, channel = Recorded(), Channel(EVERY_BATCH, dict)
    channel.clients.add(client)
    for number in range(5):
        channel.take(notice(number, f"batch {number}"), None)
    async with asyncio.timeout(PATIENCE_S):
        await client.arrived.wait()
    [(_, data)] = client.told
    assert (len(data["ids"]), data["n"]) == (3, 5)


async def test_a_client_that_does_not_read_is_dropped_with_the_reason() -> None:
    client = Client(slow=lambda: b"slow", most_bytes=10)
    client.offer(b"12345")
    client.offer(b"67890")
    assert not client.ended
    client.offer(b"x")
    assert (client.ended, client.reason, await client.next(), await client.next()) == (True, "slow", b"slow", None)


async def test_what_waits_is_sent_at_once() -> None:
    client = Client(slow=lambda: b"")
    client.offer(b"a")
    client.offer(b"b")
    assert await client.next() == b"ab"


class _Transport(asyncio.Transport):
    aborted = False

    def abort(self) -> None:
        self.aborted = True


async def test_a_connection_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_module, "_SEND_S", 0.01)
    hub = Hub(ApiMetrics(), most_clients=1, max_age_s=60)
    follower = KafkaLogFollower(lambda: pytest.fail("nothing is read"), None)  # type: ignore[arg-type]
    follower.begin({}, None)
    hub.follow(follower)
    client = hub.open(EVERY_BATCH)
    transport = _Transport()
    state = {CONNECTION: ConnectionControl(transport)}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, str]:
        await asyncio.get_running_loop().create_future()
        return {}

    async with asyncio.timeout(PATIENCE_S):
        await EventStream(hub, client)({"type": "http", "state": state}, receive, send)  # type: ignore[arg-type]
    assert transport.aborted
    assert hub.clients == 0


def test_the_ring_knows_from_where_on_it_is_whole() -> None:
    ring = Ring(3)
    ring.start_at({0: 5, 1: 0})
    assert ring.since({0: 5, 1: 0}) == []
    assert ring.since({0: 4, 1: 0}) is None
    for offset in (5, 6, 8):
        ring.add(notice(offset))
    assert [each.offset for each in ring.since({0: 6, 1: 0}) or ()] == [6, 8]
    ring.add(notice(3, partition=1))
    assert ring.since({0: 5, 1: 0}) is None, "offset 5 has made room"
    assert [(each.partition, each.offset) for each in ring.since({0: 6, 1: 0}) or ()] == [(0, 6), (0, 8), (1, 3)]
    assert [each.offset for each in ring.since({0: 9, 1: 4}) or ()] == []
