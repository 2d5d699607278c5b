"""Common properties of every Kafka client: log lines and errors go to the logging of the process."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

_LOGGER = logging.getLogger("librdkafka")
_COMPRESSION = ("compression.type", "compression.codec")


def client_properties(kafka: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the properties of a consumer, producer or admin client: `kafka`, then `more`.

    Without them librdkafka writes to stderr directly, ignoring log format and level.
    """
    return {"logger": _LOGGER, "error_cb": log_error, **kafka, **(more or {})}


def own_topics_compression(kafka: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compression of a producer that writes to the product's own topics alone; settings can name another.

    Records that peers read are not compressed: some of their clients read lz4 only with a package of its own.
    """
    given = next((kafka[name] for name in _COMPRESSION if name in kafka), "lz4")
    return {"compression.type": given}


def log_error(error: KafkaError) -> None:
    """Log an error that a client reports outside a call; a failed call raises its own error."""
    _LOGGER.warning("%s (%s)", error.str(), error.name())
