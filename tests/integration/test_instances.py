"""Two processes of a kind with one INSTANCE, on a real Kafka: the older one ends, says why, and does not come back."""

import signal
from pathlib import Path

import pytest

from cli.broker import Kafka
from cli.supervision.ports import free_port
from runtime import exit_codes
from schemas.topics import Topic
from tests.integration.orchestrating import Site, await_true
from tests.integration.processes import RunningProcess, provisioned
from tests.patience import PATIENCE_S
from tests.topology.records import life, record, register, uuid_of


@pytest.mark.parametrize("module", ["router", "projector"])
def test_the_older_of_two_ends_and_says_why(kafka: Kafka, tmp_path: Path, module: str) -> None:
    settings = provisioned(kafka, projection_url=f"sqlite:///{tmp_path}/projection.db")
    settings = settings.model_copy(update={"projector_group": f"{settings.topic_prefix}-projector"})
    with RunningProcess(module, settings) as older:
        older.await_ready()
        with RunningProcess(module, settings.model_copy(update={"metrics_port": free_port()})) as younger:
            assert older.wait(PATIENCE_S) == exit_codes.CONFIGURATION, older.errors
            assert "ORC-INSTANCE: " in older.errors
            assert "BATCH_ORCHESTRATOR_SERVICE_INSTANCE" in older.errors
            younger.await_ready()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_the_older_of_two_orchestrators_ends_and_says_why(kafka: Kafka, tmp_path: Path, *, busy: bool) -> None:
    with Site(kafka, tmp_path) as site:
        older = site.start()
        await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed", seconds=PATIENCE_S)
        younger = site.start(state_dir=tmp_path / "elsewhere")
        number = 0
        while busy and older.alive:
            number += 1
            batch = uuid_of(f"busy-{number}")
            site.put(record(batch, register(batch)))
        assert older.ended(PATIENCE_S) == exit_codes.CONFIGURATION, older.log()
        assert "ORC-INSTANCE: " in older.log()
        last = uuid_of("last")
        [(_, version)] = site.put(record(last, register(last)))
        site.put(*life(last, version)[1:])
        wanted = number + 4
        await_true(
            lambda: len(site.read(Topic.HISTORY)) == wanted, "the younger one decides all, once", seconds=PATIENCE_S
        )
        younger.signal(signal.SIGTERM)
        assert younger.ended(PATIENCE_S) == exit_codes.OK, younger.log()
