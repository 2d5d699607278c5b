"""`bos dead-letters list|show|preview|replay|discard`: dead letters over the HTTP api, one by one or by a filter."""

import asyncio
import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from cli import exit_codes
from cli.api_client import DEFAULT_URL, Url, connected, fetch
from cli.completion import letter_ids
from cli.ids import LetterId, not_empty
from cli.output import Format, OutputFormat, counted, print_json, print_lines
from cli.output import note as tell

dead_letters = typer.Typer(help="Dead letters, over the HTTP api (docs/dead-letters.md).", no_args_is_help=True)

Id = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]",
        help="Id of one dead letter; without it, the filter counts.",
        callback=not_empty,
        autocompletion=letter_ids,
    ),
]
OneCode = Annotated[str, typer.Option("--code", help="Error code of the dead letters.")]
FirstTopic = Annotated[str, typer.Option("--topic", help="Topic that the records were first read from.")]
Batch = Annotated[str, typer.Option("--batch", help="Id of the batch that they are about.")]
Since = Annotated[str, typer.Option("--since", help="Of this ISO 8601 time or later, or as old as 90m, 12h, 3d.")]
Until = Annotated[str, typer.Option("--until", help="Before this ISO 8601 time, or older than 90m, 12h, 3d.")]
State = Annotated[str, typer.Option("--state", help="open, replayed or discarded.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="The oldest so many of those that fit.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept with the dead letter.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a group is worked.")]
_BASE = "/v1/dead-letters"
_PAGE = 200
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


@dead_letters.command("list")
def list_letters(
    *,
    code: OneCode = "",
    topic: FirstTopic = "",
    batch: Batch = "",
    since: Since = "",
    until: Until = "",
    state: State = "open",
    group: Annotated[bool, typer.Option("--group", help="How many there are of each code and topic.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the open dead letters that fit, the newest first; --state all shows every one."""
    query = _filter(code, topic, batch, since, until) | ({} if state == "all" else {"state": state})
    if group:
        groups = fetch(url, f"{_BASE}/groups?{urlencode(query)}")
        _print(groups, groups["groups"], map(_group_line, groups["groups"]), output)
        return
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while len(found) < limit:
        more = {} if page["next"] is None else {"cursor": page["next"]}
        page = fetch(url, f"{_BASE}?{urlencode({**query, **more, 'limit': min(_PAGE, limit - len(found))})}")
        found += page["dead_letters"]
        if page["next"] is None:
            break
    body = {"dead_letters": found, "next": page["next"]}
    _print(body, found, map(_line, found), output)
    if page["next"] is not None:
        tell(f"There are more; --limit {limit * 10} shows them.")


@dead_letters.command()
def show(dead_letter_id: LetterId, *, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Print one dead letter: its bytes, headers and traceback, and what was done with it."""
    found = fetch(url, _path(dead_letter_id))
    _print(found, [found], _details(found), output)


@dead_letters.command()
def preview(
    dead_letter_id: Id = None,
    *,
    code: OneCode = "",
    topic: FirstTopic = "",
    batch: Batch = "",
    since: Since = "",
    until: Until = "",
    state: State = "open",
    limit: Limit = None,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Tell what a replay would become now: it is decoded and decided, and nothing is sent."""
    filters = _filter(code, topic, batch, since, until)
    if dead_letter_id is not None:
        _require_no_filter(filters)
        found = _ask(url, f"{_path(dead_letter_id)}/preview")
        _print(found, [found], [_preview_line(found)], output)
        return
    found = _ask(url, f"{_BASE}/preview", _group_body(filters, state, limit))
    lines = [f"{each['dead_letter_id']}  {each['outcome']}  {each['sentence'] or ''}" for each in found["previews"]]
    lines += _refusal_lines(found)
    _print(found, found["previews"], lines, output)
    tell(f"{found['sentence']}. Nothing was sent.")
    if found["refused"]:
        raise typer.Exit(exit_codes.SOME_REFUSED)


@dead_letters.command()
def replay(
    dead_letter_id: Id = None,
    *,
    code: OneCode = "",
    topic: FirstTopic = "",
    batch: Batch = "",
    since: Since = "",
    until: Until = "",
    state: State = "open",
    limit: Limit = None,
    note: Note = "",
    yes: Yes = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Send dead letters through the router again, as they are. A record that was applied before changes nothing."""
    filters = _filter(code, topic, batch, since, until)
    _work("replay", dead_letter_id, filters, state, limit, note, yes=yes, output=output, url=url)


@dead_letters.command()
def discard(
    dead_letter_id: Id = None,
    *,
    code: OneCode = "",
    topic: FirstTopic = "",
    batch: Batch = "",
    since: Since = "",
    until: Until = "",
    state: State = "open",
    limit: Limit = None,
    note: Annotated[str, typer.Option("--note", help="Why they are of no use; kept with each.")] = "",
    yes: Yes = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Note that dead letters will not be used. They stay where they are, and can still be replayed."""
    if not note.strip():
        raise typer.BadParameter("say why, for whoever finds it later.", param_hint="--note")
    filters = _filter(code, topic, batch, since, until)
    _work("discard", dead_letter_id, filters, state, limit, note, yes=yes, output=output, url=url)


def _work(
    verb: str,
    dead_letter_id: str | None,
    filters: dict[str, str],
    state: str,
    limit: int | None,
    why: str,
    *,
    yes: bool,
    output: Format,
    url: str,
) -> None:
    if dead_letter_id is not None:
        _require_no_filter(filters)
        done = _ask(url, f"{_path(dead_letter_id)}/{verb}", {"note": why})
        _print(done, [done], [f"{done['dead_letter_id']}  {done['state']} by {done['by']}"], output)
        return
    body = {**_group_body(filters, state, limit), "note": why}
    count = _ask(url, f"{_BASE}/{verb}?dry_run=true", body)["selected"]
    if not count:
        tell("No dead letter fits.")
        return
    if not yes and not _agreed(verb, count):
        tell(f"{counted(count, 'dead letter')} found. Nothing was done; give --yes to {verb} what was found.")
        raise typer.Exit(exit_codes.USAGE)
    done = _ask(url, f"{_BASE}/{verb}", body)
    while done["left"] and limit is None:  # the api works for a bounded time; what is done no longer fits the filter
        more = _ask(url, f"{_BASE}/{verb}", body)
        if not more["done"]:
            break
        done = {**more, "done": done["done"] + more["done"]}
    _print(done, done["refused"], _refusal_lines(done), output)
    left = f", {done['left']} left" if done["left"] else ""
    tell(f"{done['done']} {done['state']}, {len(done['refused'])} refused{left}.")
    if done["refused"] or done["left"]:
        raise typer.Exit(exit_codes.SOME_REFUSED)


def _filter(code: str, topic: str, batch: str, since: str, until: str) -> dict[str, str]:
    given = {"code": code, "topic": topic, "batch": batch, "since": _moment(since), "until": _moment(until)}
    return {name: value for name, value in given.items() if value}


def _moment(given: str) -> str:
    """Return an ISO 8601 time; an age such as 12h counts back from now."""
    from datetime import UTC, datetime, timedelta

    if not given:
        return ""
    if given[:-1].isdecimal() and given[-1] in _UNITS:
        return (datetime.now(UTC) - timedelta(seconds=int(given[:-1]) * _UNITS[given[-1]])).isoformat()
    try:
        datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is neither an ISO 8601 time nor an age such as 90m, 12h or 3d.") from None
    return given


def _group_body(filters: dict[str, str], state: str, limit: int | None) -> dict[str, Any]:
    if not filters:
        raise typer.BadParameter("name an id, or at least one of --code, --topic, --batch, --since and --until.")
    body: dict[str, Any] = {"filter": {**filters, "state": state}}
    return body if limit is None else {**body, "limit": limit}


def _require_no_filter(filters: dict[str, str]) -> None:
    if filters:
        raise typer.BadParameter("give an id or a filter, not both.")


def _agreed(verb: str, count: int) -> bool:
    """Ask a person at a terminal; a script is never asked."""
    return sys.stdin.isatty() and typer.confirm(f"{verb} {counted(count, 'dead letter')}?", err=True)


def _path(dead_letter_id: str) -> str:
    return f"{_BASE}/{quote(dead_letter_id, safe='')}"


def _ask(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return asyncio.run(_post(url, path, body or {}))


async def _post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with connected(url) as api:
        headers = {"Content-Type": "application/json"}
        return (await api.send("POST", path, content=json.dumps(body), headers=headers)).required()


def _print(body: dict[str, Any], items: list[dict[str, Any]], lines: Iterable[str], output: Format) -> None:
    match output:
        case Format.JSON:
            print_json(body)
        case Format.JSONL:
            for item in items:
                print_json(item, lines=True)
        case Format.NAME:
            for item in items:
                typer.echo(item.get("dead_letter_id", item.get("code")))
        case Format.TABLE:
            print_lines(*lines)


def _line(letter: dict[str, Any]) -> str:
    first = letter["first"]
    place = f"{first['topic']}[{first['partition']}]@{first['offset']}"
    head = f"{letter['dead_letter_id']}  {letter['time']}  {letter['state']}  {letter['code']}  {place}"
    return f"{head}  {letter['batch_id'] or '-'}  {letter['reason']}"


def _group_line(group: dict[str, Any]) -> str:
    return f"{group['code']}  {group['topic']}  {group['count']}  first {group['first_at']}  last {group['last_at']}"


def _details(letter: dict[str, Any]) -> list[str]:
    lines = [f"{name}: {letter[name]}" for name in ("dead_letter_id", "state", "code", "reason", "time", "batch_id")]
    lines += [f"{name}: {value}" for name, value in letter["headers"].items() if name.startswith(("first", "state"))]
    value = letter["value"]
    if value is None:
        lines.append("value: not kept")
    else:
        content = value["content"]
        text = json.dumps(content, indent=2, ensure_ascii=False) if value["form"] == "json" else content
        lines += [f"value ({value['form']}, {value['size']} bytes):", *text.split("\n")]
    if letter["traceback"]:
        lines += ["traceback:", *letter["traceback"].split("\n")]
    return lines


def _preview_line(preview: dict[str, Any]) -> str:
    if preview["fault"] is not None:
        fault = preview["fault"]
        becomes = "a dead letter again" if preview["becomes"] == "dead_letter" else f"{preview['event']}, undecided"
        return f"would become {becomes}: {fault['code']}: {fault['detail']}"
    effects = [" ".join(str(value) for value in each.values() if value) for each in preview["effects"]]
    published = f"; publishes {', '.join(effects)}" if effects else "; publishes nothing"
    return f"would be {preview['disposition']}: {preview['sentence']}{published}"


def _refusal_lines(body: dict[str, Any]) -> list[str]:
    return [f"{each['dead_letter_id']}  refused  {each['code']}: {each['detail']}" for each in body["refused"]]
