"""`bos batches list`: the batches that fit a filter, whose names are those of the address bar."""

import webbrowser
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import typer

from cli.api_client import DEFAULT_URL, Url, address_of, fetch
from cli.completion import batch_statuses, phase_statuses, phases, pipelines
from cli.output import Fields, Format, OutputFormat, note, print_rows
from cli.tables import Column, age, clock, short_id

_PAGE = 200
_FILTER = "Filter"
Status = Annotated[
    list[str] | None,
    typer.Option(help="Status of the batch; may be repeated.", rich_help_panel=_FILTER, autocompletion=batch_statuses),
]


def _option(help_text: str, completed: Any = None) -> Any:
    return typer.Option(help=help_text, rich_help_panel=_FILTER, autocompletion=completed)


def _flag(help_text: str) -> Any:
    return typer.Option(help=help_text, rich_help_panel=_FILTER, show_default=False)


FilterText = Annotated[
    str,
    typer.Option("--filter", help="A filter from the address bar: status=failed&phase=nlp.", rich_help_panel=_FILTER),
]


def list_batches(
    *,
    status: Status = None,
    phase: Annotated[str, _option("Name of a phase.", phases)] = "",
    phase_status: Annotated[str, _option("Status of that phase, or of any.", phase_statuses)] = "",
    owner: Annotated[str, _option("User who registered it.")] = "",
    organisation: Annotated[str, _option("Its organisation.")] = "",
    user: Annotated[str, _option("The user that its body names.")] = "",
    course: Annotated[str, _option("Its course code.")] = "",
    pipeline: Annotated[str, _option("Name of its pipeline.", pipelines)] = "",
    stalled: Annotated[bool | None, _flag("A phase is overdue.")] = None,
    held: Annotated[bool | None, _flag("A phase is held for a person.")] = None,
    paused: Annotated[bool | None, _flag("It is paused.")] = None,
    ended: Annotated[bool | None, _flag("It has ended.")] = None,
    attention: Annotated[bool | None, _flag("It needs a person.")] = None,
    since: Annotated[str, _option("Changed within this time: 15m, 24h, 7d; or since a time.")] = "",
    created_from: Annotated[str, _option("Registered then or later.")] = "",
    created_before: Annotated[str, _option("Registered before then.")] = "",
    due_before: Annotated[str, _option("Its next deadline is before then: 1h, or a time.")] = "",
    filter_text: FilterText = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0 for all.")] = 50,
    fields: Fields = "",
    web: Annotated[bool, typer.Option("--web", help="Print the address of the page with this list.")] = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """List batches, the newest first.

    Examples:
      bos batches list --attention

      bos batches list --status failed_critically --since 24h -o name | bos batches retry - --from cj_assessment

      bos batches list --filter 'phase=cj_assessment&phase_status=dispatch_initiated' --fields batch_id,why.sentence
    """
    given: dict[str, Any] = {
        "status": status or [],
        "phase": phase,
        "phase_status": phase_status,
        "owner": owner,
        "organisation": organisation,
        "user": user,
        "course": course,
        "pipeline": pipeline,
        "stalled": stalled,
        "held": held,
        "paused": paused,
        "ended": ended,
        "attention": attention,
        "since": since,
        "created_from": created_from,
        "created_before": created_before,
        "due_before": due_before,
    }
    query = [*query_of(filter_text), *_pairs(given)]
    if web:
        page = f"{address_of(url).rstrip('/')}/batches{'?' if query else ''}{urlencode(query)}"
        typer.echo(page)
        webbrowser.open(page)
        return
    body = _pages(url, query, limit)
    print_rows(body, body["batches"], COLUMNS, output, name="batch_id", fields=fields)
    _say(body, output)


def query_of(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a filter as it stands in the address bar."""
    return parse_qsl(text.removeprefix("?"), keep_blank_values=True)


def _pairs(given: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in given.items():
        if isinstance(value, list):
            found += [(name, each) for each in value]
        elif isinstance(value, bool):
            found.append((name, "yes" if value else "no"))
        elif value:
            found.append((name, value))
    return found


def _pages(url: str, query: list[tuple[str, str]], limit: int) -> dict[str, Any]:
    """Return the body of the list, with the batches of as many pages as `limit` needs."""
    whole: dict[str, Any] | None = None
    cursor: str | None = None
    while True:
        left = _PAGE if limit == 0 else min(_PAGE, limit - (len(whole["batches"]) if whole else 0))
        page_query = [*query, ("limit", str(left)), *([("cursor", cursor)] if cursor else [])]
        page = fetch(url, f"/v1/batches?{urlencode(page_query)}")
        if whole is None:
            whole = page
        else:
            whole["batches"] += page["batches"]
            whole["next_cursor"] = page["next_cursor"]
        cursor = page["next_cursor"]
        if cursor is None or (limit and len(whole["batches"]) >= limit):
            return whole


def _say(body: dict[str, Any], output: Format) -> None:
    if body.get("stale"):
        note(body["stale"])
    if output not in {Format.TABLE, Format.WIDE}:
        return
    number = len(body["batches"])
    more = ", and more: see --limit" if body["next_cursor"] else ""
    note(f"{number} {'batch' if number == 1 else 'batches'}{more}. As of {clock(body['as_of'])}.")


def _phase(batch: dict[str, Any]) -> str:
    """Return the phases that go on, or the last that ended."""
    state = batch["pipeline_state"]
    runs = [(name, state[name]) for name in state["requested_pipelines"] if name in state]
    active = [
        f"{name} #{run['attempt']}" if run["attempt"] > 1 else name
        for name, run in runs
        if run["status"] in {"dispatch_initiated", "waiting_to_retry", "held"}
    ]
    return ", ".join(active) or "-"


def _essays(batch: dict[str, Any]) -> str:
    counts = batch["counts"]
    failed = f" ({counts['failed']} failed)" if counts["failed"] else ""
    return f"{counts['succeeded']}/{counts['expected']}{failed}"


def flags(batch: dict[str, Any]) -> str:
    """Return the status with what is the matter."""
    marks = [mark for mark in ("paused", "held", "stalled") if batch.get(mark)]
    return f"{batch['status']} ({', '.join(marks)})" if marks else str(batch["status"])


COLUMNS = (
    Column("STATUS", flags),
    Column("BATCH", lambda row: short_id(row["batch_id"])),
    Column("ID", lambda row: str(row["batch_id"]), wide=True),
    Column("COURSE", lambda row: row["batch_context"]["course_code"] or "-"),
    Column(
        "OWNER", lambda row: "/".join(filter(None, (row["owner"]["organisation"], row["owner"]["subject"]))), wide=True
    ),
    Column("PIPELINE", lambda row: f"{row['pipeline']['name']} v{row['pipeline']['version']}", wide=True),
    Column("PHASE", _phase),
    Column("ESSAYS", _essays, right=True),
    Column("AGE", lambda row: age(row["registered_at"]), right=True),
    Column("VERSION", lambda row: str(row["version"]), wide=True, right=True),
    Column("WHY", lambda row: row["why"]["waiting_for"] or row["why"]["sentence"]),
)
