"""The benchmark's latency, on a small load: every event that was answered has its way told, hop by hop."""

from contextlib import closing
from pathlib import Path
from uuid import uuid4

from bench.hops import HOPS
from bench.latency import Latency
from bench.pipelines import BARE, bare
from bench.plan import Plan
from bench.workplace import Workplace
from cli.broker import Kafka

PLAN = Plan(rates=(40.0,), latency=5.0, turn=5.0, settled=0.1, compiled=0.0)


def test_the_way_of_each_event_behind_the_router_is_told(kafka: Kafka, tmp_path: Path) -> None:
    name = f"bench{uuid4().hex[:8]}"
    with closing(Workplace(kafka, tmp_path, name)) as workplace, bare(workplace) as pipeline:
        found = Latency(PLAN, (pipeline,), name, print).run()[40.0][BARE]
    assert found.commands > 0
    assert tuple(found.hops) == HOPS
    assert all(hop.p99 >= hop.p50 > -0.05 for hop in found.hops.values()), "the broker's clock is this host's"
    assert sum(hop.in_tail for hop in found.hops.values()) >= found.p99 - 0.05
    assert found.tail
    assert all(second.hop in HOPS for second in found.tail)
