"""Common properties of every Kafka client: log lines and errors go to the logging of the process."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

_LOGGER = logging.getLogger("librdkafka")


def client_properties(kafka: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the properties of a consumer, producer or admin client: `kafka`, then `more`.

    Without them librdkafka writes to stderr directly, ignoring log format and level.
    """
    return {"logger": _LOGGER, "error_cb": log_error, **kafka, **(more or {})}


def log_error(error: KafkaError) -> None:
    """Log an error that a client reports outside a call; a failed call raises its own error."""
    _LOGGER.warning("%s (%s)", error.str(), error.name())
