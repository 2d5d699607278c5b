"""A small scenario with every kind of record, and the result of an undisturbed run, for comparison."""

from collections import Counter
from pathlib import Path
from typing import Any

from schemas.internal.events import Event
from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import Topic
from state.batch import Batch
from state.decision.decide import decide
from state.decision.result import Decision
from tests.topology.driver import OUTPUTS, Driver
from tests.topology.memory_kafka import Record
from tests.topology.records import ready, record, uuid_of

POISON = uuid_of("poison")
BATCHES = (uuid_of("first"), POISON)


def decide_with_a_fault(batch: Batch | None, event: Event) -> Decision:
    """The decision core with a defect: it raises for one batch's ready event."""
    if event.batch_id == POISON and event.origin.event_type == "essays_ready":
        raise RuntimeError("a rule is wrong")
    return decide(batch, event)


def written(directory: Path, **settings: Any) -> Driver:
    """A cluster whose inbox holds: a good life, one with a record that a rule fails on, a record that cannot be
    read, one for an unknown batch, and a repeat."""
    driver = Driver(directory, **settings)
    driver.put_lives(*BATCHES)
    driver.put(OutgoingRecord(Topic.INBOX, BATCHES[0].encode(), b"unreadable"))
    driver.put(record(uuid_of("nobody"), ready(uuid_of("nobody"), 0)))
    driver.put(record(BATCHES[0], ready(BATCHES[0], 0), 99))
    return driver


def outputs(driver: Driver) -> list[Record]:
    """Return the records that read-committed consumers see."""
    return driver.kafka.read(*OUTPUTS)


def undisturbed(directory: Path, **settings: Any) -> list[Record]:
    """Return the result of an undisturbed run."""
    driver = written(directory, **settings)
    driver.run(decide=decide_with_a_fault)
    found = outputs(driver)
    assert max(Counter(found).values()) == 1
    return found
