"""The yardstick: the same decisions in a bare transactional loop of confluent-kafka, with no stream library.

It reads the same inbox in batches, decides, renders and encodes with the product's own core, writes the same records,
keeps the same state in RocksDB with one changelog record for each changed batch and commit, and commits outputs and
offsets in one transaction. Producer and consumer settings are the product's own, linger, batch size and commit interval
among them. What it leaves out is what makes a product of it: recovery of its state, rebalances, guards, measured sizes,
dead letters, metrics and health. It is no way to run anything.
"""

import signal
import threading
import time

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from runtime.settings import Settings
from schemas.internal.events import Event
from schemas.internal.records import decode_inbox
from schemas.topics import Topic
from state.codec import decode_batch
from state.decision.decide import decide
from topology.orchestrator.outbox import DESTINATIONS, Outbox
from topology.stream.options import POLL_TIMEOUT_S, application_options

CONSUME = 500
"""Records of one consume call."""
_WRITE_BUFFER = 8 * 1_048_576


class BareLoop:
    """Decides everything on the inbox, from its beginning."""

    def __init__(self, settings: Settings) -> None:
        topics, limits = settings.topics(), settings.limits()
        self._inbox, self._changelog = topics.name(Topic.INBOX), topics.changelog
        self._names = {topic: topics.name(topic) for topic in DESTINATIONS}
        self._outbox = Outbox(topics, dict.fromkeys(DESTINATIONS, limits.state_bytes), limits.state_bytes)
        self._interval_s = settings.commit_interval_s
        options = application_options(
            settings,
            group=settings.orchestrator_group,
            guarantee="exactly-once",
            largest_record=limits.state_bytes,
            commit_interval_s=self._interval_s,
        )
        self._producer = Producer({**settings.kafka(), **options["producer_extra_config"]})
        self._consumer = Consumer(
            {
                **settings.kafka(),
                **options["consumer_extra_config"],
                "group.id": settings.orchestrator_group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        store = Options(raw_mode=True)
        store.set_write_buffer_size(_WRITE_BUFFER)
        settings.state_dir.mkdir(parents=True)
        self._stores = [
            Rdict(str(settings.state_dir / str(number)), store) for number in range(settings.topic_partitions)
        ]
        self._dirty: list[dict[bytes, bytes]] = [{} for _ in self._stores]
        self._offsets: dict[int, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Decide until `stop` is set."""
        self._producer.init_transactions()
        self._consumer.subscribe([self._inbox])
        self._producer.begin_transaction()
        committed = time.monotonic()
        while not stop.is_set():
            for message in self._consumer.consume(CONSUME, POLL_TIMEOUT_S):
                self._decide(message)
            self._producer.poll(0)
            if time.monotonic() - committed >= self._interval_s:
                if self._offsets:
                    self._commit()
                committed = time.monotonic()
        self._producer.abort_transaction()
        self._consumer.close()

    def _decide(self, message: Message) -> None:
        if message.error() is not None:
            raise KafkaException(message.error())
        key, partition, offset = message.key(), message.partition(), message.offset()
        dirty = self._dirty[partition]
        stored = dirty.get(key) or self._stores[partition].get(key)
        before = None if stored is None else decode_batch(stored)
        record = decode_inbox(message.value())
        event = Event(
            batch_id=record.batch_id,
            origin=record.origin,
            body=record.body,
            version=offset,
            time_ms=message.timestamp()[1],
            partition=partition,
            offset=offset,
        )
        written = self._outbox.write(before, event, decide(before, event))
        for outgoing in written.records:
            self._producer.produce(
                self._names[outgoing.topic], outgoing.value, outgoing.key, headers=list(outgoing.headers)
            )
        assert written.state is not None
        dirty[key] = written.state
        self._offsets[partition] = offset + 1

    def _commit(self) -> None:
        for partition, dirty in enumerate(self._dirty):
            for key, state in dirty.items():
                self._producer.produce(self._changelog, state, key, partition)
        offsets = [TopicPartition(self._inbox, partition, offset) for partition, offset in self._offsets.items()]
        self._producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata())
        self._producer.commit_transaction()
        for store, dirty in zip(self._stores, self._dirty, strict=True):
            if dirty:
                batch = WriteBatch(raw_mode=True)
                for key, state in dirty.items():
                    batch.put(key, state)
                store.write(batch)
                dirty.clear()
        self._offsets.clear()
        self._producer.begin_transaction()


def main() -> None:
    """Run with the settings of the environment until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    BareLoop(Settings()).run(stop)


if __name__ == "__main__":
    main()
