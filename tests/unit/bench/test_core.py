"""The section that needs no Kafka: every part of every event is measured."""

from io import StringIO

import pytest
from rich.console import Console

from bench.core import PARTS, SHAPES, TOGETHER, Core, core_table
from bench.events import STEPS
from bench.plan import Plan
from bench.run import Bench
from runtime.settings import Settings


def test_each_part_has_a_time_for_each_kind_of_event() -> None:
    result = Core(Settings(), essays=3, batches=4).run(rounds=2)
    assert tuple(result.parts) == PARTS
    assert tuple(result.routes) == SHAPES
    for times in (*result.parts.values(), *result.routes.values()):
        assert tuple(times) == STEPS
        assert all(us >= 0 for us in times.values())
    assert result.together > 0


def test_the_table_has_a_row_for_each_part_and_shape() -> None:
    out = StringIO()
    Console(file=out, width=120).print(core_table(Core(Settings(), essays=3, batches=4).run(rounds=1)))
    for row in (*PARTS, TOGETHER, *(f"router's transform, {shape}" for shape in SHAPES)):
        assert row in out.getvalue()


def test_it_runs_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.core.BATCHES", 4)
    bench = Bench(Plan(core=1), {"alone"}, Console(file=StringIO()))
    bench.core()
    assert bench.results.core is None
    assert not Bench(Plan(), {"core"}, Console()).needs_kafka
    assert Bench(Plan(), {"core", "alone"}, Console()).needs_kafka
