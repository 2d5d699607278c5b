"""What a load needs, and what the answer stands on."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.record_sizes import KINDS, record_sizes
from cli.capacity.costs import Costs, with_figures
from cli.capacity.model import Line, Load, plan
from cli.main import app


def lines(batches_per_s: float, **settings: float) -> dict[str, Line]:
    load = {"batches_per_s": batches_per_s, "mean_batches_per_s": batches_per_s, **settings}
    return {line.what: line for line in plan(Load(**load), Costs())}  # type: ignore[arg-type]


def bos(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["capacity", *arguments])


@pytest.mark.parametrize("essays", [1, 25, 100])
def test_the_sizes_of_records_are_those_of_the_code(essays: int) -> None:
    for kind, size in record_sizes(essays).items():
        assert getattr(Costs(), kind).at(essays) == pytest.approx(size, rel=0.05), f"measure {kind} again"


def test_every_kind_of_record_has_a_size() -> None:
    assert set(record_sizes(1)) == set(KINDS)


def test_a_decision_is_made_for_registration_ready_and_each_outcome() -> None:
    assert lines(250)["decisions"].amount == 1_000
    assert lines(250, phases=4)["decisions"].amount == 1_500


def test_processes_follow_from_their_cost_and_the_planned_use_of_a_core() -> None:
    us = Costs().orchestrator_us
    assert lines(2_500)["orchestrators"].amount == -(-10_000 * us // (0.6 * 1e6))
    assert lines(2_500, utilisation=0.3)["orchestrators"].amount > lines(2_500)["orchestrators"].amount


def test_orchestrators_can_double_without_more_partitions() -> None:
    for rate in (1, 250, 2_500, 25_000):
        found = lines(rate)
        assert found["partitions"].amount >= max(4, 2 * found["orchestrators"].amount)


def test_what_one_process_must_do_alone_is_warned_of() -> None:
    assert not lines(250)["projector"].warning
    assert "TOPIC_PREFIX" in lines(25_000)["projector"].warning


def test_what_is_kept_follows_from_the_mean_and_brokers_from_the_peak() -> None:
    peak, mean = lines(2_500), lines(2_500, mean_batches_per_s=25)
    assert mean["disk of all brokers"].amount == pytest.approx(peak["disk of all brokers"].amount / 100)
    assert mean["brokers"] == peak["brokers"]


def test_copies_decide_for_a_small_load_and_more_of_them_cost_network() -> None:
    assert lines(1)["brokers"].amount == 3
    assert lines(1, replication=1)["brokers"].amount == 1
    assert lines(250)["network of all brokers"].amount > lines(250, replication=1)["network of all brokers"].amount


def test_larger_batches_cost_more_of_everything_that_has_bytes() -> None:
    small, large = lines(250, essays=10), lines(250, essays=100)
    for what in ("network of all brokers", "disk of all brokers", "written by brokers", "cores of all processes"):
        assert large[what].amount > small[what].amount, what


def test_every_line_says_what_it_stands_on() -> None:
    assert all(line.because for line in lines(250).values())


def test_a_run_of_the_benchmark_replaces_the_costs_that_it_measured() -> None:
    costs = with_figures({"whole.orchestrator-0.cpu_us": 130.0, "whole.kb.broker": 9.0}, "run.json")
    assert (costs.orchestrator_us, costs.broker_written) == (130.0, 9_000.0)
    assert costs.router_us == Costs().router_us
    assert costs.source.startswith("run.json; 10 of its costs from ")


def test_the_command_prints_a_plan_with_its_source() -> None:
    result = bos("--batches-per-s", "250")
    assert result.exit_code == 0, result.output
    assert "1,000 /s" in result.output
    assert Costs().source in result.output


def test_the_command_takes_the_costs_of_a_file(tmp_path: Path) -> None:
    run = tmp_path / "run.json"
    run.write_text(json.dumps({"figures": {"whole.orchestrator-0.cpu_us": 50.0}}))
    result = bos("--batches-per-s", "250", "--from-bench", str(run), "-o", "json")
    assert json.loads(result.stdout)["costs"]["orchestrator_us"] == 50.0


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"figures": {"a": "b"}}', None])
def test_another_file_is_refused(tmp_path: Path, content: str | None) -> None:
    run = tmp_path / "run.json"
    if content is not None:
        run.write_text(content)
    result = bos("--batches-per-s", "250", "--from-bench", str(run))
    assert result.exit_code == 2
    assert "--from-bench" in result.output
