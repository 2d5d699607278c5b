"""Makes a transaction hang, as a broker can when it takes a record of a transaction that has ended.

Brokers of Kafka 4 check each record's transaction with its coordinator; the check is off meanwhile. The clients do not
send such a record, so it is sent as bytes of the protocol.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.patience import PATIENCE_S, await_that

_CHECK = "transaction.partition.verification.enable"
_PRODUCE, _INIT_PRODUCER_ID = 0, 22
_TIMEOUT_MS = 10_000
_POLYNOMIAL = 0x82F63B78


def hang(servers: str, transactional_id: str, topic: str, partition: int) -> None:
    """Write a record of a transaction that its coordinator does not know, under the producer's newest epoch."""
    host, port = servers.split(",", maxsplit=1)[0].split(":")
    with _unchecked(servers), socket.create_connection((host, int(port)), PATIENCE_S) as broker:
        asked = _text(transactional_id) + struct.pack(">i", _TIMEOUT_MS)

        def newest_epoch() -> tuple[int, ...]:
            _, error, producer, epoch = struct.unpack(">ihqh", _answer(broker, _INIT_PRODUCER_ID, 1, asked))
            return () if error else (producer, epoch)

        producer, epoch = await_that(newest_epoch, "the producer has an epoch")
        batch = _batch(producer, epoch)
        data = _text(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
        request = _text(transactional_id) + struct.pack(">hii", -1, _TIMEOUT_MS, 1) + data

        def written() -> bool:
            answer = _answer(broker, _PRODUCE, 3, request)
            _, name_length = struct.unpack_from(">ih", answer)
            return bool(struct.unpack_from(">iih", answer, 6 + name_length)[2] == 0)

        await_that(written, "the broker takes the record: its check is off")


@contextmanager
def _unchecked(servers: str) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": servers})

    def change(operation: AlterConfigOpType) -> None:
        for broker in admin.list_topics(timeout=PATIENCE_S).brokers:
            entry = ConfigEntry(_CHECK, "false", incremental_operation=operation)
            changed = ConfigResource(ResourceType.BROKER, str(broker), incremental_configs=[entry])
            admin.incremental_alter_configs([changed])[changed].result(PATIENCE_S)

    change(AlterConfigOpType.SET)
    try:
        yield
    finally:
        change(AlterConfigOpType.DELETE)


def _answer(broker: socket.socket, request: int, version: int, body: bytes) -> bytes:
    message = struct.pack(">hhi", request, version, 1) + _text("hang") + body
    broker.sendall(struct.pack(">i", len(message)) + message)
    with broker.makefile("rb") as stream:
        (length,) = struct.unpack(">i", stream.read(4))
        return stream.read(length)[4:]


def _batch(producer: int, epoch: int) -> bytes:
    """Return a batch with one record in a transaction: its key is one byte, and its value is empty."""
    record = b"\x00\x00\x00\x02-\x00\x00"  # attributes, both deltas, key of one byte, no value bytes, no headers
    now = round(time.time() * 1_000)
    checked = struct.pack(">hiqqqhii", 0x10, 0, now, now, producer, epoch, 0, 1) + bytes([2 * len(record)]) + record
    rest = struct.pack(">ibI", -1, 2, _crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">h", len(encoded)) + encoded
