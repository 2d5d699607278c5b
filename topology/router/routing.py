"""The router's work in the consume loop: each record becomes one record of the inbox or one dead letter."""

from collections.abc import Mapping, Sequence

from confluent_kafka import Message

from runtime.health import ProcessHealth
from runtime.kafka.headers import headers_of
from runtime.metrics import Metrics
from schemas.inbound.transform import RecordTransform
from schemas.internal.dead_letters import CODE
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.topics import AnyTopic, Topic, TopicTable
from topology.stream.crash_guard import Verdict
from topology.stream.plain_loop import Send

_NO_HEADERS: Mapping[str, bytes] = {}


class Routing:
    """Sends records of `inputs` (by their real names) through `transform`."""

    def __init__(
        self,
        table: TopicTable,
        inputs: Mapping[str, Topic],
        transform: RecordTransform,
        metrics: Metrics,
        health: ProcessHealth,
    ) -> None:
        self._inputs = dict(inputs)
        self._transform = transform
        self._names: dict[AnyTopic, str] = {topic: table.name(topic) for topic in (Topic.INBOX, Topic.DEAD_LETTERS)}
        self._read = metrics.tally(metrics.records_read).totals
        self._written = metrics.tally(metrics.records_written).totals
        self._letters = metrics.dead_letters
        self._processed = health.processed

    def __call__(self, messages: Sequence[Message], send: Send, verdict: Verdict) -> None:
        """Route `messages`. A record that ends the process each time (`verdict`) is a dead letter."""
        for message in messages:
            name, partition = message.topic(), message.partition()
            time_ms = message.timestamp()[1]
            at = RecordPosition(name, partition, message.offset(), time_ms)
            source = self._inputs[name]
            outgoing = self._route(source, at, message, verdict)
            topic = outgoing.topic
            if topic is Topic.DEAD_LETTERS:
                self._letters.labels(dict(outgoing.headers)[CODE].decode()).inc()
            self._written[(topic,)] += 1
            send(self._names[topic], outgoing.value, outgoing.key, list(outgoing.headers), time_ms)
            self._read[(source,)] += 1
            self._processed(name, partition, time_ms)

    def _route(self, topic: Topic, at: RecordPosition, message: Message, verdict: Verdict) -> OutgoingRecord:
        found = headers_of(message)
        headers = {name: value for name, value in found if value is not None} if found else _NO_HEADERS
        key, value = message.key(), message.value()
        if verdict is Verdict.PROCESS:
            return self._transform.apply(topic, at, key, value, headers)
        return self._transform.crashed(topic, at, key, value, headers, read=verdict is Verdict.QUARANTINE)
