"""A wrong client setting is named before anything connects."""

import time
from typing import Any

import pytest

from runtime.kafka.client_settings import EXTRA, PREFIX, PROTECTED, check_client_settings
from schemas.errors import ConfigurationError

PLAIN = {"bootstrap.servers": "localhost:1", "security.protocol": "PLAINTEXT"}
SASL = {
    **PLAIN,
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "orchestrator",
    "sasl.password": "hush",
}


def message(kafka: dict[str, Any], **extra: Any) -> str:
    given = {name.replace("_", "."): value for name, value in extra.items()}
    with pytest.raises(ConfigurationError) as caught:
        check_client_settings({**kafka, **given}, given)
    assert "hush" not in str(caught.value)
    return str(caught.value)


def without(kafka: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in kafka.items() if name not in names}


def test_right_settings_are_taken_at_once_and_nothing_is_connected() -> None:
    started = time.monotonic()
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        check_client_settings({**SASL, "sasl.mechanism": mechanism}, {})
    check_client_settings({**PLAIN, "bootstrap.servers": "a:1, [::1]:9092,PLAINTEXT://b:3,c"}, {})
    check_client_settings({**PLAIN, "client.rack": "a", "socket.keepalive.enable": True}, {"client.rack": "a"})
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-513", "", "GSSAPI", "NONSENSE"])
def test_a_wrong_mechanism_is_named_by_its_setting(mechanism: str) -> None:
    assert f"{PREFIX}KAFKA_SASL_MECHANISM: " in message({**SASL, "sasl.mechanism": mechanism})


def test_a_missing_mechanism_is_named() -> None:
    assert f"{PREFIX}KAFKA_SASL_MECHANISM: " in message(without(SASL, "sasl.mechanism"))


def test_a_missing_user_or_password_is_named_and_the_other_is_not() -> None:
    no_user = message(without(SASL, "sasl.username"))
    assert f"ORC-CONFIG: {PREFIX}KAFKA_SASL_USERNAME: " in no_user
    assert f"ORC-CONFIG: {PREFIX}KAFKA_SASL_PASSWORD: " in message({**SASL, "sasl.password": ""})
    neither = message(without(SASL, "sasl.username", "sasl.password"))
    assert f"{PREFIX}KAFKA_SASL_USERNAME and {PREFIX}KAFKA_SASL_PASSWORD: " in neither


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_missing_certificate_file_is_named_whatever_the_protocol(protocol: str) -> None:
    assert f"{PREFIX}KAFKA_SSL_CA_LOCATION: there is no such file" in message(
        {**PLAIN, "security.protocol": protocol, "ssl.ca.location": "/nowhere"}
    )


def test_a_certificate_file_without_certificates_is_named() -> None:
    assert f"{PREFIX}KAFKA_SSL_CA_LOCATION: " in message(
        {**PLAIN, "security.protocol": "SSL", "ssl.ca.location": __file__}
    )


@pytest.mark.parametrize("address", ["", "host:99999999", "host:0", "a:b:c", "a:1,,b:2", "host:port", "a b:1"])
def test_a_wrong_address_is_named(address: str) -> None:
    assert f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS: " in message({**PLAIN, "bootstrap.servers": address})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("socket_timeout_m", 3),
        ("socket_timeout_ms", "soon"),
        ("socket_timeout_ms", -4),
        ("socket_timeout_ms", None),
        ("socket_timeout_ms", {"a": 1}),
        ("socket_keepalive_enable", 3),
        ("client_dns_lookup", "nonsense"),
        ("ssl_key_location", "/nowhere"),
        ("sasl_mechanisms", "NONSENSE"),
    ],
)
def test_an_unknown_or_ill_typed_extra_property_is_named_with_its_setting(name: str, value: Any) -> None:
    said = message({**PLAIN, "security.protocol": "SASL_SSL"}, **{name: value})
    assert EXTRA in said
    assert name.replace("_", ".") in said


def test_a_callback_in_the_extra_properties_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="stats_cb"):
        check_client_settings({**PLAIN, "stats_cb": "x"}, {"stats_cb": "x"})


@pytest.mark.parametrize("name", sorted(PROTECTED - {"enabled_events"}))
def test_what_correctness_rests_on_cannot_be_set(name: str) -> None:
    assert f"{EXTRA}: {name} cannot be set" in message(PLAIN, **{name: "1"})


@pytest.mark.parametrize(
    "name",
    [
        "partitioner",
        "isolation.level",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "transactional.id",
        "group.id",
        "group.instance.id",
        "auto.offset.reset",
        "enable.auto.commit",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "transaction.timeout.ms",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
    ],
)
def test_the_list_of_protected_properties_is_whole(name: str) -> None:
    assert name in PROTECTED


def test_what_has_a_setting_of_its_own_is_not_taken_from_the_extra_properties() -> None:
    assert f"bootstrap.servers has the setting {PREFIX}KAFKA_BOOTSTRAP_SERVERS" in message(
        PLAIN, bootstrap_servers="other:1"
    )
