"""The table at the demo's end."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from cli.demo.client import FollowedBatch


def result_table(batches: Sequence[FollowedBatch]) -> Table:
    """Return batches by status, with their phases, failed essays and latencies."""
    table = Table(title="What came of the batches")
    for heading in ("status", "phases asked for", "batches", "essays through", "essays failed", "p50 s", "max s"):
        table.add_column(heading, justify="left" if heading in ("status", "phases asked for") else "right")
    groups = Counter((batch.status.get("status", "?"), batch.plan.phases) for batch in batches)
    for (status, phases), number in sorted(groups.items()):
        chosen = [b for b in batches if b.status.get("status", "?") == status and b.plan.phases == phases]
        took = sorted(duration for batch in chosen if (duration := _duration(batch)) is not None)
        table.add_row(
            status,
            " > ".join(phases),
            str(number),
            str(sum(batch.status["counts"]["succeeded"] for batch in chosen if batch.status)),
            str(sum(len(batch.status["failed_essays"]) for batch in chosen if batch.status)),
            f"{percentile(took, 50):.2f}",
            f"{percentile(took, 100):.2f}",
        )
    return table


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of sorted values; 0 if there are none."""
    if not values:
        return 0.0
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


def _duration(batch: FollowedBatch) -> float | None:
    begin, end = batch.status.get("registered_at"), batch.status.get("ended_at")
    if begin is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
