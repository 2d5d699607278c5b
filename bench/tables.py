"""The tables of costs and latencies at the end of a run."""

from rich.table import Table

from bench.alone import SELF
from bench.measuring import Cost
from bench.registering import RegistrationResult
from bench.results import Results
from bench.whole import PROCESSES


def cost_table(results: Results) -> Table:
    """Return the table of rates and CPU time by process."""
    table = Table(title="What it costs (CPU is user and system time of the process)")
    for heading in ("what", "per second", "CPU us each", "us in the broker"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    if (alone := results.alone) is not None:
        for path, cost in alone.orchestrators.items():
            _add(table, f"orchestrator alone{f', {path} path' if path else ''}: decisions", cost)
        _add(table, "bare confluent-kafka loop: decisions", alone.bare_loop)
        for shape, cost in alone.routers.items():
            _add(table, f"router alone, {shape} shapes without keys: events", cost)
    if (whole := results.whole) is not None:
        us = whole.cpu_us
        both = us["router"] + us["orchestrator-0"]
        table.add_row(
            "whole pipeline: decisions, router + orchestrator", f"{whole.per_second:.0f}", f"{both:.0f}", _broker(whole)
        )
        for name in (*PROCESSES, "load generator"):
            table.add_row(
                f"  of which {name}" if name in PROCESSES[:2] else f"  beside it {name}", "", f"{us[name]:.0f}"
            )
    return table


def latency_table(results: Results) -> Table:
    """Return the table of latencies."""
    table = Table(title="How long it takes (ms)")
    for heading in ("what", "per second", "p50", "p90", "p99"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    if (latency := results.latency) is not None:
        table.add_row(
            f"event to command, read committed ({latency.commands} commands)",
            f"{latency.decisions_per_second:.0f} decisions",
            *(f"{seconds * 1000:.0f}" for seconds in (latency.p50, latency.p90, latency.p99)),
        )
    for what, result in (
        ("registration over HTTP, steady", results.registration),
        ("registration over HTTP, as fast as possible", results.registration_limit),
    ):
        if result is not None:
            p50, p99 = f"{result.p50 * 1000:.0f}", f"{result.p99 * 1000:.0f}"
            table.add_row(f"{what} {_unanswered(result)}", f"{result.per_second:.0f} registrations", p50, "", p99)
    if (streams := results.streams) is not None:
        rate = f"{streams.decisions_per_second:.0f} decisions"
        one = f"decision to notice, streams of one batch ({streams.one_batch})"
        for what, median, slowest in (
            (one, streams.one_batch_p50, streams.one_batch_p99),
            ("decision to notice, a stream of every batch", streams.everything_p50, streams.everything_p99),
        ):
            table.add_row(what, rate, f"{median * 1000:.0f}", "", f"{slowest * 1000:.0f}")
    return table


def _add(table: Table, what: str, cost: Cost) -> None:
    table.add_row(what, f"{cost.per_second:.0f}", f"{cost.cpu_us[SELF]:.0f}", _broker(cost))


def _broker(cost: Cost) -> str:
    return f"{cost.cpu_us['broker']:.0f}" if "broker" in cost.cpu_us else ""


def _unanswered(result: RegistrationResult) -> str:
    others = {status: count for status, count in result.statuses.items() if status != 202}
    return f"(answers beside 202: {others})" if others else "(all 202)"
