"""`bos batches why|diff|decision|what-if|fixture`: why a batch is where it is, and how it came there."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from cli.api_client import DEFAULT_URL, RequestFailed, Url, connected, fetch_of_batch, with_query
from cli.exit_codes import USAGE
from cli.ids import BatchId
from cli.output import Format, OutputFormat, note, print_one, print_rows, text_of
from cli.tables import Column, age, clock
from schemas.ids import VERSIONS_PER_GENERATION

_LONGEST_CELL = 60
Version = Annotated[int, typer.Argument(min=0, help="Version, as the history shows it.")]
_CHANGES = (
    Column("", lambda row: "+" if row["before"] is None else "-" if row["after"] is None else "~"),
    Column("PATH", lambda row: str(row["path"])),
    Column("BEFORE", lambda row: _cut(row["before"])),
    Column("AFTER", lambda row: _cut(row["after"])),
)


def why(batch_id: BatchId, *, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Say why a batch is where it is, what comes next, and what can be done.

    Example: bos batches why 7f3a2c91
    """
    from api.paths import resource_path

    body = fetch_of_batch(url, batch_id, resource_path)
    print_one({"batch_id": body["batch_id"], **body["why"]}, _why_lines(body), output, name="batch_id")


def diff(
    batch_id: BatchId,
    from_version: Version,
    to_version: Version,
    *,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Print what differs between a batch's states at two versions.

    Example: bos batches diff 7f3a2c91 18812 18840
    """
    from api.paths import batch_path

    query = urlencode({"from": from_version, "to": to_version})
    body = fetch_of_batch(url, batch_id, lambda whole: with_query(batch_path(whole, "diff"), query))
    print_rows(body, body["changes"], _CHANGES, output, name="path")


def what_if(
    batch_id: BatchId,
    *,
    pipelines: Annotated[Path, typer.Option(help="The other pipelines file (TOML).")],
    pipeline: Annotated[str, typer.Option(help="Definition in it (default: the batch's own name).")] = "",
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Decide a batch's own records under another pipelines file, and print what would differ. Nothing is written.

    Example: bos batches what-if 7f3a2c91 --pipelines new.toml
    """
    body = asyncio.run(_what_if(url, batch_id, _read(pipelines), pipeline))
    print_one(body, _what_if_lines(body), output, name="batch_id")


def fixture(
    batch_id: BatchId,
    *,
    to: Annotated[Path | None, typer.Option(help="File to write (default: standard output).")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Save a batch's records and decisions as a test that the product's tests replay.

    Example: bos batches fixture 7f3a2c91 --to batch.json
    """
    from api.paths import batch_path

    async def download() -> bytes:
        async with connected(url) as api:
            whole = await api.whole_id(batch_id) or batch_id
            return await api.download(batch_path(whole, "fixture"))

    body = asyncio.run(download())
    if to is None:
        typer.echo(body, nl=False)
        return
    try:
        to.write_bytes(body)
    except OSError as error:
        raise RequestFailed(
            f"{to} cannot be written: {error.strerror or error}.", next_step="Name another file.", exit_code=USAGE
        ) from error
    note(f"Written to {to}.")


def _why_lines(body: dict[str, Any]) -> list[str]:
    found = body["why"]
    lines = [f"{body['batch_id']}: {found['sentence']}", f"  {found['code']}, for {age(found['since'])}"]
    if found["next"]:
        lines.append(f"  next: {found['next']}" + (f" at {clock(found['next_at'])}" if found["next_at"] else ""))
    can = [_command(body["batch_id"], action) for action in found["advice"] if action["allowed"]]
    lines += [f"  you can: {command}" for command in can]
    return lines


def _command(batch_id: str, action: dict[str, Any]) -> str:
    command = f"bos batches {action['name']} {batch_id}"
    if action["phase"]:
        command += f" --from {action['phase']}"
    return f"{command} --all-essays" if action["essays"] == "all" else command


def _what_if_lines(body: dict[str, Any]) -> list[str]:
    lines = [body["sentence"]]
    for each in body["decisions"]:
        place = "later" if each["position"] is None else str(each["position"] % VERSIONS_PER_GENERATION)
        lines.append(f"  {place}: {each['event']}")
    for mark, commands in (("+", body["new_commands"]), ("-", body["dropped_commands"])):
        lines += [f"  {mark} {each['phase']} #{each['attempt']}, {each['essays']} essays" for each in commands]
    return lines


async def _what_if(url: str, batch_id: str, text: str, pipeline: str) -> dict[str, Any]:
    from api.paths import batch_path

    async with connected(url) as api:
        whole = await api.whole_id(batch_id) or batch_id
        path = batch_path(whole, "what-if")
        path = with_query(path, urlencode({"pipeline": pipeline})) if pipeline else path
        headers = {"Content-Type": "application/toml"}
        return (await api.send("POST", path, content=text, headers=headers)).required()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(
            f"{path} cannot be read: {error}.", next_step="Name a pipelines file (TOML).", exit_code=USAGE
        ) from error


def _cut(value: Any) -> str:
    """Return a value, the beginning of a long one: `-o json` has it whole."""
    text = text_of(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
