"""`bos batches register|get|watch`: batches over the HTTP api."""

import json
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.addresses import is_loopback
from schemas.errors import Code, OrchestratorError
from schemas.internal.enums import BatchStatus

batches = typer.Typer(help="Batches, over the HTTP api.", no_args_is_help=True)

Url = Annotated[str, typer.Option(help="Address of the api.", envvar="BATCH_ORCHESTRATOR_URL")]
DEFAULT_URL = "http://127.0.0.1:5000"
_WAIT_SECONDS = 20


class RequestFailed(OrchestratorError):
    """A request to the api failed."""

    code = Code.HTTP


@batches.command()
def register(
    body: Annotated[Path, typer.Argument(help="JSON file with the registration; - for standard input.")],
    *,
    key: Annotated[str, typer.Option(help="Idempotency-Key (default: a new one).")] = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Register a batch and print the answer."""
    text = sys.stdin.read() if str(body) == "-" else _read(body)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
    _print(_call("POST", url, "/v1/batches/register", content=text, headers=headers))


@batches.command()
def get(batch_id: str, *, url: Url = DEFAULT_URL) -> None:
    """Print the status of a batch."""
    _print(_call("GET", url, _status_path(batch_id)))


@batches.command()
def watch(batch_id: str, *, url: Url = DEFAULT_URL) -> None:
    """Print a line at each change of a batch until it ends."""
    version = -1
    while True:
        path = _status_path(batch_id)
        if version >= 0:
            path += f"{'&' if '?' in path else '?'}min_version={version + 1}&wait={_WAIT_SECONDS}"
        status = _call("GET", url, path)
        if status["version"] != version:
            version = status["version"]
            typer.echo(_line(status))
        if BatchStatus(status["status"]).terminal:
            return


def _line(status: dict[str, Any]) -> str:
    state = status["pipeline_state"]
    phases = ", ".join(f"{name} {state[name]['status']}" for name in state["requested_pipelines"])
    counts = status["counts"]
    return (
        f"{status['status']}: {phases}; {counts['succeeded']} of {counts['expected']} essays, {counts['failed']} failed"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(
            f"{path} cannot be read: {error}.", next_step="Name a file with a JSON object, or - for standard input."
        ) from error


def _status_path(batch_id: str) -> str:
    from api.paths import status_path

    return status_path(batch_id)


def _call(method: str, url: str, path: str, **arguments: Any) -> dict[str, Any]:
    import httpx

    try:
        direct = is_loopback(httpx.URL(url).host)
        response = httpx.request(
            method, url.rstrip("/") + path, timeout=_WAIT_SECONDS + 20, trust_env=not direct, **arguments
        )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RequestFailed(
            f"{url!r} is not the address of an api: {error}.",
            next_step="Name it with --url, such as http://127.0.0.1:5000 or http://[::1]:5000.",
        ) from error
    except httpx.TransportError as error:
        raise RequestFailed(
            f"The api at {url} cannot be reached: {error}.",
            next_step="Start it (`bos dev`), or name another address with --url.",
        ) from error
    try:
        answer: dict[str, Any] = response.json()
    except ValueError as error:
        raise RequestFailed(
            f"{url} answered {response.status_code}, and no JSON: it is not the product's api.",
            next_step="Name the address of the api with --url.",
        ) from error
    if response.is_error:
        raise RequestFailed(
            f"{response.status_code}: {answer.get('detail', answer.get('error', ''))}",
            next_step=str(answer.get("next_step", "See the answer above.")),
            code=answer.get("code"),
        )
    return answer


def _print(answer: dict[str, Any]) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
