"""What a soak makes of its samples."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from bench.sizes import PROJECTION_TABLES, directory_bytes, projection_rows, topic_bytes
from bench.soak import FLAT, PIPELINE, PURGE_AFTER_S, RETENTION_S, Sample, SoakResult, curve_table
from schemas.topics import TopicTable
from state.pipelines.loader import load_pipelines
from state.projection import Identity, Writer, open_engine, sqlite_url


def soaked(**curves: list[float]) -> SoakResult:
    """Return a result with these curves, one sample a second, all of it steady."""
    lengths = {len(values) for values in curves.values()}
    samples = [
        Sample(float(second), second, {name: values[second] for name, values in curves.items()})
        for second in range(lengths.pop())
    ]
    return SoakResult(samples, steady_from_s=0.0, steady_to_s=float(len(samples)), left={"status keys": 2})


def test_a_curve_has_grown_by_its_last_third_over_its_first() -> None:
    growth = soaked(flat=[5.0] * 9, grows=[10.0] * 3 + [20.0] * 3 + [30.0] * 3, nothing=[0.0] * 9).growth()
    assert growth == {"flat": 1.0, "grows": 3.0, "nothing": 0.0}


def test_what_comes_before_and_after_the_steady_time_does_not_count() -> None:
    result = soaked(keys=[0.0, 1.0, 9.0, 9.0, 9.0, 3.0, 0.0])
    result.steady_from_s, result.steady_to_s = 2.0, 4.0
    assert result.growth() == {"keys": 1.0}


def test_too_few_samples_tell_no_growth() -> None:
    assert soaked(keys=[1.0, 2.0]).growth() == {}


def test_the_table_names_what_grows_and_what_is_left() -> None:
    console = Console(width=200, record=True)
    console.print(curve_table(soaked(flat=[5.0] * 30, grows=[10.0] * 15 + [30.0] * 15)))
    text = console.export_text()
    [grows] = [line for line in text.splitlines() if "grows" in line]
    assert "GROWS" in grows
    assert FLAT < 3
    assert "left after the last purge: status keys" in text


def test_batches_are_purged_as_soon_as_the_check_of_definitions_allows() -> None:
    assert TopicTable(retention_ms=RETENTION_S * 1000).registrations_kept_ms < PURGE_AFTER_S * 1000 < 60_000


def test_the_soaks_own_pipeline_is_a_definition_that_the_router_takes(tmp_path: Path) -> None:
    (tmp_path / "pipelines.toml").write_text(PIPELINE)
    assert (
        load_pipelines(tmp_path / "pipelines.toml", TopicTable(retention_ms=RETENTION_S * 1000)).default_name == "soak"
    )


@pytest.mark.filterwarnings("default::ResourceWarning")
def test_the_rows_of_a_projection_are_counted(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "projection.db"))
    Writer(engine).prepare(Identity("cluster", "inbox"))
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "projection.db")) as connection, connection:
        connection.execute("INSERT INTO purges VALUES ('b', 1, 1)")
    assert projection_rows(tmp_path / "projection.db") == dict.fromkeys(PROJECTION_TABLES, 0) | {"purges": 1}


def test_the_bytes_of_a_topic_are_those_of_its_partitions(tmp_path: Path) -> None:
    for name in ("a.topic-0", "a.topic-11", "a.topic.more-0", "another-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00.log").write_bytes(b"x" * 10_000)
    one = directory_bytes(tmp_path / "another-0")
    assert one >= 10_000
    assert topic_bytes(tmp_path, "a.topic") == 2 * one
