import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from runtime import metric_names
from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from runtime.metrics_server import MetricsServer
from schemas.errors import ConfigurationError
from tests.patience import PATIENCE_S

SETTLED = json.dumps({"cgrp": {"join_state": "steady"}})
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def health() -> ProcessHealth:
    return ProcessHealth("router")


@pytest.fixture
def metrics(health: ProcessHealth) -> Metrics:
    metrics = Metrics("orchestrator")
    metrics.watch(health)
    return metrics


@pytest.fixture
def url(metrics: Metrics, health: ProcessHealth) -> Iterator[str]:
    with MetricsServer(metrics, health, host="127.0.0.1", port=0) as server:
        yield f"http://127.0.0.1:{server.port}"


def get(url: str, accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_what_is_counted_is_exposed(url: str, metrics: Metrics) -> None:
    metrics.records_read.labels("huleedu.batch.requests.v1").inc()
    metrics.decisions.labels("register", "applied").inc(3)
    metrics.dead_letters.labels("ORC-FIELDS").inc()
    metrics.commit_seconds.observe(0.07)
    _, _, body = get(f"{url}/metrics")
    assert 'batch_orchestrator_records_read_total{topic="huleedu.batch.requests.v1"} 1.0' in body
    assert 'batch_orchestrator_decisions_total{disposition="applied",kind="register"} 3.0' in body
    assert 'batch_orchestrator_dead_letters_total{code="ORC-FIELDS"} 1.0' in body
    assert 'batch_orchestrator_commit_seconds_bucket{le="0.1"} 1.0' in body
    assert "batch_orchestrator_build_info{" in body


def test_a_tally_is_told_at_each_scrape(url: str, metrics: Metrics) -> None:
    tally = metrics.tally(metrics.decisions)
    for expected in (2, 4):
        tally.totals["register", "applied"] += 2
        _, _, body = get(f"{url}/metrics")
        assert f'batch_orchestrator_decisions_total{{disposition="applied",kind="register"}} {expected}.0' in body


def test_open_metrics_is_given_to_who_asks_for_it(url: str) -> None:
    status, content_type, body = get(f"{url}/metrics", OPEN_METRICS)
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")
    assert get(f"{url}/metrics")[1].startswith("text/plain")


def test_health_gauges_say_what_the_report_says(url: str, health: ProcessHealth) -> None:
    assert "batch_orchestrator_assigned 0.0" in get(f"{url}/metrics")[2]
    health.on_statistics(SETTLED)
    assert "batch_orchestrator_assigned 1.0" in get(f"{url}/metrics")[2]


def test_no_label_holds_an_id() -> None:
    labels = {label for given in metric_names.LABELS.values() for label in given}
    of_the_api = {"method", "endpoint", "status_code", "operation", "status", "process", "reason"}
    assert labels == {"topic", "kind", "disposition", "code"} | of_the_api


def test_readiness_tells_why_not(url: str, health: ProcessHealth) -> None:
    status, content_type, body = get(f"{url}/readyz")
    assert (status, content_type) == (503, "application/json")
    assert json.loads(body)["reasons"] == ["The consumer group is rebalancing."]
    health.on_statistics(SETTLED)
    status, _, body = get(f"{url}/readyz")
    assert status == 200
    assert json.loads(body) == {
        "status": "ok",
        "process": "router",
        "alive": True,
        "assigned": True,
        "restored": True,
        "restored_percent": None,
        "partitions": 0,
        "lag_seconds": 0.0,
        "reasons": [],
        "problems": [],
        "open_transactions": [],
        "positions": [],
        "gate_ms": None,
    }


def test_a_process_that_starts_is_live(url: str) -> None:
    assert get(f"{url}/livez")[0] == 200
    assert get(f"{url}/elsewhere")[0] == 404


def test_a_taken_port_is_told(metrics: Metrics, health: ProcessHealth) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}: Address already in use") as caught:
            MetricsServer(metrics, health, host="127.0.0.1", port=port)
    assert caught.value.code == "ORC-PORT"
