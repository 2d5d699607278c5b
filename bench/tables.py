"""The table of costs at the end of a run."""

from rich.table import Table

from bench.alone import SELF
from bench.measuring import Cost
from bench.results import Results
from bench.whole import PROCESSES


def cost_table(results: Results) -> Table:
    """Return the table of rates and CPU time by process."""
    table = Table(title="What it costs (CPU is user and system time of the process)")
    for heading in ("what", "per second", "CPU us each", "us in the broker", "KB written each"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    if (alone := results.alone) is not None:
        for path, cost in alone.orchestrators.items():
            _add(table, f"orchestrator alone{f', {path} path' if path else ''}: decisions", cost)
        _add(table, "bare confluent-kafka loop: decisions", alone.bare_loop)
        for shape, cost in alone.routers.items():
            _add(table, f"router alone, {shape} shapes without keys: events", cost)
    if (whole := results.whole) is not None:
        cost = whole.cost
        both = cost.cpu_us["router"] + cost.cpu_us["orchestrator-0"]
        rate, written = f"{cost.per_second:.0f}", f"{sum(whole.kb.values()):.1f}"
        table.add_row("whole pipeline: decisions, router + orchestrator", rate, f"{both:.0f}", _broker(cost), written)
        for name in (*PROCESSES, "load generator", "broker"):
            if name in cost.cpu_us:
                what = f"  of which {name}" if name in PROCESSES[:2] else f"  beside it {name}"
                kb = f"{whole.kb[name]:.1f}" if name in whole.kb else ""
                table.add_row(what, "", f"{cost.cpu_us[name]:.0f}", "", kb)
        if whole.inputs_kb is not None:
            table.add_row("  of the broker's, the records of peers", "", "", "", f"{whole.inputs_kb:.1f}")
    return table


def _add(table: Table, what: str, cost: Cost) -> None:
    table.add_row(what, f"{cost.per_second:.0f}", f"{cost.cpu_us[SELF]:.0f}", _broker(cost))


def _broker(cost: Cost) -> str:
    return f"{cost.cpu_us['broker']:.0f}" if "broker" in cost.cpu_us else ""
