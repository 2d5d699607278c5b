"""The directory of a stack: used by one at a time, and anywhere in the file system."""

from pathlib import Path

import pytest

from cli.supervision.ports import free_port
from cli.supervision.stack import Stack, StackOptions, health
from cli.supervision.supervisor import ProcessFailed
from runtime.directory_lock import LOCK_FILE, DirectoryLock
from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from runtime.metrics_server import MetricsServer
from state.projection import open_engine, sqlite_url
from state.projection.engine import database_file


def refused(directory: Path) -> str:
    stack = Stack(StackOptions(bootstrap_servers="127.0.0.1:1", directory=directory))
    with pytest.raises(ProcessFailed, match=r"another directory|may write") as raised, stack:
        pass
    return raised.value.message


def test_a_directory_in_use_is_told_before_anything_is_written(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    assert f"{tmp_path} is used by process " in refused(tmp_path)
    lock.release()
    assert [file.name for file in tmp_path.iterdir()] == [LOCK_FILE]


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be written: Not a directory" in refused(tmp_path / "file" / "stack")


@pytest.mark.parametrize(
    "name", ["plain", "a b", "50%", "%41", "a#b", "what?x=y", "'\"", "å👩", "a@b:c", "a+b", "a;b&c"]
)
def test_a_projection_lies_in_the_very_directory(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    engine = open_engine(sqlite_url(directory / "projection.db"))
    with engine.connect():
        pass
    engine.dispose()
    assert database_file(engine) == directory / "projection.db"
    assert [found.name.partition("-")[0] for found in directory.iterdir()] == ["projection.db"]


def test_an_api_of_this_machine_is_asked_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with MetricsServer(Metrics("router"), ProcessHealth("api"), host="127.0.0.1", port=0) as server:
        assert health(f"http://127.0.0.1:{server.port}").startswith("404 "), "it has no /healthz, and says so itself"
