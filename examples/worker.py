"""A worker of the phase `wordcount` of pipelines.toml: `python worker.py BOOTSTRAP_SERVERS [TOPIC_PREFIX]`."""

import json
import sys

from confluent_kafka import Consumer, Producer

servers, prefix = {"bootstrap.servers": sys.argv[1]}, (*sys.argv[2:], "huleedu")[0]
consumer = Consumer({**servers, "group.id": "wordcount", "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([f"{prefix}.batch.phase.wordcount.command.v1"])
producer = Producer({**servers, "enable.idempotence": True})
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    command = json.loads(message.value())["data"]
    essays = [{**essay, "metrics": {"words": len(essay["text_storage_id"].split("-"))}} for essay in command["essays"]]
    outcome = {name: command[name] for name in ("batch_id", "phase", "attempt")}
    record = {"source_service": "wordcount", "data": {**outcome, "status": "completed_successfully", "essays": essays}}
    stop = lambda error, _: error and sys.exit(f"not delivered: {error}")  # noqa: E731
    producer.produce(f"{prefix}.batch.worker.outcome.v1", json.dumps(record), message.key(), on_delivery=stop)
    producer.flush()
    consumer.commit(message)  # only after the outcome is in Kafka: a crash repeats the work, and loses nothing
