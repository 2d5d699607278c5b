"""A directory for stores that costs no disk, and the two message paths."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """An empty directory, in memory where the system has that: hundreds of stores are opened here."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="batch-orchestrator-") as directory:
        yield Path(directory)


@pytest.fixture(params=["own", "library"])
def message_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The setting MESSAGE_PATH of every orchestrator in the test, which runs once with each value."""
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_MESSAGE_PATH", request.param)
    return str(request.param)
