"""The aims, each beside what a run has found."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.table import Table


class Aim(NamedTuple):
    """A limit of one figure."""

    figure: str
    what: str
    limit: float
    unit: str = ""
    at_least: bool = False
    """Whether the limit is the least that is wanted; otherwise it is the most."""

    def met(self, found: float) -> bool:
        """Tell whether a figure keeps to the limit."""
        return found >= self.limit if self.at_least else found <= self.limit


AIMS = (
    Aim("core.decision_us", "core: decode, decide, render, encode and measure, mean of a batch's events", 60, "us"),
    Aim("orchestrator.of_bare_loop", "orchestrator, decisions per CPU second, of the bare loop's", 0.85, at_least=True),
    Aim("orchestrator.cpu_us", "orchestrator, CPU for a decision", 130, "us"),
    Aim("router.seed.cpu_us", "router, CPU for an event of the seed's shape", 60, "us"),
    Aim("router.head.cpu_us", "router, CPU for an event of the head's shape", 60, "us"),
    Aim("whole.projector.cpu_us", "projector, CPU for a decision", 60, "us"),
    Aim("whole.per_second", "whole pipeline, decisions on all cores, broker included", 4_000, "/s", at_least=True),
    Aim("whole.kb_without_inputs", "written to disk for a decision, from inbox to projection", 15, "KB"),
    Aim("latency.500.of_bare_loop", "event to command at 500/s, p99, of the bare loop's behind the router", 1.25),
    Aim("latency.1000.of_bare_loop", "event to command at 1,000/s, p99, of the bare loop's behind the router", 1.25),
    Aim("latency.500.p99_ms", "event to command at 500/s, p99", 120, "ms"),
    Aim("registration.steady.p99_ms", "registration over HTTP at 50/s, p99", 300, "ms"),
    Aim("registration.steady.refused", "registrations at 50/s that were refused", 0),
    Aim("registration.limit.per_second", "registrations by 128 callers", 800, "/s", at_least=True),
    Aim("registration.limit.p99_ms", "registrations by 128 callers, p99", 200, "ms"),
    Aim("visible.1000.p99_ms", "decided to visible in the projection at 1,000/s, p99", 500, "ms"),
    Aim("million.of_few", "CPU for a decision with all live batches, of that with few", 1.1),
    Aim("million.start_kept_s", "start with all live batches, directory kept", 5, "s"),
    Aim("million.start_lost_s", "start with all live batches, directory lost", 30, "s"),
    Aim("live.idle_cores", "idle streams, cores of the api", 0.1),
    Aim("live.idle_mib", "idle streams, memory of the api", 100, "MiB"),
    Aim("live.one_batch_p99_ms", "decision to notice of one batch, p99", 500, "ms"),
    Aim("deadlines.fired_s", "deadlines of one second, until all are in the inbox", 5, "s"),
    Aim("deadlines.assignments", "assignments of the timekeeper's group meanwhile", 1),
    Aim("projection.slowest_read_p99_ms", "slowest read of the projection, p99", 50, "ms"),
    Aim("soak.memory_growth", "soak, memory of the process that grew most, last third of first", 1.25),
)


def measured(found: Mapping[str, float]) -> Iterator[tuple[Aim, float]]:
    """Yield each aim whose figure a run has, with the figure."""
    for aim in AIMS:
        if aim.figure in found:
            yield aim, found[aim.figure]


def aim_table(found: Mapping[str, float]) -> Table:
    """Return the table of aims."""
    table = Table(title="Aims")
    for heading in ("what", "aim", "found", ""):
        table.add_column(heading, justify="right" if heading in ("aim", "found") else "left")
    for aim, value in measured(found):
        sign = ">=" if aim.at_least else "<="
        told = f"{value:,.2f}" if aim.limit < 10 else f"{value:,.0f}"
        limit = f"{sign} {aim.limit:,g} {aim.unit}".strip()
        table.add_row(aim.what, limit, f"{told} {aim.unit}".strip(), "met" if aim.met(value) else "missed")
    return table
