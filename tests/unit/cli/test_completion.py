"""Completion: what the api knows, kept for a moment, and nothing at all where it does not answer."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import typer
from typer.main import get_command

from cli import completion
from cli.main import app
from cli.supervision.ports import free_port
from tests.patience import PATIENCE_S

BATCHES = {"batches": [{"batch_id": "7f3a2c91", "status": "cancelled"}, {"batch_id": "59992958", "status": "x"}]}
PIPELINES = {"pipelines": [{"name": "default", "version": 2, "phases": [{"name": "nlp"}, {"name": "spellcheck"}]}]}


class Api(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[tuple[str, str | None]]
    silent: Event


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Api)
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.server.silent.wait()
        body = json.dumps(PIPELINES if "pipelines" in self.path else BATCHES).encode()
        with suppress(ConnectionError):  # whoever waited has given up
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving() -> Iterator[tuple[Api, typer.Context]]:
    """Yield an api, and the context of a command that speaks to it."""
    with Api(("127.0.0.1", 0), Handler) as server:
        server.asked, server.silent = [], Event()
        server.silent.set()
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server, context(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.silent.set()
            server.shutdown()
            thread.join()


def context(url: str) -> typer.Context:
    found = typer.Context(get_command(app))
    found.params["url"] = url
    return found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOS_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(completion, "LIMIT_S", 60.0)  # no test is about how fast this machine is
    return tmp_path


def test_ids_phases_and_pipelines_are_those_of_the_api() -> None:
    with serving() as (_, asked):
        assert completion.batch_ids(asked, "7f") == [("7f3a2c91", "cancelled")]
        assert completion.phases(asked, "") == [("nlp", "of default"), ("spellcheck", "of default")]
        assert completion.pipelines(asked, "d") == [("default", "version 2")]
        assert completion.letter_ids(asked, "") == [], "an answer of another form offers nothing"
    assert completion.batch_statuses("canc") == ["cancelled"]
    assert "held" in completion.phase_statuses("")


def test_an_answer_is_kept_for_a_moment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "KEPT_S", 3_600.0)
    with serving() as (server, asked):
        assert completion.batch_ids(asked, "") == completion.batch_ids(asked, "")
        assert len(server.asked) == 1
        monkeypatch.setattr(completion, "KEPT_S", 0.0)
        completion.batch_ids(asked, "")
        assert len(server.asked) == 2
    (kept,) = (home / "cache").iterdir()
    kept.write_text("half an ans")
    monkeypatch.setattr(completion, "KEPT_S", 3_600.0)
    assert completion.batch_ids(asked, "") == []


def test_the_credential_is_sent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "token").write_text("bos_secret")
    monkeypatch.setenv("BOS_TOKEN_FILE", str(home / "token"))
    with serving() as (server, asked):
        completion.batch_ids(asked, "")
        assert [header for _, header in server.asked] == ["Bearer bos_secret"]


def test_nothing_is_offered_and_nothing_waits_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert completion.batch_ids(context(f"http://127.0.0.1:{free_port()}"), "") == []
    assert completion.batch_ids(context("no address"), "") == []
    monkeypatch.setattr(completion, "LIMIT_S", 0.05)
    with serving() as (server, asked):
        server.silent.clear()
        started = time.monotonic()
        assert completion.batch_ids(asked, "") == []
        assert time.monotonic() - started < 30, "it does not wait for an answer that does not come"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bos batches get 59", ["59992958"]),
        ("bos batches retry x --from n", ["nlp"]),
        ("bos batches list --status canc", ["cancelled"]),
    ],
)
def test_the_shell_gets_what_the_command_offers(line: str, offered: list[str]) -> None:
    with serving() as (server, _):
        asked = {
            "BOS_URL": f"http://127.0.0.1:{server.server_port}",
            "_BOS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }
        start = "from cli import completion, main; completion.LIMIT_S = 60.0; main.app(prog_name='bos')"
        done = subprocess.run(
            [sys.executable, "-c", start],
            env=os.environ | asked,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.stdout.split() == offered, done.stderr
