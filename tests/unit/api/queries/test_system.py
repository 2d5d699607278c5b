"""The state of the system, from reports and time."""

from typing import Any

import pytest

from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.snapshot_cache import SnapshotCache
from api.monitoring.processes import Processes
from api.monitoring.service_health import ServiceHealth
from api.queries.system import SystemView, Trend
from runtime.health import ProcessHealth
from schemas.internal.processes import InputPosition, ProcessState
from schemas.internal.records import process_outgoing
from tests.unit.api.memory import MemoryCluster, MemoryLog, process_record

NOW_MS = 1_750_000_100_000


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Seen:
    """A system view that is told reports at times of the test's choice."""

    def __init__(self) -> None:
        self.clock = Clock()
        cluster = MemoryCluster()
        self.follower = KafkaLogFollower(lambda: MemoryLog(cluster), SnapshotCache(1_000_000))
        self.follower.processes = Processes(self.clock)
        health = ServiceHealth(self.follower, ProcessHealth("api", grouped=False), max_lag_s=60, silence_s=60)
        self.view = SystemView(self.follower, health, clock=self.clock, clock_ms=lambda: NOW_MS)

    def tell(self, kind: str, **facts: Any) -> None:
        outgoing = process_outgoing(process_record(kind, **{"interval_s": 3.0, **facts}))
        self.follower.processes.fold(outgoing.key, outgoing.value, NOW_MS, old=False)

    def lag(self, seconds: float, *, position: int = 5) -> None:
        """Tell of an orchestrator whose partition 1 is this far behind, and note it; then 10 s pass."""
        self.tell("orchestrator", lag_s=seconds, positions=(InputPosition("inbox", 1, position, 9, seconds),))
        self.view.observe()
        self.clock.now += 10


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.mark.parametrize(
    ("lags", "trend", "caught_up_in_s"),
    [
        ((40.0,), Trend.STEADY, None),
        ((40.0, 40.4), Trend.STEADY, None),
        ((10.0, 20.0, 30.0), Trend.RISING, None),
        ((60.0, 50.0, 40.0), Trend.FALLING, 40.0),
        ((90.0, 0.0, 5.0, 10.0, 15.0), Trend.RISING, None),
    ],
)
def test_a_trend_compares_with_half_a_minute_ago(
    seen: Seen, lags: tuple[float, ...], trend: Trend, caught_up_in_s: float | None
) -> None:
    for seconds in lags:
        seen.lag(seconds)
    partition = seen.view.now().partitions[0]
    assert (partition.trend, partition.caught_up_in_s) == (trend, caught_up_in_s)
    assert (partition.process, partition.partition, partition.behind) == ("orchestrator/0", 1, 4)


def test_offsets_that_are_not_known_are_told_as_such(seen: Seen) -> None:
    seen.tell("router", positions=(InputPosition("requests", 0, -1001, -1),))
    partition = seen.view.now().partitions[0]
    assert (partition.position, partition.end, partition.behind) == (None, None, 0)


def test_lags_are_those_of_the_path_of_an_event(seen: Seen) -> None:
    seen.tell("router", positions=(InputPosition("requests", 2, 1, 4, 3.5),))
    seen.tell("orchestrator", positions=(InputPosition("inbox", 1, 9, 9),))
    seen.tell("timekeeper", positions=(InputPosition("status", 1, 7, 9, 8.0),))
    assert sorted((lag.where, lag.partition, lag.seconds) for lag in seen.view.lags()) == [
        ("inbox", 1, 0.0),
        ("router", 2, 3.5),
    ]
    assert seen.view.now().lag_s == {"router": 3.5, "inbox": 0.0, "projection": 0.0}


def test_decisions_lag_by_the_larger_of_router_and_orchestrator(seen: Seen) -> None:
    assert seen.view.decision_lag_s() == 0.0, "nothing is known, so nothing is refused"
    seen.tell("router", lag_s=4.0)
    seen.tell("orchestrator", lag_s=70.0)
    seen.clock.now += 1
    assert seen.view.decision_lag_s() == 70.0
    seen.tell("orchestrator", lag_s=0.0)
    seen.clock.now += 1
    assert seen.view.decision_lag_s() == 4.0


def test_without_a_live_orchestrator_the_time_since_one_was_seen_counts(seen: Seen) -> None:
    seen.tell("router")
    seen.tell("orchestrator")
    seen.view.observe()
    seen.clock.now += 100
    seen.tell("router")
    assert seen.view.decision_lag_s() == 100.0


def test_an_api_that_starts_before_the_orchestrator_gives_it_time(seen: Seen) -> None:
    seen.tell("router")
    seen.tell("orchestrator", state=ProcessState.STOPPED)
    seen.clock.now += 1
    assert seen.view.decision_lag_s() == 1.0, "not the time for which it had been stopped before"


def test_the_gate_is_that_of_the_newest_live_timekeeper(seen: Seen) -> None:
    assert seen.view.now().gate is None
    seen.tell("timekeeper")
    gate = seen.view.now().gate
    assert gate is not None
    assert (gate.open_until_ms, gate.behind_s) == (None, None)
    seen.tell("timekeeper", gate_ms=NOW_MS - 2_500)
    seen.tell("timekeeper", instance="1", start_id="other", gate_ms=NOW_MS - 90_000)
    gate = seen.view.now().gate
    assert gate is not None
    assert (gate.open_until_ms, gate.behind_s) == (NOW_MS - 2_500, 2.5)


def test_settings_and_versions_that_differ_are_findings(seen: Seen) -> None:
    seen.tell("router")
    seen.tell("projector")
    seen.tell("orchestrator", settings_digest="cd" * 32)
    seen.tell("timekeeper", version="0.2.0")
    seen.tell("api", settings_digest="ef" * 32, state=ProcessState.STOPPED)
    state = seen.view.now()
    assert len(state.settings) == 3
    messages = [problem.message for problem in state.problems if problem.code == "ORC-SETTINGS-DIFFER"]
    assert messages == [
        "orchestrator/0: other settings than projector/0, router/0.",
        "timekeeper/0: other version than projector/0, router/0.",
    ]
