"""The HTTP api as commands use it: its address, its answers, and what went wrong in words."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import typer
from msgspec import Struct

from cli import exit_codes
from cli.contexts import Context, load_contexts
from runtime.addresses import is_loopback
from schemas.errors import Code, OrchestratorError

if TYPE_CHECKING:
    import httpx

LOOPBACK_URL = "http://127.0.0.1:5000"
Url = Annotated[
    str,
    typer.Option(
        help="Address of the api (default: the current context's, or http://127.0.0.1:5000).",
        envvar=["BOS_URL", "BATCH_ORCHESTRATOR_URL"],
        show_default=False,
    ),
]
DEFAULT_URL = ""
"""Stands for the address of the current context, or `LOOPBACK_URL` where none is chosen."""
TOKEN_FILE = "BOS_TOKEN_FILE"  # noqa: S105 - the variable's name
"""Variable that names a file with the API key or token of commands."""
SHORTEST_PREFIX = 6
"""Characters of an id from which the api finds it."""
_WHOLE_ID = 36
WAIT_SECONDS = 20
"""How long the api may hold a request for a status."""
_NO_CONTENT = 204
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
        return self._reply(await self._request(method, path, content=content, headers=headers))

    def _reply(self, response: "httpx.Response") -> Reply:
        try:
            body: dict[str, Any] = {} if response.status_code == _NO_CONTENT else response.json()
        except ValueError as error:
            raise RequestFailed(
                f"{self._url} answered {response.status_code}, and no JSON: it is not the product's api.",
                next_step="Name the address of the api with --url.",
                exit_code=exit_codes.UNDECIDED,
            ) from error
        return Reply(response.status_code, body)

    async def _request(
        self, method: str, path: str, *, content: str | None = None, headers: Mapping[str, str] | None = None
    ) -> "httpx.Response":
        import httpx  # noqa: PLC0415 - heavy: `bos --help` stays fast

        try:
            return await self._client.request(
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

    async def download(self, path: str) -> bytes:
        """Return the body of a GET as it is. Raises `RequestFailed` for an error too."""
        response = await self._request("GET", path)
        if response.status_code >= 400:
            self._reply(response).required()
        return response.content

    async def get(self, path: str) -> dict[str, Any]:
        """Return the body of a GET. Raises `RequestFailed` for an error too."""
        return (await self.send("GET", path)).required()

    async def of_batch(self, given: str, path_of: Callable[[str], str]) -> dict[str, Any]:
        """Return the body of a GET about a batch, whose id may be given by a unique beginning of 6 characters."""
        reply = await self.send("GET", path_of(given))
        if reply.status == 404 and (whole := await self.whole_id(given)) is not None:
            reply = await self.send("GET", path_of(whole))
        return reply.required()

    async def whole_id(self, given: str) -> str | None:
        """Return the id of the batch that an id, or a unique beginning of one, leads to; None where none does."""
        if not SHORTEST_PREFIX <= len(given) < _WHOLE_ID:
            return None
        response = await self._request("GET", f"/go/{quote(given, safe='')}", headers={"Accept": "application/json"})
        place = urlsplit(response.headers.get("location", ""))
        if response.status_code != 303 or not place.path.startswith("/v1/batch"):
            return None
        named = parse_qs(place.query).get("batch_id")
        return named[0] if named else unquote(place.path.removeprefix("/v1/batches/"))


def address_of(url: str) -> str:
    """Return the address that a command speaks to: `url`, or that of the current context where it is empty."""
    return url or target_of(url).url


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ApiClient]:
    """Yield a client of the api at `url`; it uses no proxy on this machine. Raises `RequestFailed` for no address."""
    import httpx  # noqa: PLC0415 - heavy

    target = target_of(url)
    url = target.url

    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _no_address(url, error) from error
    direct = is_loopback(address.host)
    async with httpx.AsyncClient(
        timeout=_TIMEOUT_S,
        trust_env=not direct,
        verify=not direct or address.scheme != "http",  # the certificates of the authorities take 25 ms to load
        headers=credential(target.token_file),
    ) as client:
        yield ApiClient(url, client)


def fetch_of_batch(url: str, batch_id: str, path_of: Callable[[str], str]) -> dict[str, Any]:
    """Return the body of one GET about a batch, found by a beginning of its id too. Raises `RequestFailed`."""

    async def get() -> dict[str, Any]:
        async with connected(url) as api:
            return await api.of_batch(batch_id, path_of)

    return asyncio.run(get())


def fetch(url: str, path: str) -> dict[str, Any]:
    """Return the body of one GET. Raises `RequestFailed`."""

    async def get() -> dict[str, Any]:
        async with connected(url) as api:
            return await api.get(path)

    return asyncio.run(get())


def target_of(url: str) -> Context:
    """Return the address to use, and the file with the credential for it."""
    token_file = os.environ.get(TOKEN_FILE, "")
    if url:
        return Context(url=url, token_file=token_file)
    chosen = load_contexts().chosen() or Context(url=LOOPBACK_URL)
    return Context(url=chosen.url, token_file=token_file or chosen.token_file)


def credential(path: str) -> dict[str, str]:
    """Return the header with the API key or token in a file."""
    if not path:
        return {}
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(
            f"The file with the credential cannot be read: {error}.",
            next_step=f"Correct {TOKEN_FILE} or the context's --token-file, or the file's permissions.",
            exit_code=exit_codes.USAGE,
        ) from error
    return {"Authorization": f"Bearer {token}"}


def with_query(path: str, query: str) -> str:
    """Return a path with a query, also where it has one already: some ids stand in the query."""
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _sentence(text: str) -> str:
    """Return the text with one full stop: what a server or a library says has none, or has one already."""
    return f"{text.rstrip('. ')}."


def _no_address(url: str, error: Exception) -> RequestFailed:
    return RequestFailed(
        _sentence(f"{url!r} is not the address of an api: {error}"),
        next_step="Name it with --url, such as http://127.0.0.1:5000 or http://[::1]:5000.",
        exit_code=exit_codes.USAGE,
    )
