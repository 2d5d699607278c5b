import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime.kafka.errors import LEADER_MOVES, kafka_failure, outage
from schemas.errors import BrokerError, Code, OrchestratorError, TopicError


def failure(code: int, topic: str = "") -> OrchestratorError:
    return kafka_failure(KafkaException(KafkaError(code)), address="kafka-1:9092", asked="its topics", topic=topic)


def test_a_cluster_that_does_not_answer_is_named_with_what_it_was_asked() -> None:
    error = failure(KafkaError._TRANSPORT)
    assert type(error) is BrokerError
    assert error.code == Code.BROKER
    assert error.message.startswith("The Kafka cluster at kafka-1:9092 does not answer, asked for its topics: ")


def test_what_a_cluster_refuses_about_a_topic_is_a_topic_error() -> None:
    error = failure(KafkaError.UNKNOWN_TOPIC_OR_PART, "huleedu.batch.inbox.v1")
    assert isinstance(error, TopicError)
    assert "bos topics apply" in error.next_step


@pytest.mark.parametrize("code", sorted(LEADER_MOVES))
def test_a_partition_that_gets_a_leader_is_no_fault_of_its_topic(code: int) -> None:
    assert type(failure(code, "huleedu.batch.inbox.v1")) is BrokerError


@pytest.mark.parametrize(
    ("code", "topic", "kind"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "huleedu.batch.inbox.v1", TopicError),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "", BrokerError),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "", BrokerError),
    ],
)
def test_a_right_that_is_missing_is_told(code: int, topic: str, kind: type[OrchestratorError]) -> None:
    error = failure(code, topic)
    assert type(error) is kind
    assert "does not allow this client" in error.message
    assert "rights" in error.next_step


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._DESTROY_BROKER, KafkaError._ALL_BROKERS_DOWN, *sorted(LEADER_MOVES)]
)
def test_an_error_of_a_library_that_wraps_an_outage_is_one(code: int) -> None:
    wrapped = RuntimeError("the library's own")
    wrapped.__cause__ = KafkaException(KafkaError(code))
    error = outage(wrapped, address="kafka-1:9092")
    assert isinstance(error, BrokerError)
    assert "kafka-1:9092" in error.message


class Held(Exception):
    """An error of a library that keeps the client's as a member."""

    def __init__(self, error: KafkaError) -> None:
        self.error = error


@pytest.mark.parametrize("code", [KafkaError.NOT_COORDINATOR, KafkaError._TIMED_OUT])
def test_nor_does_it_matter_where_a_library_keeps_it(code: int) -> None:
    assert isinstance(outage(Held(KafkaError(code)), address="kafka-1:9092"), BrokerError)


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC])
@pytest.mark.parametrize("kind", [Held, KafkaException])
def test_a_topic_that_is_gone_is_no_defect_of_the_process(code: int, kind: type[Exception]) -> None:
    error = outage(kind(KafkaError(code)), address="kafka-1:9092")
    assert isinstance(error, TopicError)
    assert error.code == "ORC-TOPIC-MISSING"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a defect"),
        Held(KafkaError(KafkaError._STATE)),
        KafkaException(KafkaError(KafkaError._STATE)),
        KafkaException("without an error"),
    ],
)
def test_a_defect_is_no_outage(error: Exception) -> None:
    assert outage(error, address="kafka-1:9092") is None
