"""The development broker: a real Apache Kafka with nothing installed but Python, on loopback, ended with its owner.

Used by `bos broker`, the demo, the tests and the benchmarks. Not for production.
"""

from cli.broker.cluster import DevBroker
from cli.broker.given import BOOTSTRAP_VARIABLE, Kafka, kafka_from
from cli.broker.jars import KAFKA_VERSION

__all__ = ["BOOTSTRAP_VARIABLE", "KAFKA_VERSION", "DevBroker", "Kafka", "kafka_from"]
