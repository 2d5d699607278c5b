from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from schemas.errors import BrokerError
from schemas.internal.events import DeadlineReached
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import decode_inbox
from schemas.topics import Topic
from topology.timekeeper import firing
from topology.timekeeper.firing import LONGEST_PAUSE_MS, Firing, deadline_record
from topology.timekeeper.index import ArmedDeadline, Arming, DeadlineIndex

PAUSE_S = 60


class Inbox:
    """An inbox that stamps records with `time_ms`; written for these tests."""

    def __init__(self) -> None:
        self.time_ms = 10_000
        self.down = False
        self.records: list[OutgoingRecord] = []

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        if self.down:
            raise BrokerError("The cluster does not answer.", next_step="Wait.")
        self.records += records
        return [self.time_ms] * len(records)

    def batches(self) -> list[str]:
        found = [record.key.decode() for record in self.records]
        self.records.clear()
        return found


@pytest.fixture
def index(tmp_path: Path) -> Iterator[DeadlineIndex]:
    opened = DeadlineIndex(tmp_path / "index")
    yield opened
    opened.close()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def fires(index: DeadlineIndex, inbox: Inbox) -> Firing:
    return Firing(index, inbox, topic="status", pause_s=PAUSE_S)


def arm(index: DeadlineIndex, key: str, due_ms: int, partition: int = 0) -> None:
    index.apply(partition, [Arming(key.encode(), due_ms, 7)], 8, 1)


def test_the_record_is_one_that_decide_knows() -> None:
    record = deadline_record(ArmedDeadline(2, b"batch", 99, 50, 7, 3), "status")
    assert (record.topic, record.key) == (Topic.INBOX, b"batch")
    assert record.value is not None
    decoded = decode_inbox(record.value)
    assert decoded.batch_id == "batch"
    assert decoded.body == DeadlineReached(due_ms=50)
    assert (decoded.origin.topic, decoded.origin.partition, decoded.origin.offset) == ("status", 2, 7)


def test_repeats_have_the_same_bytes() -> None:
    first = ArmedDeadline(2, b"batch", 50, 50, 7, 0)
    assert deadline_record(first, "status") == deadline_record(first._replace(fire_at_ms=99, fired=1), "status")


def test_what_is_due_is_fired_once(index: DeadlineIndex, inbox: Inbox, fires: Firing) -> None:
    arm(index, "a", 5_000)
    arm(index, "b", 20_000)
    assert fires.fire([0], 10_000) == 1
    assert fires.fire([0], 10_000) == 0
    assert inbox.batches() == ["a"]


def test_it_is_fired_again_after_a_pause_that_doubles(index: DeadlineIndex, inbox: Inbox, fires: Firing) -> None:
    arm(index, "a", 5_000)
    fires.fire([0], 10_000)
    assert fires.fire([0], 69_999) == 0
    inbox.time_ms = 70_000
    assert fires.fire([0], 70_000) == 1
    assert fires.fire([0], 189_999) == 0
    assert fires.fire([0], 190_000) == 1


def test_the_pause_has_an_end(index: DeadlineIndex, fires: Firing) -> None:
    arm(index, "a", 5_000)
    for _ in range(300):
        assert fires.fire([0], 10_000 + LONGEST_PAUSE_MS) == 1


def test_one_that_a_broker_stamped_too_early_is_fired_again_soon(
    index: DeadlineIndex, inbox: Inbox, fires: Firing
) -> None:
    arm(index, "a", 10_001)
    fires.fire([0], 10_001)
    assert fires.fire([0], 11_000) == 1
    assert inbox.batches() == ["a", "a"]


def test_one_that_was_not_acknowledged_is_fired_again(index: DeadlineIndex, inbox: Inbox, fires: Firing) -> None:
    arm(index, "a", 5_000)
    inbox.down = True
    with pytest.raises(BrokerError):
        fires.fire([0], 10_000)
    inbox.down = False
    assert fires.fire([0], 10_000) == 1


def test_other_partitions_are_left_alone(index: DeadlineIndex, inbox: Inbox, fires: Firing) -> None:
    arm(index, "a", 5_000, partition=0)
    arm(index, "b", 5_000, partition=1)
    fires.fire([1], 10_000)
    assert inbox.batches() == ["b"]


def test_many_are_fired_in_chunks(
    index: DeadlineIndex, inbox: Inbox, fires: Firing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "CHUNK", 3)
    for number in range(4):
        arm(index, f"a{number}", 5_000, partition=0)
        arm(index, f"b{number}", 5_000, partition=1)
    assert [fires.fire([0, 1], 10_000) for _ in range(4)] == [3, 3, 2, 0]
    assert len(set(inbox.batches())) == 8


def test_one_that_was_fired_too_early_tells_the_broker_s_time(index: DeadlineIndex, inbox: Inbox) -> None:
    told: list[int] = []
    fires = Firing(index, inbox, topic="status", pause_s=PAUSE_S, early=told.append)
    arm(index, "a", 10_000)
    fires.fire([0], 10_000)
    assert told == []
    arm(index, "b", 10_001)
    fires.fire([0], 10_001)
    assert told == [10_000]
