"""`bos stats`, `bos top` and `bos system`: the whole, in numbers."""

import asyncio
import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.api_client import DEFAULT_URL, RequestFailed, Url, connected, fetch
from cli.exit_codes import UNDECIDED
from cli.output import Format, OutputFormat, note, print_lines, print_one
from cli.tables import Column, age, clock, duration, short_id, table

system = typer.Typer(help="The running product.", no_args_is_help=True)
_MOST_SHOWN = 15

_PHASES = (
    Column("PHASE", lambda row: str(row["phase"])),
    Column("BATCHES", lambda row: f"{row['batches']:,}", right=True),
    Column("ESSAYS", lambda row: f"{row['essays']:,}", right=True),
    Column("OLDEST", lambda row: age(row["oldest_start"]), right=True),
    Column("DRAIN/MIN", lambda row: f"{row['drain_per_minute']:.0f}", right=True),
    Column("DONE", lambda row: age(row["eta"]), right=True),
    Column("USUAL", lambda row: duration(row["usual"]["p50_ms"] / 1_000) if row["usual"] else "-", right=True),
    Column("FAILED 1H", lambda row: f"{row['failed_last_hour']:,}", right=True),
)
_ATTENTION = (
    Column("BATCH", lambda row: short_id(row["batch_id"])),
    Column("STATUS", lambda row: str(row["status"])),
    Column("AGE", lambda row: age(row["registered_at"]), right=True),
    Column("WHY", lambda row: str(row["why"]["sentence"])),
)


def _state(process: dict[str, Any]) -> str:
    if process["state"] != "live":
        return str(process["state"])
    if not process["assigned"]:
        return "joining"
    if process["restored"]:
        return "ready"
    percent = process.get("restored_percent")
    return "restoring" if percent is None else f"restoring {percent}%"


_PROCESSES = (
    Column("PROCESS", lambda row: str(row["process"])),
    Column("STATE", _state),
    Column("PARTITIONS", lambda row: str(row["partitions"]), right=True),
    Column("LAG", lambda row: f"{row['lag_seconds']:.1f}s", right=True),
    Column("SILENT", lambda row: f"{row['silent_seconds']:.1f}s", right=True),
    Column("UP", lambda row: age(row["started_at"]), right=True),
    Column("VERSION", lambda row: str(row["version"]), wide=True),
    Column("HOST", lambda row: f"{row['host']}:{row['pid']}", wide=True),
    Column("SETTINGS", lambda row: row["settings_digest"][:8], wide=True),
)


def stats(*, output: OutputFormat = Format.TABLE, url: Url = DEFAULT_URL) -> None:
    """Print what runs, how fast it drains, and what is due.

    Example: bos stats
    """
    body = fetch(url, "/v1/stats")
    print_one(body, _stats_lines(body), output, name="live")


def top(
    *,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two readings.")] = 2.0,
    url: Url = DEFAULT_URL,
) -> None:
    """Show the numbers and the batches that need a person, again and again, until Ctrl-C.

    Example: bos top
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        print_lines(*_top_lines(url))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                lines = _top_lines(url)
            except RequestFailed as failure:
                lines = [failure.message, failure.next_step]
            live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)
            time.sleep(every)


@system.command()
def status(
    *,
    exit_status: Annotated[bool, typer.Option("--exit-status", help="Exit code 6 where something is wrong.")] = False,
    output: OutputFormat = Format.TABLE,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the processes with their lag, and what is wrong.

    Example: bos system status
    """
    body = fetch(url, "/v1/system")
    lines = table(body["processes"], _PROCESSES, wide=output is Format.WIDE)
    lines.append("")
    lines += _problems(body) or [f"Healthy. Projection {body['projection']['state']}. As of {clock(body['as_of'])}."]
    print_one(body, lines, output, name="healthy")
    if exit_status and not body["healthy"]:
        raise typer.Exit(UNDECIDED)


@system.command()
def forget(
    process: Annotated[str, typer.Argument(metavar="KIND/INSTANCE", help="As `bos system status` names it.")],
    *,
    url: Url = DEFAULT_URL,
) -> None:
    """Take a process that was removed for good off the list; otherwise it is missing for a day.

    Example: bos system forget orchestrator/2
    """
    kind, _, instance = process.partition("/")
    if not (kind and instance):
        raise typer.BadParameter("give kind and instance, as in orchestrator/2.", param_hint="KIND/INSTANCE")

    async def ask() -> None:
        async with connected(url) as api:
            path = f"/v1/system/processes/{quote(kind, safe='')}/{quote(instance, safe='')}"
            (await api.send("DELETE", path)).required()

    asyncio.run(ask())
    note(f"{process} is forgotten.")


def _problems(body: dict[str, Any]) -> list[str]:
    return [f"{each['code']}  {each['message']} {each['next_step']}" for each in body["problems"]]


def _stats_lines(body: dict[str, Any]) -> list[str]:
    counts = body["counts"]
    marks = [f"{name} {counts[name]:,}" for name in ("stalled", "held", "paused", "attention") if counts.get(name)]
    lines = table(body["phases"], _PHASES)
    lines += ["", " · ".join([f"live {body['live']:,}", *marks, f"deadlines missed {body['missed']:,}"])]
    if body["dispositions"]:
        told = ", ".join(f"{name} {number:,}" for name, number in sorted(body["dispositions"].items()))
        lines.append(f"last hour: {told}")
    if body["stale"]:
        lines.append(body["stale"])
    lines.append(f"as of {clock(body['as_of'])}")
    return lines


def _top_lines(url: str) -> list[str]:
    numbers = fetch(url, "/v1/stats")
    waiting = fetch(url, f"/v1/batches?attention=yes&limit={_MOST_SHOWN}")
    lines = _stats_lines(numbers)
    if waiting["batches"]:
        return [*lines, "", "NEEDS ATTENTION", *table(waiting["batches"], _ATTENTION)]
    return [*lines, "", "Nothing needs you."]
