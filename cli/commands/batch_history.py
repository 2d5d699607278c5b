"""`bos batches history|replay`: what was decided on a batch, and whether deciding it again gives the same."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import typer

from cli.api_client import DEFAULT_URL, Url, fetch_of_batch, with_query
from cli.ids import BatchId
from cli.output import print_lines
from cli.tables import clock
from schemas.errors import Code

Output = Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="Form of the output.")]
_PAGE = 500
_HEADINGS = ("OFFSET", "TIME", "DISPOSITION", "EVENT", "REASON")
_EVENTS = {"phase_concluded": "outcome", "": "unreadable"}


def history(batch_id: BatchId, *, output: Output = "table", url: Url = DEFAULT_URL) -> None:
    """Print what was decided on a batch, one line for each of its events.

    Example: bos batches history 7f3a2c91-5b0e-4d53-9a2b-0f8f4f1f7d11
    """
    whole, decisions = _all_decisions(url, batch_id)
    if output == "json":
        typer.echo(json.dumps({"batch_id": whole, "decisions": decisions}, indent=2, ensure_ascii=False))
        return
    print_lines(*table(decisions))


def replay(batch_id: BatchId, *, output: Output = "table", url: Url = DEFAULT_URL) -> None:
    """Decide a batch's events again, print each decision, and say whether all is as it was published.

    The exit code is 1 where a decision or the state differs, or the chain of versions is broken.

    Example: bos batches replay 7f3a2c91-5b0e-4d53-9a2b-0f8f4f1f7d11
    """
    from api.paths import batch_path

    result = fetch_of_batch(url, batch_id, lambda whole: batch_path(whole, "replay"))
    if output == "json":
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        decisions = result["decisions"]
        for line, decision in zip(table(decisions), [None, *decisions], strict=True):
            more = () if decision is None else _details(decision)
            print_lines(line, *(f"    {each}" for each in more))
        print_lines(*verdict(result).split("\n"))
    if not (result["identical"] and result["whole"]):
        raise typer.Exit(1)


def table(decisions: list[dict[str, Any]]) -> list[str]:
    """Return the heading, and one line for each decision."""
    days = {decision["time"][:10] for decision in decisions}
    rows = [_HEADINGS, *(_row(decision, whole_time=len(days) > 1) for decision in decisions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def verdict(result: dict[str, Any]) -> str:
    """Return what a replay has shown, in one or a few lines."""
    decisions = result["decisions"]
    undecided = sum(not decision["decided"] for decision in decisions)
    lines = [f"replayed {len(decisions)} records"]
    if undecided:
        lines[0] += f" ({undecided} quarantined, not decided again)"
    if result["identical"] and result["whole"]:
        return f"{lines[0]}, state identical, chain whole"
    differing = [str(decision["offset"]) for decision in decisions if decision["differences"]]
    broken = [str(decision["offset"]) for decision in decisions if decision["based_on_expected"] is not None]
    if differing:
        lines.append(f"decided otherwise than published: offset {', '.join(differing)}")
    if broken:
        lines.append(f"chain of versions broken: offset {', '.join(broken)}")
    lines += [f"status {_difference(each)}" for each in result["status_differences"]]
    lines.append(f"See docs/errors/{Code.REPLAY_DIFFERS}.md.")
    return "\n".join(lines)


def _all_decisions(url: str, batch_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the whole id of a batch, and everything that was decided on it."""
    from urllib.parse import urlencode

    from api.paths import batch_path

    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        query = {"limit": str(_PAGE)} | ({} if after is None else {"after": after})

        def path(whole: str, asked: str = urlencode(query)) -> str:
            return with_query(batch_path(whole, "history"), asked)

        page = fetch_of_batch(url, batch_id, path)
        found += page["decisions"]
        if len(page["decisions"]) < _PAGE:
            return page["batch_id"], found
        after = page["next"]


def _row(decision: dict[str, Any], *, whole_time: bool) -> tuple[str, ...]:
    kind = decision["event"]
    event = f"{_EVENTS.get(kind, kind.replace('_', ' '))} {decision['reason'].get('phase', '')}".rstrip()
    return (
        str(decision["offset"]),
        clock(decision["time"], with_day=whole_time),
        decision["disposition"],
        event,
        decision["sentence"],
    )


def _details(decision: dict[str, Any]) -> Iterable[str]:
    for change in decision["changes"]:
        yield f"{change['phase'] or 'batch'}: {change['from'] or 'none'} -> {change['to']}"
    for effect in decision["effects"]:
        attempt = f" #{effect['attempt']}" if effect.get("attempt") else ""
        yield f"published {effect['kind']} {effect.get('phase', '')}{attempt}".rstrip() + f" to {effect['topic']}"
    for each in decision["differences"]:
        yield f"DIFFERS in {_difference(each)}"
    if decision["based_on_expected"] is not None:
        yield f"CHAIN BROKEN: based on {decision['based_on']}, not on {decision['based_on_expected']}"


def _difference(difference: dict[str, Any]) -> str:
    return f"{difference['fact']}: published {difference['published']}, replayed {difference['replayed']}"
