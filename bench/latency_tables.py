"""The tables of latencies: how long it takes, on which hop, and what the slowest waited for."""

from collections.abc import Iterator, Mapping

from rich.table import Table

from bench.hops import HOPS
from bench.latency import LatencyResult
from bench.registering import RegistrationResult
from bench.results import Results

_QUEUED_MS = 20.0
"""Waits for a core below this are not worth naming."""


def latency_tables(results: Results) -> Iterator[Table]:
    """Yield the tables of the latencies that were measured."""
    yield _latency_table(results)
    for rate, pipelines in (results.latency or {}).items():
        yield _hop_table(rate, pipelines)
        yield _tail_table(rate, pipelines)


def _latency_table(results: Results) -> Table:
    table = _table("How long it takes (ms)", "what", "per second", "p50", "p90", "p99")
    for rate, pipelines in (results.latency or {}).items():
        for name, found in pipelines.items():
            late = f", {found.unanswered} never" if found.unanswered else ""
            table.add_row(
                f"event to command, {name.replace('_', ' ')} ({found.commands} commands{late})",
                f"{found.per_second:.0f} of {rate:.0f} decisions",
                *_ms(found.p50, found.p90, found.p99),
            )
            if (visible := found.visible) is not None:
                late = f", {visible.unseen} not" if visible.unseen else ""
                what = f"decided to visible in the projection ({visible.decisions} decisions{late})"
                p50, p99 = _ms(visible.p50, visible.p99)
                table.add_row(what, f"{rate:.0f} decisions", p50, "", p99)
    for what, result in (
        ("registration over HTTP, steady", results.registration),
        ("registration over HTTP, 128 callers", results.registration_limit),
    ):
        if result is not None:
            p50, p99 = _ms(result.p50, result.p99)
            table.add_row(f"{what} {_unanswered(result)}", f"{result.per_second:.0f} registrations", p50, "", p99)
    if (streams := results.streams) is not None:
        decided = f"{streams.decisions_per_second:.0f} decisions"
        one = f"decision to notice, streams of one batch ({streams.one_batch})"
        for what, middle, slowest in (
            (one, streams.one_batch_p50, streams.one_batch_p99),
            ("decision to notice, a stream of every batch", streams.everything_p50, streams.everything_p99),
        ):
            p50, p99 = _ms(middle, slowest)
            table.add_row(what, decided, p50, "", p99)
    return table


def _hop_table(rate: float, pipelines: Mapping[str, LatencyResult]) -> Table:
    table = _table(f"Hops at {rate:.0f} decisions/s (ms): p50, p99, mean of the slowest hundredth", "pipeline", *HOPS)
    for name, found in pipelines.items():
        cells = [" / ".join(_ms(hop.p50, hop.p99, hop.in_tail)) for hop in found.hops.values()]
        table.add_row(name.replace("_", " "), *cells)
    return table


def _tail_table(rate: float, pipelines: Mapping[str, LatencyResult]) -> Table:
    table = Table(title=f"The slowest seconds at {rate:.0f} decisions/s, and what was waited for in them")
    for heading in (
        "pipeline",
        "at",
        "events",
        "slowest",
        "hop that grew",
        "host, share of the time",
        "no core for, ms",
    ):
        table.add_column(heading, justify="right" if heading in ("at", "events", "slowest") else "left")
    for name, found in pipelines.items():
        for second in found.tail:
            waits = second.waits
            stalled = ", ".join(f"{what} {share:.0%}" for what, share in waits.stalled.items())
            queued = sorted(waits.queued_ms.items(), key=lambda each: -each[1])
            table.add_row(
                name.replace("_", " "),
                f"{second.at_s:.0f} s",
                str(second.events),
                f"{second.slowest_s * 1e3:.0f}",
                f"{second.hop} {second.hop_s * 1e3:.0f}",
                f"{stalled}; dirty {waits.dirty_mb:.0f} MB, written back {waits.writeback_mb:.0f} MB",
                ", ".join(f"{process} {ms:.0f}" for process, ms in queued if ms >= _QUEUED_MS),
            )
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def _ms(*seconds: float) -> list[str]:
    return [f"{each * 1e3:.0f}" for each in seconds]


def _unanswered(result: RegistrationResult) -> str:
    others = {status: count for status, count in result.statuses.items() if status != 202}
    return f"(answers beside 202: {others})" if others else "(all 202)"
