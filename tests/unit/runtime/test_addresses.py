"""Addresses of both IP versions: told apart, shown, listened on."""

import http.client
import json

import pytest

from runtime.addresses import is_loopback, shown_address
from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from runtime.metrics_server import MetricsServer
from runtime.settings import Settings
from schemas.errors import ConfigurationError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "api.localhost"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "2001:db8::1", "example.org", "localhost.example.org", ""]
)
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert shown_address("::1", 9092) == "[::1]:9092"
    assert shown_address("kafka", 9092) == "kafka:9092"


def test_brokers_may_have_ipv6_addresses() -> None:
    servers = "[::1]:9092,kafka-2:9092"
    assert Settings(kafka_bootstrap_servers=servers).kafka()["bootstrap.servers"] == servers


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_metrics_are_served_on_either_version(host: str) -> None:
    with MetricsServer(Metrics(), ProcessHealth("router"), host=host, port=0) as server:
        connection = http.client.HTTPConnection("127.0.0.1" if host == "127.0.0.1" else "::1", server.port, timeout=60)
        connection.request("GET", "/livez")
        assert json.load(connection.getresponse())["status"] == "ok"
        connection.close()


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/elsewhere"])
def test_head_is_answered_as_get_without_a_body(path: str) -> None:
    with MetricsServer(Metrics(), ProcessHealth("router"), host="127.0.0.1", port=0) as server:
        answers = []
        for method in ("GET", "HEAD"):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.request(method, path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers["Content-Type"], bool(answer.read())))
            connection.close()
    assert answers[0][:2] == answers[1][:2]
    assert [answer[2] for answer in answers] == [True, False]


def test_a_port_that_cannot_be_opened_is_shown_with_brackets() -> None:
    health = ProcessHealth("router")
    with (
        MetricsServer(Metrics(), health, host="::1", port=0) as taken,
        pytest.raises(ConfigurationError, match=r"\[::1\]:\d+"),
    ):
        MetricsServer(Metrics(), health, host="::1", port=taken.port)
