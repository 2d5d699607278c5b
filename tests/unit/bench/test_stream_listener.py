"""Clients of live updates against a small server."""

import gc
import json
import socketserver
from collections.abc import Iterator
from threading import Condition, Thread
from typing import Any

import pytest

from bench.stream_listener import FOLLOWED_EVERY, Listener
from bench.streams import latencies
from tests.patience import PATIENCE_S


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    changed = Condition()
    ended = 0
    paths: list[str]
    told: tuple[dict[str, Any], ...] = ()

    def await_path(self, path: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: path in self.paths, PATIENCE_S)


class Stream(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        path = self.rfile.readline().decode().split()[1]
        with self.server.changed:
            self.server.paths.append(path)
            self.server.changed.notify_all()
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nretry: 100\nevent: heartbeat\ndata: {}\n\n")
        if path == "/v1/stream":
            self.wfile.write(b"event: batch\ndata: " + json.dumps({"ids": self.server.told}).encode() + b"\n\n")
        while self.rfile.readline():
            pass
        with self.server.changed:
            self.server.ended += 1


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Stream) as serving:
        serving.paths = []
        Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture
def listener(server: Server) -> Iterator[Listener]:
    listening = Listener(f"http://127.0.0.1:{server.server_address[1]}")
    listening.start()
    yield listening
    listening.stop()


@pytest.mark.slow
def test_idle_streams_stay_open(server: Server, listener: Listener) -> None:
    listener.call(listener.open_idle(40))
    gc.collect()
    listener.call(listener.open_idle(1))  # by then the loop has seen what the collector closed
    assert len(server.paths) == 41
    assert server.ended == 0


def test_some_of_the_batches_that_are_told_are_followed_one_by_one(server: Server, listener: Listener) -> None:
    server.told = tuple({"id": f"b{number}", "version": 7} for number in range(1, FOLLOWED_EVERY + 1))
    listener.call(listener.follow())
    server.await_path(f"/v1/batches/b{FOLLOWED_EVERY}/stream")
    assert set(listener.every) == {(f"b{number}", 7) for number in range(1, FOLLOWED_EVERY + 1)}


def test_a_decision_is_told_by_the_first_notice_of_its_version_or_a_newer_one() -> None:
    decided = {("a", 3): 1_000.0, ("a", 5): 2_000.0, ("a", 9): 3_000.0, ("b", 1): 1_000.0}
    told = {("a", 3): 1_010.0, ("a", 6): 2_500.0}
    assert latencies(decided, told) == [0.01, 0.5]
