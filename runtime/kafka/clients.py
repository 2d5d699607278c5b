"""What every Kafka client of the product is made with: its log lines and errors go the way of the process's own."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

_LOGGER = logging.getLogger("librdkafka")


def client_properties(kafka: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the properties of a consumer, producer or admin client: `kafka`, then `more`.

    Without them librdkafka writes to stderr by itself, past the log's format and level.
    """
    return {"logger": _LOGGER, "error_cb": log_error, **kafka, **(more or {})}


def log_error(error: KafkaError) -> None:
    """Log what a client tells beside its answers; a call that fails says so for itself."""
    _LOGGER.warning("%s (%s)", error.str(), error.name())
