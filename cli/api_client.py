"""The HTTP api as commands use it: its address, its answers, and what went wrong in words."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from cli import exit_codes
from runtime.addresses import is_loopback
from schemas.errors import Code, OrchestratorError

if TYPE_CHECKING:
    import httpx

Url = Annotated[str, typer.Option(help="Address of the api.", envvar=["BOS_URL", "BATCH_ORCHESTRATOR_URL"])]
DEFAULT_URL = "http://127.0.0.1:5000"
TOKEN_FILE = "BOS_TOKEN_FILE"  # noqa: S105 - the variable's name
"""Variable that names a file with the API key or token of commands."""
WAIT_SECONDS = 20
"""How long the api may hold a request for a status."""
_TIMEOUT_S = WAIT_SECONDS + 20.0


class RequestFailed(OrchestratorError):
    """A request to the api failed. `exit_code` is that of the command."""

    code = Code.HTTP

    def __init__(
        self, message: str, *, next_step: str, code: str | None = None, exit_code: int = exit_codes.ENDED_OTHERWISE
    ) -> None:
        super().__init__(message, next_step=next_step, code=code)
        self.exit_code = exit_code

    def repeatable(self, key: str) -> "RequestFailed":
        """Return the error with the Idempotency-Key to repeat the request with, where what came of it is unknown."""
        if self.exit_code != exit_codes.UNDECIDED:
            return self
        return RequestFailed(
            self.message,
            next_step=f"{self.next_step} Repeat it with --key {key}.",
            code=self.code,
            exit_code=self.exit_code,
        )


class Reply(Struct, frozen=True):
    """An answer of the api."""

    status: int
    body: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """The exit code of a command that asked for this alone."""
        return exit_codes.of_http_status(self.status)

    def failure(self) -> RequestFailed | None:
        """Return the error that the answer is, or None."""
        if self.status < 400:
            return None
        return RequestFailed(
            _sentence(f"{self.status}: {self.body.get('detail', self.body.get('error', ''))}"),
            next_step=str(self.body.get("next_step", "See the answer above.")),
            code=self.body.get("code"),
            exit_code=self.exit_code,
        )

    def required(self) -> dict[str, Any]:
        """Return the body. Raises `RequestFailed` where the answer is an error."""
        failure = self.failure()
        if failure is not None:
            raise failure
        return self.body


class ApiClient:
    """Sends requests to the api at `url`. Methods raise `RequestFailed` if it gives no answer of the product's."""

    def __init__(self, url: str, client: "httpx.AsyncClient") -> None:
        self._url = url
        self._client = client

    async def send(
        self, method: str, path: str, *, content: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Return the answer, which can be an error of the api."""
        import httpx  # noqa: PLC0415 - heavy: `bos --help` stays fast

        try:
            response = await self._client.request(
                method, self._url.rstrip("/") + path, content=content, headers=dict(headers or {})
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise _no_address(self._url, error) from error
        except httpx.TransportError as error:
            raise RequestFailed(
                _sentence(f"The api at {self._url} cannot be reached: {str(error) or type(error).__name__}"),
                next_step="Start it (`bos dev`), or name another address with --url.",
                exit_code=exit_codes.UNDECIDED,
            ) from error
        try:
            body: dict[str, Any] = response.json()
        except ValueError as error:
            raise RequestFailed(
                f"{self._url} answered {response.status_code}, and no JSON: it is not the product's api.",
                next_step="Name the address of the api with --url.",
                exit_code=exit_codes.UNDECIDED,
            ) from error
        return Reply(response.status_code, body)

    async def get(self, path: str) -> dict[str, Any]:
        """Return the body of a GET. Raises `RequestFailed` for an error too."""
        return (await self.send("GET", path)).required()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ApiClient]:
    """Yield a client of the api at `url`; it uses no proxy on this machine. Raises `RequestFailed` for no address."""
    import httpx  # noqa: PLC0415 - heavy

    try:
        direct = is_loopback(httpx.URL(url).host)
    except httpx.InvalidURL as error:
        raise _no_address(url, error) from error
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=not direct, headers=_credential()) as client:
        yield ApiClient(url, client)


def fetch(url: str, path: str) -> dict[str, Any]:
    """Return the body of one GET. Raises `RequestFailed`."""

    async def get() -> dict[str, Any]:
        async with connected(url) as api:
            return await api.get(path)

    return asyncio.run(get())


def _credential() -> dict[str, str]:
    """Return the header with the API key or token in the file that BOS_TOKEN_FILE names."""
    path = os.environ.get(TOKEN_FILE)
    if not path:
        return {}
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(
            f"The file that {TOKEN_FILE} names cannot be read: {error}.",
            next_step=f"Correct {TOKEN_FILE}, or the file's permissions.",
            exit_code=exit_codes.USAGE,
        ) from error
    return {"Authorization": f"Bearer {token}"}


def _sentence(text: str) -> str:
    """Return the text with one full stop: what a server or a library says has none, or has one already."""
    return f"{text.rstrip('. ')}."


def _no_address(url: str, error: Exception) -> RequestFailed:
    return RequestFailed(
        _sentence(f"{url!r} is not the address of an api: {error}"),
        next_step="Name it with --url, such as http://127.0.0.1:5000 or http://[::1]:5000.",
        exit_code=exit_codes.USAGE,
    )
