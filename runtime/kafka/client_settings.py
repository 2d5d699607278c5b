"""Client properties that come from settings, checked before anything connects.

librdkafka finds most mistakes when a client is created, and names the property. The check therefore creates clients
without an address, and translates their errors into the name of the setting. `KAFKA_EXTRA` must not contain properties
on which correctness depends.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from schemas.errors import ConfigurationError

PREFIX = "BATCH_ORCHESTRATOR_SERVICE_"
EXTRA = f"{PREFIX}KAFKA_EXTRA"
SETTINGS = {
    "bootstrap.servers": "KAFKA_BOOTSTRAP_SERVERS",
    "security.protocol": "KAFKA_SECURITY_PROTOCOL",
    "sasl.mechanism": "KAFKA_SASL_MECHANISM",
    "sasl.mechanisms": "KAFKA_SASL_MECHANISM",
    "sasl.username": "KAFKA_SASL_USERNAME",
    "sasl.password": "KAFKA_SASL_PASSWORD",
    "ssl.ca.location": "KAFKA_SSL_CA_LOCATION",
}
"""Settings, without the prefix, of the properties that have their own."""

PROTECTED = frozenset(
    {
        # Where records go: a key must meet its state.
        "partitioner",
        "sticky.partitioning.linger.ms",
        # Nothing lost, doubled or reordered on the way out.
        "acks",
        "request.required.acks",
        "enable.idempotence",
        "enable.gapless.guarantee",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "retries",
        "message.send.max.retries",
        "message.timeout.ms",
        "delivery.timeout.ms",
        "queuing.strategy",
        "message.max.bytes",
        "transactional.id",
        "transaction.timeout.ms",
        # Nothing skipped, repeated or seen before its commit on the way in.
        "isolation.level",
        "auto.offset.reset",
        "enable.auto.commit",
        "auto.commit.enable",
        "auto.commit.interval.ms",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "check.crcs",
        "topic.blacklist",
        # Who owns a partition, and for how long.
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.remote.assignor",
        "group.protocol.type",
        "partition.assignment.strategy",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "allow.auto.create.topics",
        # Health: the processes watch themselves by these.
        "statistics.interval.ms",
        "enabled_events",
        "test.mock.num.brokers",
    }
)
"""Properties on which correctness depends."""

_NEXT_STEP = "Correct it; docs/configuration.md lists the settings of the Kafka clients."
_ADDRESS = re.compile(r"(?:[A-Za-z_]+://)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/,]+)(?::(\d+))?")
_silent = logging.getLogger("librdkafka.check")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def check_client_settings(kafka: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Check that clients can be created from the properties `kafka`, of which `extra` came from `KAFKA_EXTRA`.

    No client connects.

    Raises:
        ConfigurationError: a setting is wrong; the message names it and shows no password.
    """
    _check_extra(extra)
    _check_addresses(str(kafka.get("bootstrap.servers", "")))
    _check_files(kafka, extra)
    offline = {**kafka, "bootstrap.servers": ""}
    try:
        Producer(offline, logger=_silent)
        Consumer({**offline, "group.id": "check"}, logger=_silent).close()
    except (KafkaException, TypeError, ValueError) as error:
        raise _refused(error, kafka, extra) from error


def _refused(error: BaseException, kafka: Mapping[str, Any], extra: Mapping[str, Any]) -> ConfigurationError:
    """Return the error for a property that librdkafka refuses."""
    cause = error.args[0] if error.args else error
    reason = str(cause.str() if isinstance(cause, KafkaError) else cause).strip()
    return ConfigurationError(
        f"{_setting_of(reason, kafka, extra)}: the Kafka client refuses it: {_hide_secrets(reason, kafka)}.",
        next_step=_NEXT_STEP,
    )


def _check_extra(extra: Mapping[str, Any]) -> None:
    wrong = []
    for name, value in extra.items():
        if name in PROTECTED or name.endswith("_cb") or name in {"logger", "on_commit", "on_delivery"}:
            wrong.append(f"{name} cannot be set, because correctness depends on it")
        elif name in {"bootstrap.servers", "metadata.broker.list", "security.protocol"}:
            own = SETTINGS.get(name, "KAFKA_BOOTSTRAP_SERVERS")
            wrong.append(f"{name} has the setting {PREFIX}{own}")
        elif not isinstance(value, str | int | float):
            wrong.append(f"{name} must be a string, a number, true or false")
    if wrong:
        raise ConfigurationError(f"{EXTRA}: {'; '.join(wrong)}.", next_step=f"Take it out of {EXTRA}.")


def _check_addresses(addresses: str) -> None:
    for address in addresses.split(","):
        found = _ADDRESS.fullmatch(address.strip())
        if found is None or not 1 <= int(found[1] or 9092) <= 65_535:
            raise ConfigurationError(
                f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS: {address.strip()!r} is no address of the form HOST:PORT.",
                next_step="Name one or more brokers, with commas between them.",
            )


def _check_files(kafka: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Check that files exist: librdkafka only reads them if the protocol needs them, but a wrong path is a mistake."""
    for name, value in kafka.items():
        if not name.startswith("ssl.") or not name.endswith(".location") or value == "probe":
            continue
        if not Path(str(value)).exists():
            raise ConfigurationError(f"{_named(name, extra)}: there is no such file.", next_step=_NEXT_STEP)


def _setting_of(reason: str, kafka: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    """Return the setting that a client's error message is about."""
    named = [
        name for name in {*kafka, *extra, *SETTINGS} if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", reason)
    ]
    for name in sorted(named, key=len, reverse=True):
        if name in extra:
            return _named(name, extra)
    if "username" in reason or "password" in reason:  # one sentence of librdkafka names both
        missing = [name for name in ("sasl.username", "sasl.password") if not kafka.get(name)]
        return " and ".join(_named(name, extra) for name in missing or ["sasl.username"])
    if named:
        return _named(max(named, key=len), extra)
    if "SASL" in reason or "hash function" in reason:
        name = "sasl.mechanisms" if "sasl.mechanisms" in extra else "sasl.mechanism"
        return _named(name, extra)
    return EXTRA if extra else f"{PREFIX}KAFKA_SECURITY_PROTOCOL"


def _named(name: str, extra: Mapping[str, Any]) -> str:
    if name in extra or name not in SETTINGS:
        return f"{EXTRA} ({name})"
    return PREFIX + SETTINGS[name]


def _hide_secrets(reason: str, kafka: Mapping[str, Any]) -> str:
    for name, value in kafka.items():
        if re.search("password|secret|key|pem|config|token", name) and isinstance(value, str) and value:
            reason = reason.replace(value, "***")
    return reason
