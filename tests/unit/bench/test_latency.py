"""What latencies are made of, and what the slowest waited for."""

import os
from collections.abc import Mapping
from typing import cast

import pytest

from bench.hops import HOPS, Way
from bench.host_watch import HostWatch, Tick, Waits, waits
from bench.latency import Turns, result
from bench.live import Pace, PlayedPeers
from bench.scaling import Look, longest_pause
from bench.visible import visible_after, visible_result
from bench.written import written_bytes


class Watch:
    """A watch that tells for which time it was asked."""

    def between(self, start_s: float, end_s: float) -> Waits:
        return Waits(stalled={}, dirty_mb=start_s, writeback_mb=end_s, queued_ms={})


def turns(*ways: Way, unanswered: int = 0) -> Turns:
    watch = cast("HostWatch", Watch())
    return Turns([way.took_s for way in ways], [(way, watch) for way in ways], [], unanswered, seconds=2.0)


def way(sent_s: float, *hops: float) -> Way:
    times = [sent_s]
    for hop in hops:
        times.append(times[-1] + hop)
    return Way(*times)


def tick(at_s: float, cpu_us: int, dirty: int = 0, queued_ns: Mapping[str, int] | None = None) -> Tick:
    return Tick(at_s, {"cpu": cpu_us}, dirty, 0, queued_ns or {})


def test_the_slow_second_is_told_with_the_hop_that_grew() -> None:
    quick = [way(100 + number / 100, 0.01, 0.01, 0.02, 0.01) for number in range(99)]
    slow = way(107, 0.01, 0.5, 0.02, 0.01)
    found = result(turns(*quick, slow, unanswered=2), begun_s=100)
    assert found.commands == 100
    assert found.unanswered == 2
    assert found.per_second == 100
    assert found.p50 == pytest.approx(0.05)
    assert tuple(found.hops) == HOPS
    assert found.hops["input to inbox"].p50 == pytest.approx(0.01)
    worst = [second for second in found.tail if second.slowest_s > 0.5]
    assert [(second.hop, round(second.hop_s, 3), second.at_s) for second in worst] == [("input to inbox", 0.5, 7)]
    assert worst[0].waits.dirty_mb == pytest.approx(107)
    assert worst[0].waits.writeback_mb == pytest.approx(107.54)


def test_waits_are_those_between_the_samples_around_a_time() -> None:
    ticks = [
        tick(10.0, 0, dirty=1_000_000, queued_ns={"router": 0}),
        tick(10.5, 100_000, dirty=9_000_000, queued_ns={"router": 250_000_000}),
        tick(11.0, 600_000, queued_ns={"router": 260_000_000}),
        tick(11.5, 600_000, queued_ns={"router": 990_000_000}),
    ]
    found = waits(ticks, 10.1, 10.9)
    assert found.stalled == {"cpu": pytest.approx(0.6)}
    assert found.dirty_mb == 9
    assert found.queued_ms == {"router": 260}
    assert waits(ticks, 12, 13).stalled == {"cpu": 0}
    assert waits(ticks, 1, 2).stalled == {"cpu": pytest.approx(0.2)}


def test_the_host_is_watched() -> None:
    with HostWatch({"self": os.getpid()}) as watch:
        pass
    found = watch.between(0, 9e9)
    assert found.queued_ms["self"] >= 0
    assert found.dirty_mb >= 0


def test_a_decision_is_visible_from_the_first_look_at_a_later_offset_on() -> None:
    seen = ([0, 5, 9], [100.0, 100.2, 100.5])
    assert visible_after(seen, 4, 100.1) == pytest.approx(0.1)
    assert visible_after(seen, 5, 100.1) == pytest.approx(0.4)
    assert visible_after(seen, 9, 100.1) is None


def test_decisions_that_were_never_visible_are_counted() -> None:
    assert visible_result([None]) is None
    found = visible_result([0.3, None, 0.1])
    assert found is not None
    assert (found.decisions, found.unseen, found.p99) == (3, 1, 0.3)


def test_the_longest_pause_of_any_partition_counts() -> None:
    looks = [
        Look(0.0, {0: 1, 1: 1}),
        Look(1.0, {0: 2, 1: 2}),
        Look(2.0, {0: 3, 1: 2}),
        Look(3.0, {0: 4, 1: 2}),
        Look(4.0, {0: 5, 1: 3}),
        Look(5.0, {0: 6, 1: 4}),
    ]
    assert longest_pause(looks, 0.5, 5.0) == 3.0
    assert longest_pause(looks, 3.5, 5.0) == 1.0


def test_a_partition_that_stands_still_until_the_end_has_paused() -> None:
    assert longest_pause([Look(0.0, {0: 1}), Look(1.0, {0: 2}), Look(2.0, {0: 2})], 0.0, 9.0) == 8.0


def test_a_pace_does_not_wait_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Peers:
        registered = 0

        def register(self) -> None:
            self.registered += 1

    now, peers = 50.0, Peers()
    monkeypatch.setattr("bench.live.time.monotonic", lambda: now)
    pace = Pace(cast("PlayedPeers", peers), 40)
    now = 51.05
    pace()
    assert peers.registered == 11
    pace()
    assert peers.registered == 11


def test_the_kernel_tells_what_a_process_has_written() -> None:
    assert written_bytes({"self": os.getpid()})["self"] >= 0
