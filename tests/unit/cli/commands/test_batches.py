"""`bos batches` asks for the very id that it was given, at the very address, and through no proxy on this machine."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from typer.testing import CliRunner

from cli.api_client import RequestFailed
from cli.commands.batches import batches
from runtime.addresses import family_of, shown_address

STATUS = {
    "batch_id": "plain-id",
    "version": 1,
    "status": "completed_successfully",
    "pipeline_state": {"requested_pipelines": []},
    "counts": {"succeeded": 0, "expected": 0, "failed": 0},
}


class Api(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]
    answers: list[tuple[int, dict[str, object]] | None]
    """Status and body of the first answers; None closes the connection. Then the batch has ended."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Api)
        self.server.asked.append(self.path)
        answer = self.server.answers.pop(0) if self.server.answers else (200, STATUS)
        if answer is None:
            return
        body = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(params=["127.0.0.1", "::1"])
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Api]]:
    with socket.create_server(("127.0.0.1", 0)) as nobody_answers_here:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody_answers_here.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        server = type("Listening", (Api,), {"address_family": family_of(request.param)})((request.param, 0), Handler)
        server.asked, server.answers = [], []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://{shown_address(request.param, server.server_address[1])}", server
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("batch_id", "path"),
    [
        ("plain-id", "/v1/batches/plain-id/status"),
        ("a/b", "/v1/batches/a%2Fb/status"),
        ("..", "/v1/batches/status?batch_id=.."),
        ("%2F", "/v1/batches/%252F/status"),
        ("?#", "/v1/batches/%3F%23/status"),
        ("å b", "/v1/batches/%C3%A5%20b/status"),
    ],
)
@pytest.mark.parametrize("command", ["status", "watch"])
def test_the_id_is_asked_for_as_it_is(api: tuple[str, Api], command: str, batch_id: str, path: str) -> None:
    url, server = api
    result = CliRunner().invoke(batches, [command, batch_id, "--url", f"{url}/"])
    assert result.exit_code == 0, result.exception
    assert server.asked == [path]


@pytest.mark.parametrize("away", [None, (503, {"detail": "not ready", "code": "ORC-NOT-READY"})])
def test_a_wait_outlives_a_restart_of_the_api(
    api: tuple[str, Api], away: tuple[int, dict[str, object]] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = api
    monkeypatch.setattr("cli.commands.batches._AGAIN_S", 0.01)
    server.answers = [(200, {**STATUS, "status": "processing_pipelines"}), away, away]
    result = CliRunner().invoke(batches, ["wait", "b", "--url", url, "--exit-status"])
    assert result.exit_code == 0, result.exception
    assert len(server.asked) == 4


def test_a_wait_for_a_batch_that_cannot_be_read_at_all_ends_at_once(api: tuple[str, Api]) -> None:
    url, server = api
    server.answers = [(503, {"detail": "not ready", "code": "ORC-NOT-READY"})]
    result = CliRunner().invoke(batches, ["wait", "b", "--url", url])
    assert isinstance(result.exception, RequestFailed)
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["127.0.0.1:5000", "http://[::1", "ftp://127.0.0.1"])
def test_what_is_no_address_is_told(url: str) -> None:
    result = CliRunner().invoke(batches, ["get", "b", "--url", url])
    assert isinstance(result.exception, RequestFailed)
    assert "--url" in result.exception.next_step
    assert ".." not in result.exception.message
