"""The metrics port of a process: `/metrics`, `/livez` and `/readyz`, served from its own threads."""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

import msgspec

from runtime.addresses import family_of, shown_address
from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from schemas.errors import Code, ConfigurationError


class MetricsServer:
    """Serves one process's metrics and health; a context manager.

    Raises:
        ConfigurationError: the port is in use or the address does not belong to this machine (`ORC-PORT`).
    """

    def __init__(self, metrics: Metrics, health: ProcessHealth, *, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"metrics": metrics, "health": health})
        try:
            server = type("Server", (_Server,), {"address_family": family_of(host)})
            self._server: _Server = server((host, port), handler)
        except OSError as error:
            raise ConfigurationError(
                f"The metrics port cannot be opened at {shown_address(host, port)}: {error.strerror or error}.",
                next_step="Set METRICS_PORT (and METRICS_HOST) to a free address, or end the process that uses it.",
                code=Code.PORT,
            ) from error
        self.port: int = self._server.server_address[1]
        """The port that is served; the chosen one if port 0 was requested."""

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    metrics: Metrics
    health: ProcessHealth
    timeout = 5

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            body, content_type = self.metrics.exposition(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, body, content_type)
        elif path in {"/livez", "/readyz"}:
            report = self.health.report()
            healthy = report.alive if path == "/livez" else report.ready
            body = json.dumps({"status": "ok" if healthy else "unavailable", **msgspec.to_builtins(report)}).encode()
            self._answer(HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE, body, "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b'{"error": "not found"}', "application/json")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep scrapes out of the logs."""

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
