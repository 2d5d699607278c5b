"""The tables and aims at the end of a run."""

from io import StringIO

from rich.console import Console

from bench.alone import SELF, AloneResult
from bench.deadlines import DeadlinesResult
from bench.load import Laid
from bench.measuring import Cost
from bench.registering import RegistrationResult
from bench.report import Results, aim_table, aims, cost_table, deadlines_table, latency_table
from bench.whole import LatencyResult


def alone(*, orchestrator: float, bare: float, router: float) -> AloneResult:
    costs = {name: Cost(1_000, {SELF: us}) for name, us in (("o", orchestrator), ("b", bare), ("r", router))}
    laid = Laid(100, 260_000)
    return AloneResult(
        orchestrator=costs["o"],
        bare_loop=costs["b"],
        routers={"seed": costs["r"], "head": costs["r"]},
        inbox=laid,
        inputs={"seed": laid, "head": laid},
        rounds={},
    )


def latency(p99: float) -> LatencyResult:
    return LatencyResult(decisions_per_second=800, commands=9, p50=0.05, p90=0.1, p99=p99, load_generator=0.1)


def registration(p99: float, **statuses: int) -> RegistrationResult:
    found = {int(name[1:]): count for name, count in statuses.items()}
    return RegistrationResult(per_second=50, p50=0.1, p99=p99, statuses=found)


def deadlines(fired_s: float, assignments: int = 1) -> DeadlinesResult:
    return DeadlinesResult(
        armed=1_000_000,
        first_start_s=20,
        index_bytes=80_000_000,
        next_start_s=2,
        at_once=100_000,
        fired_s=fired_s,
        cpu_s=2.0,
        repeats=0,
        assignments=assignments,
    )


def met(results: Results) -> list[bool]:
    return [aim.met for aim in aims(results)]


def test_aims_are_met_at_their_limits() -> None:
    results = Results(
        alone=alone(orchestrator=80, bare=40, router=80), latency=latency(0.150), registration=registration(0.3, s202=9)
    )
    assert met(results) == [True] * 4


def test_aims_are_missed_beyond_their_limits() -> None:
    results = Results(
        alone=alone(orchestrator=80, bare=39, router=81),
        latency=latency(0.151),
        registration=registration(0.301, s202=9),
    )
    assert met(results) == [False] * 4


def test_a_registration_that_was_not_accepted_misses_the_aim() -> None:
    assert met(Results(registration=registration(0.1, s202=9, s503=1))) == [False]


def test_deadlines_that_came_late_or_cost_a_heartbeat_miss_the_aim() -> None:
    assert met(Results(deadlines=deadlines(5.0))) == [True]
    assert met(Results(deadlines=deadlines(5.1))) == [False]
    assert met(Results(deadlines=deadlines(1.0, assignments=2))) == [False]


def test_sections_left_out_are_no_aims() -> None:
    assert met(Results()) == []


def test_the_tables_show_what_was_measured() -> None:
    us = {
        "router": 30.0,
        "orchestrator-0": 70.0,
        "projector": 20.0,
        "timekeeper": 10.0,
        "api-0": 5.0,
        "load generator": 9.0,
        "broker": 44.0,
    }
    results = Results(
        alone=alone(orchestrator=80, bare=44, router=60),
        whole=Cost(4_000, us),
        latency=latency(0.12),
        registration=registration(0.2, s202=1000),
        registration_limit=registration(0.9, s202=10, s503=2),
        deadlines=deadlines(3.3),
    )
    written = StringIO()
    Console(width=140, file=written).print(
        cost_table(results), latency_table(results), deadlines_table(results), aim_table(results)
    )
    text = written.getvalue()
    for shown in ("bare confluent-kafka loop", "100", "44", "0.55", "120 ms", "{503: 2}", "80 MB", "3.3 s", "met"):
        assert shown in text
