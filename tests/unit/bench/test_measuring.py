"""What a measurement makes of samples."""

import os

import pytest

from bench.measuring import Cost, Sample, measure_to_end


def test_a_cost_counts_from_the_first_sample_on() -> None:
    cost = Cost.between(Sample(10.0, 100, {"self": 1.0}), Sample(12.0, 1_100, {"self": 1.5}))
    assert cost.per_second == 500
    assert cost.cpu_us == {"self": pytest.approx(500)}


def test_rounds_are_told_by_their_medians() -> None:
    rounds = [Cost(rate, {"self": cpu}) for rate, cpu in ((100, 9.0), (300, 1.0), (200, 2.0))]
    assert Cost.middle(rounds) == Cost(200, {"self": 2.0})


def test_a_work_is_measured_from_its_warm_up_to_its_end() -> None:
    counts = iter([0, 5, 20, 60, 100])
    cost = measure_to_end(lambda: next(counts), 100, {"self": os.getpid()})
    assert next(counts, None) is None
    assert cost.per_second > 0
    assert cost.cpu_us["self"] >= 0


class Ended(Exception):
    pass


def test_a_process_that_ends_ends_the_measurement() -> None:
    def check() -> None:
        raise Ended

    with pytest.raises(Ended):
        measure_to_end(lambda: 0, 1, {}, check=check)
