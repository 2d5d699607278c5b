"""The tables of what is kept: deadlines and the projection."""

from collections.abc import Iterator

from rich.table import Table

from bench.million import MillionResult
from bench.results import Results
from bench.scaling import ScalingResult, orchestrators_us


def scaling_table(found: ScalingResult) -> Table:
    """Return the table of orchestrators that share a load."""
    table = Table(title="Orchestrators that share a load")
    for heading in ("orchestrators", "decisions/s", "CPU us a decision, all", "us in the broker"):
        table.add_column(heading, justify="right")
    for count, cost in found.costs.items():
        broker = f"{cost.cpu_us['broker']:.0f}" if "broker" in cost.cpu_us else ""
        table.add_row(str(count), f"{cost.per_second:.0f}", f"{orchestrators_us(cost):.0f}", broker)
    pauses = f"steady {found.steady_pause_s:.2f}, joins {found.join_pause_s:.2f}, leaves {found.leave_pause_s:.2f}"
    table.caption = f"Longest pause of a partition (s): {pauses}"
    return table


def million_table(found: MillionResult) -> Table:
    """Return the table of an orchestrator with many live batches."""
    table = Table(title=f"An orchestrator with {found.many:,} live batches")
    table.add_column("what")
    table.add_column("found", justify="right")
    for row in (
        ("registered, decisions/s", f"{found.registered_per_second:.0f}"),
        ("start with the directory kept, until each partition has decided", f"{found.start_kept_s:.1f} s"),
        ("start with the directory lost", f"{found.start_lost_s:.1f} s"),
        ("a decision: CPU", f"{found.many_us:.0f} us"),
        (f"a decision with {found.few:,} live batches", f"{found.few_us:.0f} us"),
        ("memory", f"{found.rss_mb:.0f} MB"),
        ("store", f"{found.store_mb:.0f} MB"),
    ):
        table.add_row(*row)
    return table


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
