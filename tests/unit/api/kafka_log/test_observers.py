"""Observers of the Kafka log do not disturb each other."""

from api.kafka_log.kafka_log import LogPartition, LogRecord
from api.kafka_log.observers import Observers
from schemas.topics import Topic

RECORD = LogRecord(LogPartition(Topic.STATUS, 0), 7, b"batch", None, {})


def test_a_failing_observer_keeps_no_record_from_the_others() -> None:
    seen: list[LogRecord] = []

    def fail(_: LogRecord) -> None:
        raise TypeError("a defect")

    observers = Observers(fail, seen.append)
    observers(RECORD)
    observers(RECORD)
    assert seen == [RECORD, RECORD]
