from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import pytest

from runtime.kafka.admin import ClusterFacts, Partition
from schemas.errors import BrokerError
from topology.timekeeper.clock import BrokerClock
from topology.timekeeper.gate import Gate, GateWatch

ONE, TWO = ("outcomes", 0), ("outcomes", 1)


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_nothing_may_be_fired_at_first() -> None:
    gate = Gate()
    assert gate.open_until_ms is None
    gate.committed({ONE: 100})
    assert gate.open_until_ms is None


def test_it_opens_once_the_router_has_passed_every_end() -> None:
    gate = Gate()
    gate.note(1_000, {ONE: 5, TWO: 7})
    gate.committed({ONE: 5, TWO: 6})
    assert gate.open_until_ms is None
    gate.committed({ONE: 5, TWO: 8})
    assert gate.open_until_ms == 1_000


def test_an_input_that_was_never_written_to_holds_nothing_back() -> None:
    gate = Gate()
    gate.note(1_000, {ONE: 0})
    gate.committed({})
    assert gate.open_until_ms == 1_000


def test_an_input_without_a_committed_offset_holds_it_closed() -> None:
    gate = Gate()
    gate.note(1_000, {ONE: 1})
    gate.committed({TWO: 50})
    assert gate.open_until_ms is None


def test_under_traffic_it_waits_for_the_ends_that_it_noted_first() -> None:
    gate = Gate()
    gate.note(1_000, {ONE: 5})
    gate.note(2_000, {ONE: 500})
    gate.committed({ONE: 5})
    assert gate.open_until_ms == 1_000


def test_it_never_closes_again() -> None:
    gate = Gate()
    gate.note(1_000, {})
    gate.committed({})
    gate.note(900, {})
    gate.committed({})
    assert gate.open_until_ms == 1_000


def test_it_is_closed_where_the_times_were_ahead_of_the_broker_s() -> None:
    gate = Gate()
    gate.note(9_000, {})
    gate.committed({})
    gate.note(9_500, {ONE: 5})
    gate.close()
    assert gate.open_until_ms is None
    gate.committed({ONE: 5})
    assert gate.open_until_ms is None, "what it waited for was noted at a wrong time too"
    gate.note(1_000, {})
    gate.committed({})
    assert gate.open_until_ms == 1_000


def test_an_old_gate_is_a_problem() -> None:
    monotonic = Monotonic()
    gate = Gate(monotonic)
    monotonic.seconds = 60
    assert gate.problem(60) is None
    monotonic.seconds = 61
    problem = gate.problem(60)
    assert problem is not None
    assert problem.code == "ORC-DEADLINE-GATE"
    gate.note(1_000, {})
    gate.committed({})
    assert gate.age_s == 0
    assert gate.problem(60) is None


class Router:
    """Inputs with their ends, and what the router has committed; written for these tests."""

    def __init__(self) -> None:
        self.ends: dict[Partition, int] = {ONE: 5}
        self.offsets: dict[Partition, int] = {ONE: 5}
        self.down = False
        self.opened = self.closed = 0

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return {topic: 1 for topic in topics if topic == "outcomes"}

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> Mapping[Partition, int]:
        assert not committed, "records of open transactions count: what follows them cannot be read"
        return {at: self.ends[at] for at in partitions}

    def open(self) -> "Router":
        self.opened += 1
        return self

    def read(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        if self.down:
            raise BrokerError("The cluster does not answer.", next_step="Wait.")
        return {at: self.offsets[at] for at in partitions if at in self.offsets}

    def close(self) -> None:
        self.closed += 1


def watching(router: Router, gate: Gate, clock: BrokerClock) -> GateWatch:
    inputs = ("outcomes", "not there yet")
    return GateWatch(gate, clock, cast(ClusterFacts, router), inputs=inputs, offsets=router.open)


def started_clock(time_ms: int) -> BrokerClock:
    clock = BrokerClock(Monotonic())
    clock.observe(time_ms)
    return clock


def test_a_router_that_has_read_everything_opens_it_at_the_first_look() -> None:
    gate = Gate()
    watching(Router(), gate, started_clock(1_000)).look()
    assert gate.open_until_ms == 1_000


def test_a_router_that_is_behind_opens_it_when_it_has_caught_up() -> None:
    router, gate = Router(), Gate()
    router.offsets[ONE] = 4
    watch = watching(router, gate, started_clock(1_000))
    watch.look()
    router.ends[ONE] = 50
    assert gate.open_until_ms is None
    router.offsets[ONE] = 5
    watch.look()
    assert gate.open_until_ms == 1_000


def test_it_stays_closed_where_the_broker_s_clock_is_found_set_back_during_a_look() -> None:
    clock, gate = started_clock(9_000), Gate()

    class Slow(Router):
        def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> Mapping[Partition, int]:
            clock.set_back(1_000)
            return super().log_ends(partitions, committed=committed)

    watching(Slow(), gate, clock).look()
    assert gate.open_until_ms is None


def test_it_stays_closed_before_the_time_of_the_broker_is_known() -> None:
    gate = Gate()
    watching(Router(), gate, BrokerClock()).look()
    assert gate.open_until_ms is None


def test_offsets_of_a_topic_that_was_made_again_do_not_open_it() -> None:
    router, gate = Router(), Gate()
    router.offsets[ONE] = 1_000
    watching(router, gate, started_clock(1_000)).look()
    assert gate.open_until_ms is None


def test_after_a_failure_it_asks_with_a_new_client() -> None:
    router, gate = Router(), Gate()
    router.down = True
    watch = watching(router, gate, started_clock(1_000))
    with pytest.raises(BrokerError) as failure:
        watch.look()
    watch._give_up(failure.value)
    router.down = False
    watch.look()
    assert (router.opened, router.closed) == (2, 1)
    assert gate.open_until_ms == 1_000
