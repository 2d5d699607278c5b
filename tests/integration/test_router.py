"""The router as a process, on a real Kafka."""

import json
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka import Message

from cli.broker import Kafka
from runtime.settings import Settings
from schemas import ids
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.events import InboxRecord
from schemas.internal.records import decode_inbox
from schemas.topics import Topic
from tests.integration.foreign_producer import send_with_header
from tests.integration.processes import (
    Log,
    RunningProcess,
    header_map,
    provisioned,
    ready_event,
    sample,
    send,
)
from tests.patience import await_that

READY, OUTCOME = Topic.ESSAYS_READY, Topic.OUTCOME_SEED


def outcome_event(batch_id: str, phase: str = "spellcheck") -> bytes:
    event = sample("els_batch_phase_outcome", "spellcheck_ok", batch_id=batch_id, phase_name=phase)
    return json.dumps(event).encode()


def inbox_of(message: Message) -> InboxRecord:
    value = message.value()
    assert isinstance(value, bytes)
    return decode_inbox(value)


@pytest.fixture(scope="module")
def router(kafka: Kafka) -> Iterator[RunningProcess]:
    """One router for all tests that only send it records."""
    settings = provisioned(kafka).model_copy(update={"max_input_bytes": 200_000})
    with RunningProcess("router", settings) as process:
        process.await_ready()
        yield process
        process.terminate()
        assert process.wait() == 0


@pytest.fixture(scope="module")
def inbox(router: RunningProcess) -> Iterator[Log]:
    with Log(router.settings, Topic.INBOX) as log:
        yield log


@pytest.fixture(scope="module")
def letters(router: RunningProcess) -> Iterator[Log]:
    with Log(router.settings, Topic.DEAD_LETTERS) as log:
        yield log


def of_batch(inbox: Log, batch_id: str, count: int) -> list[Message]:
    """The inbox records of a batch, when there are `count`."""

    def mine() -> list[Message]:
        return [message for message in inbox.records if message.key() == batch_id.encode()]

    def enough() -> bool:
        inbox.look()
        return len(mine()) >= count

    await_that(enough, f"there are {count} inbox records of the batch")
    return mine()


def letter_of(letters: Log, settings: Settings, topic: Topic, value: bytes | None) -> Message:
    """The dead letter of a record that was just sent."""

    def found() -> Message | None:
        letters.look()
        name = settings.topics().name(topic).encode()
        for message in letters.records:
            if message.value() == value and header_map(message)["first_topic"] == name:
                return message
        return None

    await_that(lambda: found() is not None, "the dead letter is there")
    message = found()
    assert message is not None
    return message


def test_defect_20_keyless_events_on_several_partitions_share_one_inbox_partition_in_order(
    router: RunningProcess, inbox: Log
) -> None:
    batches = [str(uuid4()) for _ in range(6)]
    sent: dict[tuple[str, int], list[str]] = {}
    for partition in range(3):
        records = []
        for number in range(8):
            batch_id = batches[number % len(batches)]
            event = sample("batch_essays_ready", "three_ready", batch_id=batch_id)
            sent.setdefault((batch_id, partition), []).append(event["event_id"])
            records.append({"value": json.dumps(event).encode(), "partition": partition})
        send(router.settings, READY, records)
    for batch_id in batches:
        expected = {partition: ids for (batch, partition), ids in sent.items() if batch == batch_id}
        messages = of_batch(inbox, batch_id, sum(map(len, expected.values())))
        assert len({message.partition() for message in messages}) == 1
        assert [message.offset() for message in messages] == sorted(message.offset() for message in messages)
        arrived = [inbox_of(message).origin for message in messages]
        for partition, event_ids in expected.items():
            assert [origin.event_id for origin in arrived if origin.partition == partition] == event_ids


def murmur2(data: bytes) -> int:
    """Kafka's `Utils.murmur2`, for comparison."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    end = len(data) & ~3
    for i in range(0, end, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if rest := data[end:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_the_comparison_hashes_as_kafkas_java_client_does(text: str, signed: int) -> None:
    assert murmur2(text.encode()) == signed & 0xFFFFFFFF


def test_inbox_partitions_are_those_of_the_java_client(router: RunningProcess, inbox: Log) -> None:
    batches = [str(uuid4()) for _ in range(12)]
    send(router.settings, OUTCOME, [{"value": outcome_event(batch)} for batch in batches])
    partitions = router.settings.topic_partitions
    for batch_id in batches:
        (message,) = of_batch(inbox, batch_id, 1)
        assert message.partition() == (murmur2(batch_id.encode()) & 0x7FFFFFFF) % partitions


def test_both_spellings_of_the_outcome_topic_are_read(router: RunningProcess, inbox: Log) -> None:
    batch_id = str(uuid4())
    for topic in (Topic.OUTCOME, Topic.OUTCOME_SEED):
        send(router.settings, topic, [{"value": outcome_event(batch_id)}])
    origins = {inbox_of(message).origin.topic for message in of_batch(inbox, batch_id, 2)}
    assert origins == {router.settings.topics().name(topic) for topic in (Topic.OUTCOME, Topic.OUTCOME_SEED)}


def deep(levels: int) -> bytes:
    return b'{"data":' + b"[" * levels + b"]" * levels + b"}"


POISON = {
    "no JSON": (b"no json", "ORC-NOT-JSON"),
    "no text": (b"\xff\xfe\x00", "ORC-NOT-JSON"),
    "nothing": (b"", "ORC-NOT-JSON"),
    "a tombstone": (None, "ORC-NOT-JSON"),
    "no object": (b"[1]", "ORC-FIELDS"),
    "not a number": (b'{"event_id": NaN}', "ORC-NOT-JSON"),
    "too deep": (deep(50_000), "ORC-NOT-JSON"),
    "missing fields": (json.dumps({"event_id": str(uuid4()), "data": {}}).encode(), "ORC-FIELDS"),
    "wrong topic": (json.dumps(sample("els_batch_phase_outcome", "spellcheck_ok")).encode(), None),
    "bad correlation id": (
        json.dumps({**sample("batch_essays_ready", "three_ready"), "correlation_id": "not-a-uuid"}).encode(),
        "ORC-CORRELATION-ID",
    ),
    "too large": (
        json.dumps(sample("batch_essays_ready", "three_ready", padding="x" * 250_000)).encode(),
        "ORC-TOO-LARGE",
    ),
}


@pytest.mark.parametrize(("value", "code"), POISON.values(), ids=POISON)
def test_poison_becomes_a_dead_letter_and_the_partition_goes_on(
    router: RunningProcess, inbox: Log, letters: Log, value: bytes | None, code: str | None
) -> None:
    batch_id = str(uuid4())
    poison = {"value": value, "key": b"\x00key", "partition": 1, "headers": [("trace", b"1"), ("null", None)]}
    send(router.settings, READY, [poison, {"value": ready_event(batch_id), "partition": 1}])
    assert of_batch(inbox, batch_id, 1)
    message = letter_of(letters, router.settings, READY, value)
    key, body = message.key(), message.value()
    assert isinstance(key, bytes)
    letter = parse_dead_letter(key, header_map(message), body if isinstance(body, bytes) else None)
    assert letter.value == value
    assert letter.key == b"\x00key"
    assert (letter.first.topic, letter.first.partition) == (router.settings.topics().name(READY), 1)
    assert letter.first.time_ms > 0
    assert letter.dead_letter_id == ids.dead_letter_id(letter.first.topic, 1, letter.first.offset)
    assert letter.code.startswith("ORC-")
    assert letter.code == code or code is None
    assert letter.reason


@pytest.mark.parametrize("name", [b"\xe5\xff", "år".encode("latin-1"), b"\xed\xa0\x80"])
def test_a_header_whose_name_is_no_text_stops_nothing(
    router: RunningProcess, inbox: Log, letters: Log, name: bytes
) -> None:
    named, after = str(uuid4()), str(uuid4())
    poison = f"no json {uuid4()}".encode()
    for value in (ready_event(named), poison):
        send_with_header(router.settings, READY, name, key=b"key", value=value, partition=1)
    send(router.settings, READY, [{"value": ready_event(after), "partition": 1}])
    assert of_batch(inbox, after, 1)
    assert of_batch(inbox, named, 1)
    letter = header_map(letter_of(letters, router.settings, READY, poison))
    assert (letter["code"], letter["first_key"]) == (b"ORC-NOT-JSON", b"key")


def test_a_refused_request_keeps_its_request_id(router: RunningProcess, letters: Log) -> None:
    request = {"event_id": str(uuid4()), "event_type": "x", "data": {"request_id": "r-1", "kind": "register"}}
    value = json.dumps(request).encode()
    send(router.settings, Topic.REQUESTS, [{"value": value}])
    message = letter_of(letters, router.settings, Topic.REQUESTS, value)
    assert header_map(message)["request_id"] == b"r-1"


def test_hostile_timestamps_stop_nothing(router: RunningProcess, inbox: Log) -> None:
    batch_id = str(uuid4())
    now_ms = time.time_ns() // 1_000_000
    times = (1, now_ms - 10 * 365 * 86_400_000, now_ms + 3_000_000)
    send(router.settings, READY, [{"value": ready_event(batch_id), "timestamp": time_ms} for time_ms in times])
    messages = of_batch(inbox, batch_id, len(times))
    written_ms = time.time_ns() // 1_000_000
    assert all(now_ms <= message.timestamp()[1] <= written_ms for message in messages)


def test_a_replayed_dead_letter_that_fails_again_coincides_with_itself(
    router: RunningProcess, inbox: Log, letters: Log
) -> None:
    value = f"never json {uuid4()}".encode()
    send(router.settings, READY, [{"value": value}])
    first = letter_of(letters, router.settings, READY, value)
    seen = len(letters.records)
    send(router.settings, Topic.REPLAY, [{"value": value, "headers": list(first.headers() or [])}])
    again = letters.read(seen + 1)[-1]
    assert (again.key(), again.value(), again.headers()) == (first.key(), first.value(), first.headers())


def test_a_dead_letter_is_replayed_into_the_inbox_as_where_it_was_first_read(
    router: RunningProcess, inbox: Log
) -> None:
    batch_id, table = str(uuid4()), router.settings.topics()
    headers = [
        ("first_topic", table.name(READY).encode()),
        ("first_partition", b"2"),
        ("first_offset", b"12345"),
        ("code", b"ORC-X"),
        ("reason", b"was wrong"),
    ]
    send(router.settings, Topic.REPLAY, [{"value": ready_event(batch_id), "headers": headers}])
    (message,) = of_batch(inbox, batch_id, 1)
    origin = inbox_of(message).origin
    assert (origin.topic, origin.partition, origin.offset) == (table.name(READY), 2, 12345)


def test_a_replayed_record_that_claims_a_newer_format_stops_nothing(
    router: RunningProcess, inbox: Log, letters: Log
) -> None:
    batch_id = str(uuid4())
    forged = json.dumps({"writer": 99, "least_reader": 99, "batch_id": batch_id}).encode()
    first = router.settings.topics().name(READY).encode()
    headers = [("first_topic", first), ("first_partition", b"0"), ("first_offset", b"7"), ("wrapped", b"1")]
    send(router.settings, Topic.REPLAY, [{"value": forged, "headers": headers, "partition": 0}])
    send(router.settings, READY, [{"value": ready_event(batch_id)}])
    assert of_batch(inbox, batch_id, 1)
    message = letter_of(letters, router.settings, READY, forged)
    assert header_map(message)["code"] == b"ORC-REPLAY-NEWER"


def test_the_metrics_port_tells_what_was_read_and_written(router: RunningProcess, inbox: Log) -> None:
    batch_id = str(uuid4())
    send(router.settings, READY, [{"value": ready_event(batch_id)}])
    of_batch(inbox, batch_id, 1)
    await_that(lambda: router.report()["lag_seconds"] == 0, "the router has caught up")
    report = router.report()
    assert (report["process"], report["alive"], report["assigned"], report["restored"]) == ("router", True, True, True)
    assert report["partitions"] == 5 * 3 + 3 * router.settings.topic_partitions
