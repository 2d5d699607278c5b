"""`bos batches cancel|pause|resume|retry`: control of one batch or of several, over the HTTP api."""

import asyncio
import json
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from msgspec import Struct

from cli import exit_codes
from cli.api_client import DEFAULT_URL, ApiClient, Reply, RequestFailed, Url, connected, with_query
from cli.commands.operations import act_on_filter
from cli.completion import batch_ids, phases
from cli.ids import not_empty
from cli.output import Format, OutputFormat, counted, note, print_json, print_lines

Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID...]",
        help="Ids of batches; - reads them from standard input.",
        callback=not_empty,
        autocompletion=batch_ids,
    ),
]
Filter = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="Everything that fits, such as pipeline=default&since=1h.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why, kept in the batch's history.")]
IfVersion = Annotated[int | None, typer.Option(min=0, help="Refuse unless the batch has this version (its ETag).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be decided now; send nothing.")]
Key = Annotated[str, typer.Option(help="Idempotency-Key (default: a new one): a repeat with it is safe.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before several batches are changed.")]
_AT_ONCE = 8
"""Requests under way at the same time."""


class _Control(Struct, frozen=True, kw_only=True):
    """What is asked of every batch."""

    verb: str
    body: dict[str, Any]
    dry_run: bool
    key: str
    output: Format


class _Result(Struct, frozen=True):
    """What came of one request."""

    batch_id: str
    body: dict[str, Any]
    exit_code: int
    answered: bool
    """Whether the api answered, whatever it said."""


def cancel(
    ids: Ids = None,
    *,
    fitting: Filter = "",
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    key: Key = "",
    yes: Yes = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """End batches now; their open phases are cancelled."""
    body = _body(reason, if_version)
    _run("cancel", ids, fitting, body, dry_run=dry_run, key=key, yes=yes, output=output, url=url)


def pause(
    ids: Ids = None,
    *,
    fitting: Filter = "",
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    key: Key = "",
    yes: Yes = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Pause batches: no further command goes out, and their deadlines stop."""
    body = _body(reason, if_version)
    _run("pause", ids, fitting, body, dry_run=dry_run, key=key, yes=yes, output=output, url=url)


def resume(
    ids: Ids = None,
    *,
    fitting: Filter = "",
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    key: Key = "",
    yes: Yes = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Let paused batches go on."""
    body = _body(reason, if_version)
    _run("resume", ids, fitting, body, dry_run=dry_run, key=key, yes=yes, output=output, url=url)


def retry(
    ids: Ids = None,
    *,
    fitting: Filter = "",
    from_phase: Annotated[
        str, typer.Option("--from", metavar="PHASE", help="The phase to run again.", autocompletion=phases)
    ],
    failed_essays: Annotated[bool, typer.Option("--failed-essays", help="Essays that it lost (default).")] = False,
    all_essays: Annotated[bool, typer.Option("--all-essays", help="All essays of the phase.")] = False,
    essay: Annotated[list[str] | None, typer.Option(metavar="ID", help="This essay; may be repeated.")] = None,
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    key: Key = "",
    yes: Yes = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Run a phase of batches again, and then the phases after it."""
    if failed_essays + all_essays + bool(essay) > 1:
        raise typer.BadParameter("choose one of --failed-essays, --all-essays and --essay.")
    essays: Any = essay or ("all" if all_essays else "failed")
    body = {"phase": from_phase, "essays": essays, **_body(reason, if_version)}
    _run("retry", ids, fitting, body, dry_run=dry_run, key=key, yes=yes, output=output, url=url)


def _body(reason: str, if_version: int | None) -> dict[str, Any]:
    body: dict[str, Any] = {"reason": reason} if reason else {}
    return body if if_version is None else {**body, "if_version": if_version}


def _run(
    verb: str,
    ids: list[str] | None,
    fitting: str,
    body: dict[str, Any],
    *,
    dry_run: bool,
    key: str,
    yes: bool,
    output: Format,
    url: str,
) -> None:
    if bool(ids) == bool(fitting):
        raise typer.BadParameter("name ids, or a filter with --filter.")
    if fitting:
        if "if_version" in body:
            raise typer.BadParameter("a version is that of one batch; name one id.", param_hint="--if-version")
        asked = {"action": verb, "filter": fitting, **body}
        act_on_filter(asked, dry_run=dry_run, yes=yes, key=key, output=output, url=url)
        return
    batch_ids = list(dict.fromkeys(_ids(ids or [])))
    if not batch_ids:
        raise typer.BadParameter("standard input holds no ids.")
    if "if_version" in body and len(batch_ids) > 1:
        raise typer.BadParameter("a version is that of one batch; name one id.", param_hint="--if-version")
    if len(batch_ids) > 1 and not (dry_run or yes or _agreed(verb, len(batch_ids))):
        raise typer.Exit(exit_codes.INTERRUPTED)
    control = _Control(verb=verb, body=body, dry_run=dry_run, key=key or str(uuid.uuid4()), output=output)
    results: list[_Result] = []
    try:
        asyncio.run(_ask_all(url, batch_ids, control, results))
    finally:
        if output is Format.JSON and results:  # of an interrupted command too: these were decided
            bodies = [result.body for result in results]
            print_json(bodies[0] if len(batch_ids) == 1 else bodies)
    _summarise(results, control, unasked=len(batch_ids) - len(results))
    raise typer.Exit(exit_codes.of_several([result.exit_code for result in results]))


def _ids(given: list[str]) -> Iterator[str]:
    for one in given:
        if one == "-":
            yield from filter(None, (line.strip() for line in sys.stdin))
        else:
            yield one


def _agreed(verb: str, count: int) -> bool:
    """Ask a person at a terminal; a script is never asked."""
    return not _at_a_terminal() or typer.confirm(f"{verb.capitalize()} {count} batches?", err=True)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


async def _ask_all(url: str, batch_ids: list[str], control: _Control, results: list[_Result]) -> None:
    """Send the requests, a few at a time, and print each result as it comes; none after the api was not reached."""
    room = asyncio.Semaphore(_AT_ONCE)
    unreachable = False
    if control.output is Format.TABLE:
        typer.echo(_row("RESULT", "BATCH", "STATUS", "VERSION", "REASON"))
    async with connected(url) as api, asyncio.TaskGroup() as tasks:

        async def ask(batch_id: str) -> None:
            nonlocal unreachable
            async with room:
                if unreachable:
                    return
                result = await _ask(api, batch_id, control)
                if not result.answered:
                    unreachable = True
            results.append(result)
            _print(result, control.output)

        for batch_id in batch_ids:
            tasks.create_task(ask(batch_id))


async def _ask(api: ApiClient, batch_id: str, control: _Control) -> _Result:
    from api.paths import batch_path

    headers = {"Content-Type": "application/json", "Idempotency-Key": control.key}
    try:
        # Before anything is sent: a request for the beginning of an id would be refused in a history of its own.
        batch_id = await api.whole_id(batch_id) or batch_id
        path = batch_path(batch_id, control.verb)
        path = with_query(path, "dry_run=true") if control.dry_run else path
        reply = await api.send("POST", path, content=json.dumps(control.body), headers=headers)
    except RequestFailed as error:
        body = {"batch_id": batch_id, "code": error.code, "detail": error.message, "next_step": error.next_step}
        _tell(batch_id, error, control)
        return _Result(batch_id, body, error.exit_code, answered=False)
    failure = reply.failure()
    if failure is not None:
        _tell(batch_id, failure, control)
    elif reply.body["disposition"] != "applied":
        note(f"bos: {batch_id}: would be {reply.body['disposition']}: {reply.body['detail']} {reply.body['next_step']}")
    return _Result(batch_id, reply.body, _exit_code(reply), answered=True)


def _tell(batch_id: str, failure: RequestFailed, control: _Control) -> None:
    note(f"bos: {batch_id}: {failure if control.dry_run else failure.repeatable(control.key)}")


def _exit_code(reply: Reply) -> int:
    if reply.exit_code != exit_codes.OK:
        return reply.exit_code
    return exit_codes.OK if reply.body["disposition"] == "applied" else exit_codes.REFUSED


def _print(result: _Result, output: Format) -> None:
    if output is Format.NAME:
        if result.exit_code == exit_codes.OK:
            typer.echo(result.batch_id)
    elif output is Format.JSONL:
        print_json(result.body, lines=True)
    elif output is Format.TABLE:
        body = result.body
        status = body.get("batch_status") or (body.get("status") if "disposition" in body else None) or "-"
        reason = body.get("reason") or body.get("code") or "-"
        print_lines(_row(_word(result), result.batch_id, str(status), str(body.get("version", "-")), str(reason)))


def _row(result: str, batch_id: str, status: str, version: str, reason: str) -> str:
    return f"{result:<16}  {batch_id:<36}  {status:<27}  {version:<16}  {reason}"


def _word(result: _Result) -> str:
    would = "would be " if result.body.get("dry_run") else ""
    words = {
        exit_codes.OK: "repeated" if result.body.get("repeated") else f"{would}applied",
        exit_codes.REFUSED: f"{would}refused",
        exit_codes.NOT_FOUND: "not found",
        exit_codes.NOT_ALLOWED: "not allowed",
        exit_codes.UNDECIDED: "undecided",
    }
    return words.get(result.exit_code, "failed")


def _summarise(results: list[_Result], control: _Control, *, unasked: int) -> None:
    told = []
    if len(results) + unasked > 1:
        words = Counter(_word(result) for result in results)
        told.append(", ".join(f"{count} {word}" for word, count in words.most_common()) + ".")
    if unasked:
        told.append(f"{unasked} more were not sent, because the api cannot be reached.")
    if control.dry_run:
        effects = [effect for result in results for effect in result.body.get("effects", ())]
        commands = [effect for effect in effects if effect["kind"].startswith("command")]
        essays = sum(command["essays"] for command in commands)
        told.append(f"{counted(len(commands), 'command')}, {counted(essays, 'essay')}. Nothing was sent.")
    if told:
        note(" ".join(told))
