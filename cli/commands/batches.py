"""`bos batches …`: batches over the HTTP api. Those that change a batch are in `cli.commands.control`."""

import asyncio
import re
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import exit_codes
from cli.api_client import (
    DEFAULT_URL,
    WAIT_SECONDS,
    ApiClient,
    RequestFailed,
    Url,
    connected,
    fetch_of_batch,
    with_query,
)
from cli.commands.control import cancel, pause, resume, retry
from cli.ids import BatchId
from cli.output import Fields, Format, OutputFormat, print_json, print_one
from schemas.internal.enums import BatchStatus

batches = typer.Typer(help="Batches, over the HTTP api.", no_args_is_help=True)

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_AWAY_S = 60.0
"""How long a wait goes on while the api cannot be reached or is not ready."""
_AGAIN_S = 1.0
Timeout = Annotated[str, typer.Option(help="Longest wait, such as 30s, 10m or 2h; exit code 7 when it is over.")]
ExitStatus = Annotated[bool, typer.Option("--exit-status", help="Exit code 1 if the batch does not end with success.")]


@batches.command()
def register(
    body: Annotated[Path, typer.Argument(help="JSON file with the registration; - for standard input.")],
    *,
    key: Annotated[str, typer.Option(help="Idempotency-Key (default: a new one).")] = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Register a batch and print the answer."""
    text = sys.stdin.read() if str(body) == "-" else _read(body)
    print_json(asyncio.run(_register(url, text, key or str(uuid.uuid4()))))


async def _register(url: str, text: str, key: str) -> dict[str, Any]:
    """Return the answer. Where it is unknown, the error names the key, with which a repeat is safe."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        async with connected(url) as api:
            return (await api.send("POST", "/v1/batches/register", content=text, headers=headers)).required()
    except RequestFailed as failure:
        raise failure.repeatable(key) from failure


@batches.command()
def get(
    batch_id: BatchId,
    *,
    at: Annotated[int | None, typer.Option(min=0, help="The state as it was at this version.")] = None,
    fields: Fields = "",
    output: OutputFormat = Format.JSON,
    url: Url = DEFAULT_URL,
) -> None:
    """Print everything known of a batch, as JSON.

    Example: bos batches get 7f3a2c91 --at 18812 -o yaml
    """
    from api.paths import resource_path

    def path(whole: str) -> str:
        found = resource_path(whole)
        return found if at is None else with_query(found, f"at={at}")

    _show(fetch_of_batch(url, batch_id, path), output, fields)


@batches.command()
def status(batch_id: BatchId, *, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Print the status of a batch, in one line."""
    _show(fetch_of_batch(url, batch_id, _status_path), output)


@batches.command()
def watch(
    batch_id: BatchId,
    *,
    timeout: Timeout = "",
    exit_status: ExitStatus = False,
    output: Annotated[
        Format | None,
        typer.Option("--output", "-o", help="Form of each line: table at a terminal, jsonl elsewhere if not given."),
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print a line at each change of a batch until it ends; into a pipe, its status as one line of JSON.

    Example: bos batches watch 7f3a2c91 | jq -r .status
    """
    form = output or (Format.TABLE if sys.stdout.isatty() else Format.JSONL)

    def show(body: dict[str, Any]) -> None:
        _show(body, form)
        sys.stdout.flush()  # whoever reads a pipe gets each line when it comes

    _finish(asyncio.run(_follow(url, batch_id, timeout, each=show)), exit_status)


@batches.command()
def wait(
    batch_id: BatchId,
    *,
    timeout: Timeout = "",
    exit_status: ExitStatus = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Wait until a batch has ended, then print its status."""
    ended = asyncio.run(_follow(url, batch_id, timeout))
    _show(ended, output)
    _finish(ended, exit_status)


for command in (cancel, pause, resume, retry):
    batches.command()(command)


async def _follow(url: str, batch_id: str, longest: str, each: Any = lambda _: None) -> dict[str, Any]:
    """Return the status of a batch once it has ended; `each` is called with every status seen before and then."""
    seconds = _seconds(longest)
    try:
        async with asyncio.timeout(seconds), connected(url) as api:
            return await _until_ended(api, batch_id, each)
    except TimeoutError:
        raise RequestFailed(
            f"{batch_id} has not ended within {longest}.",
            next_step="Wait again, with a longer --timeout; `bos batches status` shows what it waits for.",
            exit_code=exit_codes.TIMEOUT,
        ) from None


async def _until_ended(api: ApiClient, batch_id: str, each: Any) -> dict[str, Any]:
    version = -1
    while True:
        path = _status_path(batch_id)
        if version < 0:
            found = await api.of_batch(batch_id, _status_path)
            batch_id = found["batch_id"]
        else:
            path = with_query(path, f"min_version={version + 1}&wait={WAIT_SECONDS}")
            found = await _get_again(api, path)
        if found["version"] != version:
            version = found["version"]
            each(found)
        if BatchStatus(found["status"]).terminal:
            return found


async def _get_again(api: ApiClient, path: str) -> dict[str, Any]:
    """Return the body of a GET, which is repeated for a while where the api is away: a restart ends no wait."""
    until = time.monotonic() + _AWAY_S
    while True:
        try:
            return await api.get(path)
        except RequestFailed as failure:
            if failure.exit_code != exit_codes.UNDECIDED or time.monotonic() > until:
                raise
        await asyncio.sleep(_AGAIN_S)


def _finish(ended: dict[str, Any], exit_status: bool) -> None:  # noqa: FBT001  (an option's value)
    if exit_status and ended["status"] != BatchStatus.COMPLETED_SUCCESSFULLY:
        raise typer.Exit(exit_codes.ENDED_OTHERWISE)


def _show(body: dict[str, Any], output: Format, fields: str = "") -> None:
    print_one(body, [_line(body)], output, name="batch_id", fields=fields)


def _line(body: dict[str, Any]) -> str:
    state = body["pipeline_state"]
    phases = ", ".join(f"{name} {state[name]['status']}" for name in state["requested_pipelines"])
    counts = body["counts"]
    essays = f"{counts['succeeded']} of {counts['expected']} essays, {counts['failed']} failed"
    flags = ", ".join(flag for flag in ("paused", "held", "stalled") if body.get(flag))
    return f"{body['status']}{f' ({flags})' if flags else ''}: {phases}; {essays}"


def _seconds(duration: str) -> float | None:
    if not duration:
        return None
    found = _DURATION.fullmatch(duration.strip())
    if found is None:
        raise typer.BadParameter(f"{duration!r} is no time such as 30s, 10m or 2h.", param_hint="--timeout")
    return float(found[1]) * _SECONDS[found[2]]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(
            f"{path} cannot be read: {error}.",
            next_step="Name a file with a JSON object, or - for standard input.",
            exit_code=exit_codes.USAGE,
        ) from error


def _status_path(batch_id: str) -> str:
    from api.paths import status_path

    return status_path(batch_id)
