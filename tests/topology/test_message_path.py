"""The path of messages in batches: what it relies on in the stream library, and what happens within a batch."""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import quixstreams
from quixstreams import Application
from quixstreams.checkpointing.checkpoint import BaseCheckpoint, Checkpoint
from quixstreams.dataframe.dataframe import StreamingDataFrame, _as_stateful
from quixstreams.internal_consumer import InternalConsumer
from quixstreams.internal_producer import InternalProducer
from quixstreams.kafka.consumer import BaseConsumer
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError
from quixstreams.kafka.producer import Producer
from quixstreams.processing import ProcessingContext
from quixstreams.runtracker import RunTracker
from quixstreams.state.base.transaction import PartitionTransaction, PartitionTransactionCache
from quixstreams.state.rocksdb import RocksDBStorePartition
from quixstreams.state.rocksdb.transaction import RocksDBPartitionTransaction

from schemas.errors import StateError
from schemas.internal.dead_letters import parse_dead_letter
from schemas.topics import Topic
from tests.topology.driver import OUTPUTS, Driver
from tests.topology.records import record, register, uuid_of
from tests.topology.scenario import decide_with_a_fault, outputs, undisturbed, written
from topology.stream import message_path
from topology.stream.message_path import DirectStore

BATCH = uuid_of("batch")
RELIED_ON: dict[str, Callable[..., Any]] = {
    "Application._process_message": Application._process_message,
    "Application._run_dataframe": Application._run_dataframe,
    "Application._on_assign": Application._on_assign,
    "Application._on_revoke": Application._on_revoke,
    "ProcessingContext.commit_checkpoint": ProcessingContext.commit_checkpoint,
    "ProcessingContext.init_checkpoint": ProcessingContext.init_checkpoint,
    "Checkpoint.get_store_transaction": Checkpoint.get_store_transaction,
    "Checkpoint.commit": Checkpoint.commit,
    "BaseCheckpoint.store_offset": BaseCheckpoint.store_offset,
    "BaseCheckpoint.expired": BaseCheckpoint.expired,
    "BaseConsumer.consume": BaseConsumer.consume,
    "InternalConsumer._poll_unbuffered": InternalConsumer._poll_unbuffered,
    "InternalProducer.produce": InternalProducer.produce,
    "InternalProducer._on_delivery": InternalProducer._on_delivery,
    "InternalProducer.flush": InternalProducer.flush,
    "Producer.produce": Producer.produce,
    "RunTracker.set_message_consumed": RunTracker.set_message_consumed,
    "StreamingDataFrame._produce": StreamingDataFrame._produce,
    "_as_stateful": _as_stateful,
    "PartitionTransaction._serialize_key": PartitionTransaction._serialize_key,
    "PartitionTransaction.get_bytes": PartitionTransaction.get_bytes,
    "PartitionTransaction._get_bytes": PartitionTransaction._get_bytes,
    "PartitionTransactionCache.get": PartitionTransactionCache.get,
    "RocksDBPartitionTransaction._get_bytes": RocksDBPartitionTransaction._get_bytes,
    "RocksDBStorePartition.get": RocksDBStorePartition.get,
    "RocksDBStorePartition.get_or_create_column_family": RocksDBStorePartition.get_or_create_column_family,
}
"""What `topology.stream.message_path` replaces, or calls though it is private."""
DIGESTS: dict[str, str] = {
    "BaseCheckpoint.expired": "8c58eedc2f8dd32e",
    "Application._process_message": "29d0171a33f113c4",
    "Application._run_dataframe": "3309c346f81356b2",
    "Application._on_assign": "649c087559d4c9bf",
    "Application._on_revoke": "3583f0b20d3bfa38",
    "ProcessingContext.commit_checkpoint": "bebf0e223a8fffdf",
    "ProcessingContext.init_checkpoint": "a0a1bf8f5c285be3",
    "Checkpoint.get_store_transaction": "4404ff20622b59c6",
    "Checkpoint.commit": "a324c629763f2a00",
    "BaseCheckpoint.store_offset": "4a84b4a768164543",
    "BaseConsumer.consume": "b1729402b07fb772",
    "InternalConsumer._poll_unbuffered": "b2020e3c67eedd4f",
    "InternalProducer.produce": "6d1d028a39430dd9",
    "InternalProducer._on_delivery": "d224f3f5627d8be0",
    "InternalProducer.flush": "11ffc80be5810ead",
    "Producer.produce": "ec011a9b72df8036",
    "RunTracker.set_message_consumed": "a05a825dc3efee86",
    "StreamingDataFrame._produce": "58d6e73d6d85410c",
    "_as_stateful": "31645dcd8c83272d",
    "PartitionTransaction._serialize_key": "2816ae42141478fd",
    "PartitionTransaction.get_bytes": "912c14f5c71b66ac",
    "PartitionTransaction._get_bytes": "d9ad0553cfe07c2a",
    "PartitionTransactionCache.get": "79bb1d7ac8393519",
    "RocksDBPartitionTransaction._get_bytes": "c264dd8974893a4c",
    "RocksDBStorePartition.get": "b4c28b888965f8d8",
    "RocksDBStorePartition.get_or_create_column_family": "522ef820df8c1a02",
}


def digest(function: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(inspect.unwrap(function)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", RELIED_ON)
def test_the_library_is_as_the_message_path_was_written_for(name: str) -> None:
    assert digest(RELIED_ON[name]) == DIGESTS[name], (
        f"{name} of quixstreams {quixstreams.__version__} is not that of 3.28.1: compare both with "
        "topology/stream/message_path.py, run all crash and rebalance tests, then take the new digest over."
    )


def reads(store: Any, key: bytes) -> list[bytes | None]:
    return [store.get_bytes(key), store.get_bytes(b"missing")]


@pytest.mark.parametrize("prefix", [b"batch", b"", b"with|separator", None])
def test_the_direct_store_reads_and_writes_as_the_library_does(in_memory: Path, prefix: bytes | None) -> None:
    partition = RocksDBStorePartition(str(in_memory / "store"))
    for value in (b"first", b"second", b"", None):
        transaction, direct = partition.begin(), DirectStore()
        theirs = transaction.as_state(prefix=prefix, timestamp=1)
        direct.turn(transaction, prefix)
        assert reads(direct, b"key") == reads(theirs, b"key")
        if value is None:
            direct.delete(b"key")
        else:
            direct.set_bytes(b"key", value)
        assert reads(direct, b"key") == reads(theirs, b"key") == [value, None]
        transaction.prepare()
        transaction.flush()
        again = partition.begin()
        direct.turn(again, prefix)
        assert reads(direct, b"key") == reads(again.as_state(prefix=prefix), b"key") == [value, None]
    partition.close()  # type: ignore[no-untyped-call]


def test_a_finished_transaction_is_not_read(in_memory: Path) -> None:
    partition = RocksDBStorePartition(str(in_memory / "store"))
    transaction, direct = partition.begin(), DirectStore()
    direct.turn(transaction, b"batch")
    transaction.prepare()
    with pytest.raises(quixstreams.state.exceptions.StateTransactionError):
        direct.get_bytes(b"key")
    with pytest.raises(quixstreams.state.exceptions.StateTransactionError):
        direct.set_bytes(b"key", b"value")
    partition.close()  # type: ignore[no-untyped-call]


BOTH_PATHS = pytest.mark.usefixtures("message_path")


@BOTH_PATHS
@pytest.mark.parametrize("given", [1, 3, 5, 8])
def test_a_rebalance_within_a_batch_of_messages_loses_and_doubles_nothing(in_memory: Path, given: int) -> None:
    driver = written(in_memory / "disturbed")
    application = driver.application(decide=decide_with_a_fault)
    application.memory_consumer.revoke_at = given
    application.run()
    assert application.memory_consumer.rebalances > 2
    assert outputs(driver) == undisturbed(in_memory / "undisturbed")


@pytest.mark.parametrize("given", [1, 3, 5, 8])
def test_messages_of_partitions_that_are_gone_are_dropped(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, given: int
) -> None:
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_MESSAGE_PATH", "own")
    driver = written(in_memory / "disturbed")
    application = driver.application(decide=decide_with_a_fault)
    application.memory_consumer.revoke_at, application.memory_consumer.keeps_stale = given, True
    application.run()
    assert outputs(driver) == undisturbed(in_memory / "undisturbed")


@BOTH_PATHS
@pytest.mark.parametrize("given", [0, 1, 4])
def test_an_error_within_a_batch_of_messages_ends_the_process_and_commits_nothing(in_memory: Path, given: int) -> None:
    driver = written(in_memory / "disturbed")
    application = driver.application(decide=decide_with_a_fault)
    application.memory_consumer.error_at = given
    with pytest.raises(StateError) as ended:
        application.run()
    assert ended.value.code == "ORC-OFFSET-OUT-OF-RANGE"
    assert not outputs(driver)
    driver.run(decide=decide_with_a_fault)
    assert outputs(driver) == undisturbed(in_memory / "undisturbed")


@BOTH_PATHS
@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_a_full_producer_queue_is_waited_for(in_memory: Path, guarantee: str) -> None:
    driver = written(in_memory / "full", processing_guarantee=guarantee)
    application = driver.application(decide=decide_with_a_fault)
    client = application._producer._producer._inner_producer
    client.room = 2
    application.run()
    assert outputs(driver) == undisturbed(in_memory / "undisturbed", processing_guarantee=guarantee)


def test_a_batch_of_outputs_larger_than_the_queue_is_sent_in_order(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_MESSAGE_PATH", "own")
    driver = written(in_memory / "full")
    application = driver.application(decide=decide_with_a_fault)
    client = application._producer._producer._inner_producer
    client.room = 1
    application.run()
    assert client.waits > 10
    assert outputs(driver) == undisturbed(in_memory / "undisturbed")


@BOTH_PATHS
def test_an_output_that_is_not_accepted_fails_the_commit(in_memory: Path) -> None:
    driver = written(in_memory, processing_guarantee="at-least-once")
    application = driver.application(decide=decide_with_a_fault)
    client = application._producer._producer._inner_producer
    client.rejected = driver.kafka.table.name(Topic.HISTORY)
    with pytest.raises(KafkaProducerDeliveryError) as failed:
        application.run()
    assert "size too large" in repr(failed.value)
    assert set(driver.kafka.offsets.values()) == {0}, "an offset was committed"


@BOTH_PATHS
def test_a_record_without_a_key_is_set_aside(in_memory: Path) -> None:
    driver = Driver(in_memory)
    sent = record(BATCH, register(BATCH))
    driver.kafka.append((driver.kafka.table.name(Topic.INBOX), 0), None, sent.value)
    driver.put(sent)
    driver.run()
    [letter] = driver.kafka.read(Topic.DEAD_LETTERS)
    parsed = parse_dead_letter(letter.key, dict(letter.headers), letter.value)
    assert (parsed.code, parsed.value) == ("ORC-KEY-MISMATCH", sent.value)
    assert len(driver.kafka.read(Topic.STATUS)) == 1


@pytest.mark.parametrize(("path", "commits"), [("own", 2), ("library", 1)])
def test_work_is_committed_when_no_more_input_is_there(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, path: str, commits: int
) -> None:
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_MESSAGE_PATH", path)
    driver = Driver(in_memory)
    version = driver.put(record(BATCH, register(BATCH)))
    application = driver.application()
    application.dry_s = 0.0
    consumer, stop = application.memory_consumer, application.memory_consumer._on_idle
    idle: list[int] = []

    def on_idle() -> None:
        idle.append(len(driver.kafka.read(*OUTPUTS)))
        if len(idle) == 4:
            driver.put(record(BATCH, register(BATCH), version + 1))
        if len(idle) >= 8:
            stop()

    consumer._on_idle = on_idle
    application.run()
    assert list(driver.fate.steps).count("commit") == commits
    assert (idle[3] > 0) is (path == "own")


@pytest.mark.parametrize(("backlog_s", "commits"), [(0.0, 5), (60.0, 1)])
def test_commits_are_rarer_while_more_input_waits(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, backlog_s: float, commits: int
) -> None:
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_MESSAGE_PATH", "own")
    monkeypatch.setattr(message_path, "BATCH_RECORDS", 1)
    monkeypatch.setattr(message_path, "BACKLOG_S", backlog_s)
    driver = Driver(in_memory)
    version = driver.put(record(BATCH, register(BATCH)))
    for number in range(1, 5):
        driver.put(record(BATCH, register(BATCH), version + number))
    application = driver.application()
    application.dry_s = 60.0
    application._processing_context.commit_interval = 0.0
    application.run()
    assert list(driver.fate.steps).count("commit") == commits
    assert len(driver.kafka.read(Topic.HISTORY)) == 5
