"""`bos operations …`: actions on many batches as a durable job, and how commands with `--filter` begin one."""

import asyncio
import json
import sys
import time
import uuid
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli import exit_codes
from cli.api_client import DEFAULT_URL, ApiClient, RequestFailed, Url, connected, fetch
from cli.completion import operation_ids
from cli.ids import not_empty
from cli.output import Format, OutputFormat, note, print_one, print_rows
from cli.tables import Column, age, short_id

operations = typer.Typer(help="Actions on many batches or dead letters.", no_args_is_help=True)
OperationId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of an operation.", callback=not_empty, autocompletion=operation_ids)
]
_PATH = "/v1/operations"
_LOOK_S = 1.0
_TYPE_FROM = 100
"""From so many batches a person types the number to agree."""
_COLUMNS = (
    Column("OPERATION", lambda row: str(row["operation_id"])),
    Column("ACTION", lambda row: str(row["action"])),
    Column("STATE", lambda row: "stopping" if row["stopping"] else str(row["state"])),
    Column("DONE", lambda row: f"{row['done']:,}/{row['expected']:,}{'+' if row['expected_more'] else ''}", right=True),
    Column("APPLIED", lambda row: f"{row['applied']:,}", right=True),
    Column("AGE", lambda row: age(row["created_at"]), right=True),
    Column("BY", lambda row: str(row["by"]["subject"])),
    Column("REASON", lambda row: str(row["reason"])),
)


_REQUESTS = (
    Column("RESULT", lambda row: str(row["disposition"])),
    Column("REQUEST", lambda row: str(row["event"])),
    Column("BATCH", lambda row: short_id(row["batch_id"])),
    Column("ID", lambda row: str(row["batch_id"]), wide=True),
    Column("BY", lambda row: str((row["actor"] or {}).get("subject", "anonymous"))),
    Column("AGE", lambda row: age(row["time"]), right=True),
    Column("WHAT CAME OF IT", lambda row: str(row["sentence"])),
)


@operations.command("requests")
def list_requests(
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """List requests to cancel, pause, resume or retry single batches, the newest first: who asked, what came of it."""
    body = fetch(url, f"/v1/control-requests?limit={limit}")
    print_rows(body, body["requests"], _REQUESTS, output, name="request_id")


@operations.command("list")
def list_operations(
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """List operations, the newest first."""
    body = fetch(url, f"{_PATH}?limit={limit}")
    print_rows(body, body["operations"], _COLUMNS, output, name="operation_id")


@operations.command()
def get(operation_id: OperationId, *, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Show how far an operation is, and its results by disposition."""
    body = fetch(url, _path(operation_id))
    print_one(body, result_lines(body), output, name="operation_id")


@operations.command()
def wait(operation_id: OperationId, *, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Wait until an operation has ended; exit code 8 where an item was not applied."""

    async def follow() -> dict[str, Any]:
        async with connected(url) as api:
            return await _until_ended(api, operation_id)

    _end(asyncio.run(follow()), output)


@operations.command()
def stop(operation_id: OperationId, *, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Stop an operation after the items in work; what was decided stays decided."""

    async def ask() -> dict[str, Any]:
        async with connected(url) as api:
            return (await api.send("POST", f"{_path(operation_id)}/stop")).required()

    body = asyncio.run(ask())
    print_one(body, result_lines(body), output, name="operation_id")


def act_on_filter(body: dict[str, Any], *, dry_run: bool, yes: bool, key: str, output: Format, url: str) -> None:
    """Tell what an action on everything that fits would do; then, if that is agreed to, do it and follow it."""
    preview = asyncio.run(_post(url, body | {"dry_run": True}, ""))
    if dry_run:
        print_one(preview, _preview_lines(preview), output, name="action")
        return
    note("\n".join(_preview_lines(preview)))
    if not preview["fits"]:
        return
    if not (yes or _agreed(body["action"], preview)):
        raise typer.Exit(exit_codes.INTERRUPTED)
    _end(asyncio.run(_begin(url, body, key or str(uuid.uuid4()))), output)


def _agreed(action: str, preview: dict[str, Any]) -> bool:
    """Ask a person at a terminal; a script must say --yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("give --yes: there is no terminal to ask at.", param_hint="--filter")
    number = preview["fits"]
    if number <= _TYPE_FROM and not preview["fits_more"]:
        return typer.confirm(f"{action.capitalize()} {number}?", err=True)
    typed: str = typer.prompt(f"Type {number} to {action} them", default="", show_default=False, err=True)
    return typed.strip() == str(number)


async def _begin(url: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    try:
        async with connected(url) as api:
            begun = await _send(api, body, key)
            note(f"operation {begun['operation_id']} has begun; Ctrl-C leaves it running.")
            return await _until_ended(api, begun["operation_id"])
    except RequestFailed as failure:
        raise failure.repeatable(key) from failure


async def _post(url: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    async with connected(url) as api:
        return await _send(api, body, key)


async def _send(api: ApiClient, body: dict[str, Any], key: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    return (await api.send("POST", _PATH, content=json.dumps(body), headers=headers)).required()


async def _until_ended(api: ApiClient, operation_id: str) -> dict[str, Any]:
    told = 0.0
    while True:
        body = await api.get(_path(operation_id))
        if body["ended_at"] is not None:
            return body
        if time.monotonic() - told > 10:
            told = time.monotonic()
            note(
                f"{body['done']:,} of {body['expected']:,} done"
                + (f"; {body['waiting_for']}" if body["waiting_for"] else "")
            )
        await asyncio.sleep(_LOOK_S)


def _end(body: dict[str, Any], output: Format) -> None:
    print_one(body, result_lines(body), output, name="operation_id")
    if body["not_applied"] or body["state"] != "finished":
        raise typer.Exit(exit_codes.SOME_REFUSED)


def result_lines(body: dict[str, Any]) -> list[str]:
    """Return the lines that show an operation."""
    state = "stopping" if body["stopping"] else body["state"]
    numbers = f"{body['done']:,} of {body['expected']:,} decided, {body['applied']:,} applied"
    lines = [f"operation {body['operation_id']}: {body['action']}, {state}; {numbers}, {body['not_applied']:,} not"]
    lines += _tallies(body["results"])
    lines += [f"  {each['id']}: {each['reason']}" for each in body["refused"]]
    return lines


def _preview_lines(body: dict[str, Any]) -> list[str]:
    return [body["sentence"], *_tallies(body["results"])]


def _tallies(results: list[dict[str, Any]]) -> list[str]:
    return [f"  {each['count']:,} {each['disposition']} ({each['reason']})" for each in results]


def _path(operation_id: str) -> str:
    return f"{_PATH}/{quote(operation_id, safe='')}"
