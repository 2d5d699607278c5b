"""Which offsets may be committed: only grow, and never pass an output that is not delivered."""

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.errors import Code, TopicError
from topology.stream.deliveries import Deliveries, not_delivered


class Report:
    def topic(self) -> str:
        return "inbox"


def offsets(found: list[TopicPartition]) -> dict[tuple[str, int], int]:
    return {(at.topic, at.partition): at.offset for at in found}


def test_a_chunk_waits_for_all_its_outputs_and_for_the_chunks_before_it() -> None:
    deliveries = Deliveries()
    first, second = deliveries.begin({("a", 0): 1, ("a", 1): 4}), deliveries.begin({("a", 0): 3})
    first.owed, second.owed = 2, 1
    second.reported(None, Report())
    first.reported(None, Report())
    assert deliveries.ask() == []
    first.reported(None, Report())
    assert offsets(deliveries.ask()) == {("a", 0): 3, ("a", 1): 4}


def test_a_chunk_with_a_failed_output_is_never_settled_nor_one_after_it() -> None:
    deliveries = Deliveries()
    deliveries.begin({("a", 0): 1})
    failed = deliveries.begin({("a", 0): 2})
    failed.owed = 1
    deliveries.begin({("a", 0): 3})
    failed.reported(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), Report())
    assert deliveries.failed is not None
    assert deliveries.failed[0] == "inbox"
    assert offsets(deliveries.take()) == {("a", 0): 1}
    assert deliveries.take() == []


def test_after_a_rebalance_nothing_of_before_is_committed() -> None:
    deliveries = Deliveries()
    late = deliveries.begin({("a", 0): 9})
    late.owed = 1
    deliveries.forget()
    late.reported(None, Report())
    assert deliveries.take() == []


def test_a_refused_output_is_told_by_its_kind() -> None:
    gone = not_delivered("inbox", KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    large = not_delivered("inbox", KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    assert isinstance(gone, TopicError)
    assert isinstance(large, TopicError)
    assert (gone.code, large.code) == (Code.TOPIC_MISSING, Code.TOPIC)
    assert isinstance(not_delivered("inbox", KafkaError(KafkaError._MSG_TIMED_OUT)), KafkaException)
