"""What the whole pipeline costs between two looks at it."""

from pathlib import Path

import pytest

from bench.measuring import Sample
from bench.sizes import log_bytes
from bench.whole import Look, whole_result
from bench.workplace import ProcessEnded


def look(decided: int, cpu_s: float, written: int, inputs: int | None) -> Look:
    return Look(Sample(float(decided), decided, {"router": cpu_s}), {"router": written}, inputs)


def test_every_amount_is_told_for_a_decision() -> None:
    found = whole_result(look(100, 1.0, 5_000, 10_000), look(1_100, 1.2, 7_005_000, 2_610_000))
    assert found.cost.cpu_us == {"router": pytest.approx(200)}
    assert found.kb == {"router": 7.0}
    assert found.inputs_kb == 2.6


def test_the_topics_of_a_broker_that_is_not_ours_are_not_told() -> None:
    assert whole_result(look(0, 0, 0, None), look(10, 1, 0, None)).inputs_kb is None


def test_no_decision_is_no_result() -> None:
    with pytest.raises(ProcessEnded):
        whole_result(look(5, 0, 0, 0), look(5, 1, 0, 0))


def test_the_records_of_a_topic_are_those_of_its_segments(tmp_path: Path) -> None:
    for name in ("a.topic-0", "a.topic-1", "a.topic.more-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00.log").write_bytes(b"x" * 1_000)
        (tmp_path / name / "00.index").write_bytes(b"x" * 5_000)
    assert log_bytes(tmp_path, "a.topic") == 2_000
