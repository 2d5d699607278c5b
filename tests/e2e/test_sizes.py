"""The largest batch passes, in both shapes of a registration; what is larger is refused, and nothing stops."""

import json
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from cli.broker import Kafka
from cli.supervision.stack import Stack
from cli.verifier import VerifiedRecord, read_topic, verify
from peers import PeerOptions, Peers
from peers.options import Era
from schemas.limits import Limits
from schemas.topics import Topic
from tests.e2e.conftest import StartStack
from tests.e2e.http import BODY, register, status_of
from tests.patience import PATIENCE_S, await_that

LARGEST = Limits().essays
HEAD_BODY = {
    "expected_essay_count": LARGEST,
    "course_code": "ENG5",
    "user_id": "teacher-1",
    "enable_cj_assessment": True,
}


@pytest.mark.parametrize(("era", "body"), [("seed", {**BODY, "expected_essay_count": LARGEST}), ("head", HEAD_BODY)])
def test_a_batch_of_5000_essays_passes(era: Era, body: dict[str, Any], kafka: Kafka, start_stack: StartStack) -> None:
    stack = start_stack()
    options = PeerOptions(era=era, topic_prefix=stack.settings.topic_prefix, failed_essay_rate=0.01)
    with Peers(options, kafka.bootstrap_servers) as peers:
        batch_id = register(stack.api_url, "large", body)["batch_id"]
        assert peers.wait_completed(1, timeout=PATIENCE_S), peers.report().counts
        report = peers.report()
        assert report.complaints == ()
    await_that(lambda: status_of(stack.api_url, batch_id).get("ended_at"), "the end is committed")
    status = status_of(stack.api_url, batch_id)
    expected = report.expected[batch_id]
    assert status["status"] == expected.final_status == "completed_with_failures"
    assert status["counts"]["succeeded"] == expected.successful_essay_count > LARGEST * 0.9
    assert verify(stack.settings.kafka(), stack.settings.topics(), patience=PATIENCE_S).problems == []


def test_an_event_over_the_limit_becomes_a_dead_letter_and_the_partition_goes_on(
    kafka: Kafka, start_stack: StartStack
) -> None:
    stack = start_stack()
    topics = stack.settings.topics()
    ready = topics.name(Topic.ESSAYS_READY)
    _allow_larger(kafka, ready, topics.limits.input_bytes * 2)
    batch_id = register(stack.api_url, "after-a-large-one")["batch_id"]
    slots = _slots(stack, batch_id)
    essays = [{"essay_id": slot, "text_storage_id": uuid4().hex} for slot in slots]
    filler = "x" * topics.limits.input_bytes
    _send(kafka, ready, [_ready(ready, batch_id, essays, filler), _ready(ready, batch_id, essays, "")])
    await_that(
        lambda: status_of(stack.api_url, batch_id)["status"] == "processing_pipelines", "the event behind it is read"
    )
    dead_letters = topics.name(Topic.DEAD_LETTERS)
    letters = await_that(lambda: list(read_topic(stack.settings.kafka(), dead_letters)), "the letter can be read")
    assert [letter.headers["code"] for letter in letters] == ["ORC-TOO-LARGE"]


def _allow_larger(kafka: Kafka, topic: str, size: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(PATIENCE_S)


def _slots(stack: Stack, batch_id: str) -> list[str]:
    name = stack.settings.topics().name(Topic.REGISTERED)

    def registered() -> list[VerifiedRecord]:
        return [record for record in read_topic(stack.settings.kafka(), name) if record.key == batch_id]

    (record,) = await_that(registered, "the registration can be read")
    slots: list[str] = record.value["data"]["essay_ids"]
    return slots


def _ready(topic: str, batch_id: str, essays: list[dict[str, str]], filler: str) -> bytes:
    entity = {"entity_id": batch_id, "entity_type": "batch", "parent_id": None}
    data = {
        "event": "batch.essays.ready",
        "batch_id": batch_id,
        "ready_essays": essays,
        "batch_entity": entity,
        "metadata": {"entity": entity, "error_info": {"filler": filler}},
    }
    envelope = {
        "event_id": str(uuid4()),
        "event_type": topic,
        "event_timestamp": "2026-11-24T08:00:00Z",
        "source_service": "essay-lifecycle-service",
        "correlation_id": str(uuid4()),
        "data": data,
    }
    return json.dumps(envelope).encode()


def _send(kafka: Kafka, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.max.bytes": 20_000_000})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(PATIENCE_S) == 0
