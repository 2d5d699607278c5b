"""A record that kills the process each time is found and quarantined; everything else is decided exactly once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Event
from schemas.internal.history import HistoryRecord
from schemas.internal.records import decode_history
from schemas.topics import Topic
from state.batch import Batch
from state.codec import decode_batch
from state.decision.decide import decide
from state.decision.result import Decision
from tests.topology.driver import OUTPUTS, Driver
from tests.topology.memory_clients import Died
from tests.topology.memory_kafka import Record
from tests.topology.records import uuid_of
from topology.stream.crash_guard import SUSPECT_ENDS, UNCLEAN_ENDS, CrashGuard

pytestmark = pytest.mark.usefixtures("message_path")

POISON = uuid_of("poison")
BATCHES = (uuid_of("first"), POISON, *(uuid_of(f"batch-{number}") for number in range(4)))
Kills = Callable[[Batch | None, Event], bool]


def kills_at_ready(_: Batch | None, event: Event) -> bool:
    return event.batch_id == POISON and event.origin.event_type == "essays_ready"


class World:
    """Processes that follow each other on one inbox, with one directory."""

    def __init__(self, directory: Path) -> None:
        self.driver = Driver(directory, topic_partitions=2)
        self.driver.put_lives(*BATCHES)
        self.directory = directory / "crashes"
        self.deaths = 0
        self.paces: list[bool] = []

    def decide(self, kills: Kills) -> Callable[[Batch | None, Event], Decision]:
        def deciding(batch: Batch | None, event: Event) -> Decision:
            if kills(batch, event):
                self.driver.fate.dead = True
                raise Died("poison")
            return decide(batch, event)

        return deciding

    def run(self, kills: Kills, **options: int) -> bool:
        """Run one process; returns whether it lived to the end."""
        guard = CrashGuard(self.directory, "owner", **options)
        guard.__enter__()
        try:
            self.driver.run(decide=self.decide(kills), crashes=guard)
        except Died:
            self.deaths += 1
            guard._file.close()
            return False
        finally:
            self.paces.append(guard.careful)
        guard.__exit__(None, None, None)
        return True

    def run_until_it_lives(self, kills: Kills, **options: int) -> None:
        while not self.run(kills, **options):
            assert self.deaths < 50

    def histories(self) -> list[HistoryRecord]:
        return [decode_history(record.value or b"") for record in self.driver.kafka.read(Topic.HISTORY)]

    def quarantined(self) -> list[HistoryRecord]:
        return [one for one in self.histories() if one.disposition is Disposition.QUARANTINED]


def not_about_poison(world: World) -> Counter[Record]:
    """The records that read-committed consumers see of all other batches."""
    found = world.driver.kafka.read(*OUTPUTS)
    return Counter(one for one in found if POISON.encode() not in (one.key or b"") + (one.value or b""))


@pytest.fixture
def world(in_memory: Path) -> World:
    return World(in_memory)


def test_the_record_is_quarantined_and_every_other_is_decided_once(world: World, in_memory: Path) -> None:
    world.run_until_it_lives(kills_at_ready)
    assert world.deaths == UNCLEAN_ENDS + SUSPECT_ENDS
    [found] = world.quarantined()
    assert (found.batch_id, found.kind, found.reason.code) == (POISON, "essays_ready", ReasonCode.PROCESS_CRASHED)
    places = Counter((one.partition, one.offset) for one in world.histories())
    assert set(places.values()) == {1}
    assert len(places) == 4 * len(BATCHES)

    undisturbed = World(in_memory / "undisturbed")
    undisturbed.run(lambda _batch, _event: False)
    assert not_about_poison(world) == not_about_poison(undisturbed)


def test_the_dead_letter_has_the_inbox_record_and_the_code(world: World) -> None:
    world.run_until_it_lives(kills_at_ready)
    [letter] = world.driver.kafka.read(Topic.DEAD_LETTERS)
    headers = dict(letter.headers)
    assert headers["code"] == b"ORC-PROCESS-CRASHED"
    assert headers["first_key"] == POISON.encode()
    [found] = world.quarantined()
    assert letter.key == (found.dead_letter_id or "").encode()
    inbox = [one.value for one in world.driver.kafka.read(Topic.INBOX)]
    assert letter.value in inbox


def test_afterwards_it_runs_at_normal_speed(world: World) -> None:
    world.run_until_it_lives(kills_at_ready)
    assert world.paces[-1] is False
    world.driver.put_lives(uuid_of("later"))
    assert world.run(kills_at_ready)
    assert world.driver.fate.steps.count("commit") == 1


def test_the_end_of_a_partition_ends_the_careful_pace_there(world: World) -> None:
    for _ in range(UNCLEAN_ENDS):
        assert not world.run(lambda _batch, _event: True)
    with CrashGuard(world.directory, "owner") as guard:
        application = world.driver.application(crashes=guard)
        inbox = world.driver.kafka.table.name(Topic.INBOX)
        partitions = [TopicPartition(inbox, number) for number in range(2)]
        application._processing_context.init_checkpoint()
        guard.assigned(application._consumer, partitions)
        assert guard.careful
        for at in partitions:
            end = application._consumer.get_watermark_offsets(at, timeout=1.0)[1]
            application._reached_end(at.topic, at.partition, end)
        assert not guard.careful


def test_records_next_to_each_other_are_quarantined_in_turn(world: World) -> None:
    world.run_until_it_lives(lambda _, event: event.batch_id == POISON)
    assert {one.kind for one in world.quarantined()} == {one.kind for one in world.histories()}
    assert len(world.quarantined()) == 4
    assert world.deaths == UNCLEAN_ENDS + 4 * SUSPECT_ENDS


def test_a_record_that_lies_far_behind_is_found_in_several_rounds(world: World) -> None:
    world.run_until_it_lives(kills_at_ready, careful_records=2)
    assert [one.batch_id for one in world.quarantined()] == [POISON]


def test_a_state_that_kills_when_it_is_read_is_set_aside_unread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(stored: bytes) -> Batch:
        batch = decode_batch(stored)
        if batch.batch_id == POISON:
            world.driver.fate.dead = True
            raise Died("the state")
        return batch

    monkeypatch.setattr("topology.orchestrator.processor.decode_batch", dies)
    world.run_until_it_lives(lambda _batch, _event: False)
    assert {one.batch_id for one in world.quarantined()} == {POISON}
    assert len(world.histories()) == 4 * len(BATCHES)


def test_kills_from_outside_quarantine_nothing(world: World) -> None:
    """A process that is killed again and again, each time somewhere else, gets through."""
    for step in (3, 7, 7, 7, 9, 12, 14, 20, 33):
        guard = CrashGuard(world.directory, "owner")
        guard.__enter__()
        try:
            world.driver.run(dies_at=step, decide=decide, crashes=guard)
        except Died:
            guard._file.close()
        else:
            guard.__exit__(None, None, None)
    world.run_until_it_lives(lambda _batch, _event: False)
    assert world.quarantined() == []
    assert len(world.histories()) == 4 * len(BATCHES)


def test_without_a_crash_nothing_is_written_for_a_record(world: World) -> None:
    guard = CrashGuard(world.directory, "owner")
    with guard:
        before = {path.name: path.stat().st_mtime_ns for path in world.directory.iterdir()}
        world.driver.run(decide=decide, crashes=guard)
        assert {path.name: path.stat().st_mtime_ns for path in world.directory.iterdir()} == before
