"""The tables at the end of a run: results beside their aims."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from bench.alone import SELF, AloneResult
from bench.deadlines import DeadlinesResult
from bench.measuring import Cost
from bench.projection import READ_AIM_S, ProjectionResult
from bench.rebuilding import RebuildResult
from bench.registering import RegistrationResult
from bench.streams import StreamsResult
from bench.whole import PROCESSES, LatencyResult

ORCHESTRATOR_AIM = 0.5
"""Lower limit of the orchestrator's decisions per CPU second, relative to the bare loop."""
LATENCY_AIM_S = 0.150
"""Upper limit for the p99 latency from event to command at half load."""
REGISTRATION_AIM_S = 0.300
"""Upper limit of the p99 latency of a registration at 50/s."""
REGISTRATION_RATE = 50.0
DEADLINES_AIM_S = 5.0
"""Upper limit of the time from the end of a second until all deadlines that were due in it are in the inbox."""
IDLE_STREAMS = 1_000
IDLE_CORES_AIM = 0.1
"""Upper limit of the CPU of the api with these idle streams, in cores."""
IDLE_MIB_AIM = 100.0
"""Upper limit of the memory that they take, in MiB."""
NOTICE_AIM_S = 0.5
"""Upper limit of the p99 from a decision to its notice on a stream of one batch."""
ROUTER_AIM = 1.0
"""Upper limit of the router's CPU per event, relative to the orchestrator's per decision."""


@dataclass(slots=True)
class Results:
    """Results of the sections; None for one that was not run."""

    alone: AloneResult | None = None
    whole: Cost | None = None
    latency: LatencyResult | None = None
    registration: RegistrationResult | None = None
    registration_limit: RegistrationResult | None = None
    deadlines: DeadlinesResult | None = None
    streams: StreamsResult | None = None
    projection: ProjectionResult | None = None
    rebuild: RebuildResult | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim and its result."""

    what: str
    aim: str
    found: str
    met: bool


def aims(results: Results) -> Iterator[Aim]:
    """Yield each aim that was measured."""
    if (alone := results.alone) is not None:
        ratio = alone.bare_loop.cpu_us[SELF] / alone.orchestrator.cpu_us[SELF]
        yield Aim(
            "orchestrator, decisions per CPU second, of the bare loop's",
            f">= {ORCHESTRATOR_AIM}",
            f"{ratio:.2f}",
            ratio >= ORCHESTRATOR_AIM,
        )
        share = alone.routers["seed"].cpu_us[SELF] / alone.orchestrator.cpu_us[SELF]
        yield Aim(
            "router, CPU per event, of the orchestrator's per decision",
            f"<= {ROUTER_AIM}",
            f"{share:.2f}",
            share <= ROUTER_AIM,
        )
    if (latency := results.latency) is not None:
        yield Aim(
            f"event to command, p99 at {latency.decisions_per_second:.0f} decisions/s",
            f"<= {LATENCY_AIM_S * 1000:.0f} ms",
            f"{latency.p99 * 1000:.0f} ms",
            latency.p99 <= LATENCY_AIM_S,
        )
    if (registration := results.registration) is not None:
        yield Aim(
            f"registration over HTTP, p99 at {registration.per_second:.0f}/s",
            f"<= {REGISTRATION_AIM_S * 1000:.0f} ms",
            f"{registration.p99 * 1000:.0f} ms",
            registration.p99 <= REGISTRATION_AIM_S and set(registration.statuses) == {202},
        )

    if (projection := results.projection) is not None:
        slowest = max(projection.reads, key=lambda read: read.p99)
        yield Aim(
            f"every read of {projection.batches} batches, p99 (slowest: {slowest.what})",
            f"<= {READ_AIM_S * 1000:.0f} ms",
            f"{slowest.p99 * 1000:.1f} ms",
            slowest.p99 <= READ_AIM_S,
        )

    if (deadlines := results.deadlines) is not None:
        yield Aim(
            f"{deadlines.at_once} deadlines of one second, in the inbox",
            f"<= {DEADLINES_AIM_S:.0f} s",
            f"{deadlines.fired_s:.1f} s",
            deadlines.fired_s <= DEADLINES_AIM_S and deadlines.assignments == 1,
        )


def stream_aims(results: Results) -> Iterator[Aim]:
    """Yield the aims of live updates."""
    if (streams := results.streams) is not None:
        cores, mib, p99 = streams.idle_cores, streams.idle_mib, streams.one_batch_p99
        yield Aim(
            f"{streams.idle} idle streams, CPU of the api",
            f"<= {IDLE_CORES_AIM} cores",
            f"{cores:.3f}",
            cores <= IDLE_CORES_AIM,
        )
        yield Aim(
            f"{streams.idle} idle streams, memory", f"<= {IDLE_MIB_AIM:.0f} MiB", f"{mib:.0f}", mib <= IDLE_MIB_AIM
        )
        yield Aim(
            f"decision to notice of one batch, p99 at {streams.decisions_per_second:.0f} decisions/s",
            f"<= {NOTICE_AIM_S * 1000:.0f} ms",
            f"{p99 * 1000:.0f} ms",
            p99 <= NOTICE_AIM_S,
        )


def deadlines_table(results: Results) -> Table:
    """Return the table of the timekeeper."""
    table = Table(title="Deadlines")
    for heading in ("what", "found"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    if (found := results.deadlines) is not None:
        rows = (
            (f"first start with {found.armed} armed, until all are in the index", f"{found.first_start_s:.1f} s"),
            ("the next start, with the directory kept", f"{found.next_start_s:.1f} s"),
            ("index on disk", f"{found.index_bytes / 1e6:.0f} MB"),
            (f"{found.at_once} due in one second, from its end until all are in the inbox", f"{found.fired_s:.1f} s"),
            ("  CPU of the timekeeper for that, the wait before it included", f"{found.cpu_s:.1f} s"),
            ("  repeats among them", str(found.repeats)),
            ("  assignments of its group meanwhile (1: no heartbeat was missed)", str(found.assignments)),
        )
        for row in rows:
            table.add_row(*row)
    return table


def projection_tables(results: Results) -> Iterator[Table]:
    """Yield the tables of the projection: what it costs to write, and how long reads take."""
    if (rebuilt := results.rebuild) is not None:
        table = Table(title=f"A projection of {rebuilt.batches} batches, {rebuilt.records} records")
        table.add_column("what")
        table.add_column("found", justify="right")
        table.add_row("built anew from Kafka, and in use", f"{rebuilt.rebuilt_s:.0f} s")
        table.add_row("a second one built, and every row compared", f"{rebuilt.verified_s:.0f} s")
        table.add_row("rows that differ", str(rebuilt.differences))
        yield table
    if (found := results.projection) is None:
        return
    table = Table(title=f"Projection of {found.batches} batches")
    for heading in ("what", "found"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in (
        ("filled from records, a status for each and a history record for one of ten", f"{found.filled_s:.0f} s"),
        ("size for each", f"{found.bytes_per_batch:.0f} bytes"),
        ("a decision in a new projection: CPU", f"{found.decision_cpu_us:.0f} us"),
        ("  growth of the file", f"{found.decision_bytes:.0f} bytes"),
        ("a decision in the filled projection: CPU", f"{found.full_decision_cpu_us:.0f} us"),
    ):
        table.add_row(*row)
    yield table
    table = Table(title="Reads (ms)")
    for heading in ("what", "rows", "p50", "p99", "p99 of CPU"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for read in found.reads:
        times = (f"{seconds * 1000:.1f}" for seconds in (read.p50, read.p99, read.cpu_p99))
        table.add_row(read.what, str(read.rows), *times)
    yield table


def cost_table(results: Results) -> Table:
    """Return the table of rates and CPU time by process."""
    table = Table(title="What it costs (CPU is user and system time of the process)")
    for heading in ("what", "per second", "CPU us each", "us in the broker"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    if (alone := results.alone) is not None:
        _add(table, "orchestrator alone: decisions", alone.orchestrator)
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


def aim_table(results: Results) -> Table:
    """Return the table of aims."""
    table = Table(title="Aims")
    for heading in ("what", "aim", "found", ""):
        table.add_column(heading, justify="right" if heading in ("aim", "found") else "left")
    for aim in (*aims(results), *stream_aims(results)):
        table.add_row(aim.what, aim.aim, aim.found, "met" if aim.met else "missed")
    return table


def _add(table: Table, what: str, cost: Cost) -> None:
    table.add_row(what, f"{cost.per_second:.0f}", f"{cost.cpu_us[SELF]:.0f}", _broker(cost))


def _broker(cost: Cost) -> str:
    return f"{cost.cpu_us['broker']:.0f}" if "broker" in cost.cpu_us else ""


def _unanswered(result: RegistrationResult) -> str:
    others = {status: count for status, count in result.statuses.items() if status != 202}
    return f"(answers beside 202: {others})" if others else "(all 202)"
