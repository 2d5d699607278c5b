"""What a `KafkaAdmin` makes of answers that a cluster gives only now and then; `tests/integration` has a real one."""

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from runtime.kafka.admin import KafkaAdmin
from runtime.settings import Settings
from schemas.errors import BrokerError, OrchestratorError, TopicError

PLACE = ("huleedu.batch.inbox.v1", 0)


class Found(NamedTuple):
    offset: int


class Scripted:
    """An admin client that gives one answer after the other."""

    def __init__(self, *answers: int | Found) -> None:
        self.answers = deque(answers)

    def list_offsets(self, asked: dict[TopicPartition, Any], **_: Any) -> dict[TopicPartition, "Future[Found]"]:
        answer, future = self.answers.popleft(), Future[Found]()
        if isinstance(answer, Found):
            future.set_result(answer)
        else:
            future.set_exception(KafkaException(KafkaError(answer)))
        return dict.fromkeys(asked, future)


class Creating:
    """An admin client whose creations of topics fail."""

    def __init__(self, code: int) -> None:
        self.code = code

    def create_topics(self, new: list[NewTopic], **_: Any) -> dict[str, "Future[None]"]:
        future = Future[None]()
        future.set_exception(KafkaException(KafkaError(self.code)))
        return {each.topic: future for each in new}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._TIMED_OUT, BrokerError),
        (KafkaError._TRANSPORT, BrokerError),
        (KafkaError.POLICY_VIOLATION, TopicError),
    ],
)
def test_a_creation_without_an_answer_is_no_refusal(code: int, kind: type[OrchestratorError]) -> None:
    specs = Settings(_env_file=None).topics().specs()[:1]
    with pytest.raises(kind):
        KafkaAdmin({"bootstrap.servers": "kafka-1:9092"}, Creating(code)).create_topics(specs, replication=1)


def admin(client: Scripted) -> KafkaAdmin:
    return KafkaAdmin({"bootstrap.servers": "kafka-1:9092"}, client)


def test_a_partition_that_gets_another_leader_is_asked_again() -> None:
    client = Scripted(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, Found(7))
    assert admin(client).log_ends([PLACE], committed=False) == {PLACE: 7}


def test_it_is_asked_again_without_holding_a_thread_too() -> None:
    client = Scripted(KafkaError.NOT_LEADER_FOR_PARTITION, Found(7))
    assert asyncio.run(admin(client).log_end(PLACE, timeout_s=60)) == 7


def test_a_topic_that_is_not_there_is_told_at_once() -> None:
    client = Scripted(KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_OR_PART)
    with pytest.raises(TopicError, match=PLACE[0]):
        admin(client).log_starts([PLACE])
    with pytest.raises(TopicError, match=PLACE[0]):
        asyncio.run(admin(client).log_end(PLACE, timeout_s=60))


def test_nothing_is_asked_about_no_partitions() -> None:
    assert admin(Scripted()).log_ends([], committed=True) == {}
