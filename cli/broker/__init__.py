"""The development broker: Apache Kafka on loopback, which needs only Python and ends with its owner.

Used by `bos broker`, the demo, the tests and the benchmarks. Not for production.
"""

from cli.broker.dev_broker import DevBroker
from cli.broker.jars import KAFKA_VERSION
from cli.broker.select import BOOTSTRAP_VARIABLE, Kafka, kafka_from

__all__ = ["BOOTSTRAP_VARIABLE", "KAFKA_VERSION", "DevBroker", "Kafka", "kafka_from"]
