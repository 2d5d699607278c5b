"""The stack's files may lie anywhere, and its apis are asked directly."""

from pathlib import Path

import pytest

from cli.supervision.stack import free_port, health, sqlite_url
from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from runtime.metrics_server import MetricsServer
from state.projection import open_engine
from state.projection.engine import database_file


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
    with MetricsServer(Metrics(), ProcessHealth("api"), host="127.0.0.1", port=0) as server:
        assert health(f"http://127.0.0.1:{server.port}").startswith("404 "), "it has no /healthz, and says so itself"
