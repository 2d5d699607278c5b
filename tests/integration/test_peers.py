"""The played peers on a real Kafka, against an orchestrator of a few lines that trusts what it is told."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from cli.broker import Kafka
from peers import PeerOptions, Peers, PeersError, topics
from peers.options import ERAS, Era
from tests.patience import PATIENCE_S, await_that
from tests.unit.peers.orchestrator import ENTITY, TRACEPARENT, command, completion, metadata, registration

READ = (topics.READY, topics.PROVISIONED, topics.OUTCOME_SEED, topics.OUTCOME)
ALL = (*READ, topics.VALIDATION_ERRORS, *(inbound.topic for inbound in topics.INBOUND))
ESSAYS_PER_BATCH = 25


def create_topics(kafka: Kafka) -> str:
    """Every topic under a prefix of its own; returns the prefix."""
    prefix = f"peers-{uuid.uuid4().hex[:8]}"
    names = [prefix + topic.removeprefix("huleedu") for topic in dict.fromkeys(ALL)]
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    made = admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1) for name in names])
    for future in made.values():
        future.result(PATIENCE_S)
    return prefix


class Orchestrator:
    """Registers batches and commands spellcheck and CJ, each once, with whatever essays it was told of."""

    def __init__(self, kafka: Kafka, prefix: str, **settings: Any) -> None:
        self.prefix = prefix
        self.producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 2, **settings})
        self.consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "group.id": f"{prefix}-orchestrator",
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )
        self.consumer.subscribe([self.real(topic) for topic in READ])
        self.done: set[tuple[str, str]] = set()
        self.stopping = threading.Event()

    def real(self, topic: str) -> str:
        return self.prefix + topic.removeprefix("huleedu")

    def register(self, **changes: Any) -> str:
        batch_id = str(uuid.uuid4())
        essays = [str(uuid.uuid4()) for _ in range(ESSAYS_PER_BATCH)]
        self.publish(topics.REGISTERED, batch_id, registration(batch_id=batch_id, essay_ids=essays, **changes))
        return batch_id

    def publish(self, topic: str, batch_id: str, data: dict[str, Any]) -> None:
        name = self.real(topic)
        event_type = "batch.pipeline.completed" if topic == topics.COMPLETED else name
        envelope = {
            "event_id": str(uuid.uuid4()),
            "event_type": event_type,
            "source_service": "batch-orchestrator-service",
            "correlation_id": batch_id,
            "data": data,
        }
        headers: list[tuple[str, str | bytes | None]] = [
            (field, str(envelope[field])) for field in ("event_id", "event_type", "correlation_id")
        ]
        value = json.dumps(envelope).encode()
        self.producer.produce(name, value, batch_id.encode(), headers=[*headers, ("traceparent", TRACEPARENT)])
        self.producer.poll(0)

    def run(self) -> None:
        while not self.stopping.is_set():
            for message in self.consumer.consume(500, timeout=0.02):
                self.take(message)
        self.producer.flush(PATIENCE_S)
        self.consumer.close()

    def take(self, message: Message) -> None:
        assert message.error() is None, message.error()
        data = json.loads(message.value() or b"")["data"]
        essays = data.get("processed_essays", data.get("ready_essays", data.get("essays_for_processing")))
        stage = data.get("phase_name", "ready")
        batch_id = data["batch_id"]
        if (batch_id, stage) in self.done:
            return
        self.done.add((batch_id, stage))
        if not essays or stage == "cj_assessment":
            self.complete(batch_id, stage, len(essays))
        elif stage == "ready":
            self.command(topics.SPELLCHECK_COMMAND, "spellcheck", batch_id, essays)
        else:
            self.command(topics.CJ_COMMAND, "cj_assessment", batch_id, essays)

    def command(self, topic: str, phase: str, batch_id: str, essays: list[dict[str, Any]]) -> None:
        entity = ENTITY | {"entity_id": batch_id}
        self.publish(topic, batch_id, command(f"batch.{phase}.initiate.command", essays, **entity, entity_ref=entity))

    def complete(self, batch_id: str, last: str, survivors: int) -> None:
        phases = {"ready": [], "spellcheck": [], "cj_assessment": ["spellcheck", "cj_assessment"]}[last]
        if last == "cj_assessment" and not survivors:
            phases = ["spellcheck"]
        status = "completed_successfully" if survivors == ESSAYS_PER_BATCH else "completed_with_failures"
        data = completion(
            batch_id=batch_id,
            metadata=metadata("batch.pipeline.completed", batch_id),
            correlation_id=batch_id,
            completed_phases=phases,
            final_status=status if phases else "failed_critically",
            successful_essay_count=survivors,
            failed_essay_count=ESSAYS_PER_BATCH - survivors,
        )
        self.publish(topics.COMPLETED, batch_id, data)


@contextmanager
def orchestrating(kafka: Kafka, prefix: str) -> Iterator[Orchestrator]:
    orchestrator = Orchestrator(kafka, prefix)
    thread = threading.Thread(target=orchestrator.run)
    thread.start()
    try:
        yield orchestrator
    finally:
        orchestrator.stopping.set()
        thread.join()


@pytest.mark.parametrize("era", ERAS)
def test_batches_pass_through_repeats_reordering_and_failures_without_a_complaint(kafka: Kafka, era: Era) -> None:
    prefix = create_topics(kafka)
    options = PeerOptions(
        era=era,
        topic_prefix=prefix,
        validation_failure_rate=0.02,
        failed_essay_rate=0.05,
        unaccounted_rate=0.02,
        critical_rate=0.05,
        repeat_rate=0.2,
        reorder_spread=0.5,
        keyless=True,
    )
    batches = 100
    with Peers(options, kafka.bootstrap_servers) as peers, orchestrating(kafka, prefix) as orchestrator:
        registered = {orchestrator.register() for _ in range(batches)}
        assert peers.wait_completed(batches, timeout=PATIENCE_S), peers.report()
    report = peers.report()
    assert report.complaints == ()
    assert report.unknown_batches == ()
    assert report.expected.keys() == registered
    assert {expected.final_status for expected in report.expected.values()} >= {"completed_with_failures"}
    assert report.counts["repeats"] > 0


def test_what_an_aborted_transaction_wrote_is_answered_as_the_originals_do(kafka: Kafka) -> None:
    prefix = create_topics(kafka)
    writer = Orchestrator(kafka, prefix, **{"transactional.id": prefix})
    writer.producer.init_transactions(PATIENCE_S)
    with Peers(PeerOptions(topic_prefix=prefix), kafka.bootstrap_servers) as peers:
        writer.producer.begin_transaction()
        batch_id = writer.register()
        writer.producer.flush(PATIENCE_S)
        writer.producer.abort_transaction(PATIENCE_S)
        await_registered(peers, 1)
    writer.consumer.close()
    assert peers.report().expected.keys() == {batch_id}


def test_reading_committed_sees_nothing_of_an_aborted_transaction(kafka: Kafka) -> None:
    prefix = create_topics(kafka)
    writer = Orchestrator(kafka, prefix, **{"transactional.id": prefix})
    writer.producer.init_transactions(PATIENCE_S)
    options = PeerOptions(topic_prefix=prefix, read_uncommitted=False)
    with Peers(options, kafka.bootstrap_servers) as peers:
        for end in (writer.producer.abort_transaction, writer.producer.commit_transaction):
            writer.producer.begin_transaction()
            batch_id = writer.register()
            end(PATIENCE_S)
        await_registered(peers, 1)
    writer.consumer.close()
    assert peers.report().expected.keys() == {batch_id}


def test_they_start_at_the_end_or_answer_what_is_there(kafka: Kafka) -> None:
    prefix = create_topics(kafka)
    writer = Orchestrator(kafka, prefix)
    old = writer.register()
    assert writer.producer.flush(PATIENCE_S) == 0
    with Peers(PeerOptions(topic_prefix=prefix), kafka.bootstrap_servers) as peers:
        new = writer.register()
        await_registered(peers, 1)
    assert peers.report().expected.keys() == {new}
    options = PeerOptions(topic_prefix=prefix, from_beginning=True)
    with Peers(options, kafka.bootstrap_servers) as peers:
        await_registered(peers, 2)
    writer.consumer.close()
    assert peers.report().expected.keys() == {old, new}


def test_a_topic_that_appears_later_is_read_whole(kafka: Kafka) -> None:
    prefix = create_topics(kafka)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    name = prefix + topics.COMPLETED.removeprefix("huleedu")
    admin.delete_topics([name])[name].result(PATIENCE_S)
    with Peers(PeerOptions(topic_prefix=prefix), kafka.bootstrap_servers) as peers:
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])[name].result(PATIENCE_S)
        with orchestrating(kafka, prefix) as orchestrator:
            orchestrator.register()
            assert peers.wait_completed(1, timeout=PATIENCE_S)
    assert peers.report().ok


def test_without_topics_or_a_broker_they_say_what_to_do(kafka: Kafka) -> None:
    for patience in (2, 20, PATIENCE_S):  # all of it is waited for, as the topics may come; a slow broker takes more
        with pytest.raises(PeersError) as told:
            Peers(PeerOptions(topic_prefix=f"none-{uuid.uuid4()}"), kafka.bootstrap_servers).start(timeout=patience)
        if "create the topics first" in str(told.value):
            break
    assert "create the topics first" in str(told.value)
    with pytest.raises(PeersError, match="check the bootstrap servers"):
        Peers(PeerOptions(), "127.0.0.1:1").start(timeout=1)


def command_line(kafka: Kafka, prefix: str, *more: str) -> subprocess.Popen[str]:
    """`python -m peers`, ready to play."""
    line = [sys.executable, "-m", "peers", "--bootstrap", kafka.bootstrap_servers, "--topic-prefix", prefix, *more]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stderr is not None
    assert process.stderr.readline() == "played peers are ready\n"
    return process


def test_the_command_line_ends_after_enough_batches_and_prints_the_report(kafka: Kafka) -> None:
    prefix = create_topics(kafka)
    playing = command_line(kafka, prefix, "--batches", "3", "--linger", "0.1")
    with playing as process, orchestrating(kafka, prefix) as orchestrator:
        registered = {orchestrator.register() for _ in range(3)}
        out, _ = process.communicate(timeout=PATIENCE_S)
    report = json.loads(out)
    assert (process.returncode, report["ok"], report["expected"].keys()) == (0, True, registered)


def test_the_command_line_ends_on_sigterm_with_1_where_there_are_complaints(kafka: Kafka) -> None:
    prefix = create_topics(kafka)
    with command_line(kafka, prefix) as process:
        with orchestrating(kafka, prefix) as orchestrator:
            orchestrator.register(expected_essay_count=7)
            await_that(lambda: len(orchestrator.done) >= 3, "the batch has passed three stages")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE_S)
    report = json.loads(out)
    assert process.returncode == 1
    assert [complaint["rule"] for complaint in report["complaints"]] == ["count"]


def await_registered(peers: Peers, number: int) -> None:
    await_that(lambda: peers.report().counts.get("registered", 0) >= number, f"the peers know of {number} batches")
