"""SQLite's write-ahead log: copied into the database by a thread of its own, once it is long enough."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from state.projection import Writer, checkpointing, checkpoints, open_engine
from state.projection.checkpoints import checkpoint
from tests.patience import await_that
from tests.unit.state.projection.log import Log, status


@pytest.fixture
def url(tmp_path: Path, migrated_file: Path) -> str:
    (tmp_path / "projection.db").write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{tmp_path}/projection.db"


def test_a_long_log_is_copied_and_begun_anew(
    tmp_path: Path, writer: Writer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_BYTES", 100_000)
    file, log = tmp_path / "projection.db", Log()
    wal = tmp_path / "projection.db-wal"
    with checkpointing(engine):

        def grows_and_shrinks() -> bool:
            before = wal.stat().st_size
            writer.apply([log.write(status(len(log.records) + 1, len(log.records) + 1))])
            return wal.stat().st_size < before

        await_that(grows_and_shrinks, "the log begins anew")
    assert file.stat().st_size > 100_000


def test_a_short_log_is_left_alone(tmp_path: Path, writer: Writer) -> None:
    writer.apply([Log().write(status(1, 1))])
    assert not checkpoint(tmp_path / "projection.db")


def test_a_file_that_has_gone_has_no_log(tmp_path: Path) -> None:
    assert not checkpoint(tmp_path / "gone.db")


def test_a_checkpoint_that_fails_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_BYTES", 1)
    (tmp_path / "other.db-wal").write_bytes(b"the log of a database that has gone")
    told: list[Any] = []
    engine = open_engine(f"sqlite:///{tmp_path}/other.db")
    with checkpointing(engine, told.append):
        await_that(lambda: len(told) > 1, "it was tried again")
    assert "unable to open database file" in told[0]
