"""`bos projection rebuild|verify` on a real Kafka: a projection that was wiped or spoilt, also while it is in use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from cli.broker import Kafka
from schemas.internal.enums import BatchStatus
from schemas.internal.history import NO_VERSION
from schemas.internal.records import history_outgoing, status_tombstone
from state.projection import Reader, open_engine
from tests.integration.test_projector import NOW_MS, WAIT_S, World
from tests.unit.state.projection.log import batch_id, history, letter
from tests.unit.state.projection.postgres import postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, kafka: Kafka, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        with closing(World(kafka, tmp_path)) as made:
            yield made
        return
    with postgres_server() as server, closing(World(kafka, tmp_path, server.new_database())) as made:
        yield made


def bos(world: World, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `bos projection`."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "projection", command],
        env=os.environ | world.environment(),
        capture_output=True,
        text=True,
        timeout=4 * WAIT_S,
        check=False,
    )


def spoil(world: World, *statements: str) -> None:
    engine = open_engine(world.settings.projection_url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_a_projection_is_rebuilt_while_it_is_used_and_again_after_it_was_wiped(world: World) -> None:
    world.write(*world.step(range(1, 21), 100), letter(3))
    world.write(*world.step(range(30, 40), 200), commit=False)
    world.write(status_tombstone(batch_id(6), 400), history_outgoing(history(6, 400, NO_VERSION, 106, time_ms=NOW_MS)))
    with world.projector() as process, world.reader() as reader:
        world.await_counts({"processing_pipelines": 19})
        same = bos(world, "verify")
        assert same.returncode == 0, same.stdout + same.stderr
        spoil(
            world,
            "UPDATE tallies SET n = 7 WHERE kind = 'batch' AND scope = 0",
            "DELETE FROM snapshots WHERE batch_id LIKE '00000002%'",
        )
        differs = bos(world, "verify")
        assert differs.returncode == 1
        assert f"snapshots {batch_id(2)}: only in the fresh projection" in differs.stdout
        assert "tallies 0, batch, , processing_pipelines: n is 7, should be 19" in differs.stdout

        rebuilt = bos(world, "rebuild")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert bos(world, "verify").returncode == 0
        assert reader.get(batch_id(2)) is not None  # by a reader that was there before
        world.write(*world.step(range(1, 6), 300, based_on=100, batch_status=BatchStatus.COMPLETED_SUCCESSFULLY))
        world.await_counts({"processing_pipelines": 14, "completed_successfully": 5})
        assert process.poll() is None  # the projector went on with the new one

    if world.database.exists():
        world.delete_database()
    else:
        spoil(world, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    rebuilt = bos(world, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    engine = open_engine(world.settings.projection_url)
    assert Reader(engine).counts().batches == {"processing_pipelines": 14, "completed_successfully": 5}
    assert Reader(engine).chain_breaks() == ()
    engine.dispose()
    with world.projector():
        world.write(*world.step(range(50, 51), 500))
        world.await_counts({"processing_pipelines": 15, "completed_successfully": 5})
    assert bos(world, "verify").stdout == "The live projection is what the topics say.\n"
