"""The tables and aims at the end of a run."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bench.aims import AIMS, aim_table, measured
from bench.alone import SELF, AloneResult, message_paths
from bench.deadlines import DeadlinesResult
from bench.figures import Figures, figures
from bench.latency import LatencyResult
from bench.latency_tables import latency_tables
from bench.load import Laid
from bench.measuring import Cost
from bench.registering import RegistrationResult
from bench.results import Results
from bench.scaling import ScalingResult
from bench.store_tables import deadlines_table
from bench.tables import cost_table
from bench.whole import WholeResult
from runtime.settings import Settings


def alone(*, orchestrator: float, bare: float, router: float) -> AloneResult:
    costs = {name: Cost(1_000, {SELF: us}) for name, us in (("o", orchestrator), ("b", bare), ("r", router))}
    laid = Laid(100, 260_000)
    return AloneResult(
        orchestrators={"": costs["o"]},
        bare_loop=costs["b"],
        routers={"seed": costs["r"], "head": costs["r"]},
        inbox=laid,
        inputs={"seed": laid, "head": laid},
        rounds={"orchestrator": [costs["o"]], "bare loop": [costs["b"]], "router seed": [costs["r"]]},
    )


def latency(p99: float) -> LatencyResult:
    return LatencyResult(
        commands=9,
        unanswered=0,
        per_second=500,
        p50=0.05,
        p90=0.1,
        p99=p99,
        p99s=(p99,),
        hops={},
        tail=(),
        visible=None,
    )


def whole(**us: float) -> WholeResult:
    kb = {"router": 0.0, "orchestrator-0": 5.0, "projector": 6.0, "broker": 7.0}
    return WholeResult(cost=Cost(4_000, us), kb=kb, inputs_kb=3.0)


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


def found(results: Results) -> Figures:
    return {figure.name: figure.value for figure in figures(results)}


def met(results: Results) -> dict[str, bool]:
    return {aim.figure: aim.met(value) for aim, value in measured(found(results))}


def test_aims_are_met_at_their_limits_and_missed_beyond() -> None:
    for aim in AIMS:
        beyond = aim.limit * (0.99 if aim.at_least else 1.01) or 1
        assert aim.met(aim.limit)
        assert not aim.met(beyond)


def test_no_two_aims_are_for_one_figure() -> None:
    assert len({aim.figure for aim in AIMS}) == len(AIMS)


def test_the_orchestrator_is_told_as_a_share_of_the_bare_loop() -> None:
    assert found(Results(alone=alone(orchestrator=80, bare=40, router=60)))["orchestrator.of_bare_loop"] == 0.5


def test_each_message_path_has_its_figures_and_the_default_one_counts() -> None:
    both = alone(orchestrator=80, bare=60, router=60)
    costs = {"own": Cost(1_000, {SELF: 80}), "library": Cost(700, {SELF: 120})}
    rounds = {f"orchestrator, {path} path": [cost] for path, cost in costs.items()} | both.rounds
    shown = found(Results(alone=replace(both, orchestrators=costs, rounds=rounds)))
    assert (shown["orchestrator.own.cpu_us"], shown["orchestrator.library.cpu_us"]) == (80, 120)
    assert shown["orchestrator.cpu_us"] == 80


def test_the_message_paths_begin_with_the_default() -> None:
    field = Settings.model_fields.get("message_path")
    assert message_paths()[0] == ("" if field is None else field.default)


def test_the_latency_is_told_as_a_multiple_of_the_bare_loops() -> None:
    shown = found(Results(latency={500.0: {"product": latency(0.12), "bare_loop": latency(0.1)}}))
    assert shown["latency.500.of_bare_loop"] == pytest.approx(1.2)


def test_one_bad_turn_does_not_make_a_ratio() -> None:
    ours, theirs = latency(0.4), latency(0.1)
    turns = {"product": replace(ours, p99s=(0.11, 0.4, 0.12)), "bare_loop": replace(theirs, p99s=(0.1, 0.1, 0.1))}
    assert found(Results(latency={500.0: turns}))["latency.500.of_bare_loop"] == pytest.approx(1.2)


def test_a_ratio_of_cpu_is_that_of_the_lowest_of_the_rounds() -> None:
    rounds = [{count: Cost(1_000, {SELF: us * count**0.5}) for count in (1, 2, 4)} for us in (100, 150, 300)]
    rounds[2][4] = Cost(1_000, {SELF: 900})
    shown = found(Results(scaling=ScalingResult(rounds=rounds, steady_pause_s=0, join_pause_s=0, leave_pause_s=0)))
    assert shown["scaling.1.cpu_us"] == 150
    assert shown["scaling.4.cost_of_one"] == pytest.approx(2)
    slow = alone(orchestrator=160, bare=40, router=60)
    rounds_alone = {name: [*costs, Cost(1_000, {SELF: 80})] for name, costs in slow.rounds.items()}
    assert found(Results(alone=replace(slow, rounds=rounds_alone)))["orchestrator.of_bare_loop"] == 0.5


def test_what_peers_write_is_no_part_of_the_bytes_from_inbox_to_projection() -> None:
    us = {"router": 1.0, "orchestrator-0": 1.0, "projector": 1.0, "timekeeper": 1.0, "api-0": 1.0}
    shown = found(Results(whole=whole(**us)))
    assert (shown["whole.kb.total"], shown["whole.kb_without_inputs"]) == (18.0, 15.0)


def test_a_registration_that_was_not_accepted_misses_an_aim() -> None:
    assert met(Results(registration=registration(0.1, s202=9)))["registration.steady.refused"]
    assert not met(Results(registration=registration(0.1, s202=9, s503=1)))["registration.steady.refused"]


def test_deadlines_that_came_late_or_cost_a_heartbeat_miss_an_aim() -> None:
    assert all(met(Results(deadlines=deadlines(5.0))).values())
    assert not met(Results(deadlines=deadlines(5.1)))["deadlines.fired_s"]
    assert not met(Results(deadlines=deadlines(1.0, assignments=2)))["deadlines.assignments"]


def test_sections_left_out_are_no_aims() -> None:
    assert met(Results()) == {}


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
        whole=whole(**us),
        latency={500.0: {"product": latency(0.12), "bare_loop": latency(0.1)}},
        registration=registration(0.2, s202=1000),
        registration_limit=registration(0.9, s202=10, s503=2),
        deadlines=deadlines(3.3),
    )
    written = StringIO()
    Console(width=140, file=written).print(
        cost_table(results), *latency_tables(results), deadlines_table(results), aim_table(found(results))
    )
    text = written.getvalue()
    for shown in (
        "bare confluent-kafka loop",
        "100",
        "44",
        "0.55",
        "18.0",
        "120",
        "1.20",
        "15 KB",
        "{503: 2}",
        "80 MB",
        "3.3 s",
        "met",
    ):
        assert shown in text
