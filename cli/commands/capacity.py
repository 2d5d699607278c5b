"""`bos capacity`: what a load needs, from measured costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import Format, OutputFormat, note, print_lines, print_rows
from cli.tables import Column

if TYPE_CHECKING:
    from cli.capacity.costs import Costs


def _amount(row: dict[str, Any]) -> str:
    amount = float(row["amount"])
    text = f"{amount:,.0f}" if amount >= 100 or amount == int(amount) else f"{amount:,.1f}"
    return f"{text} {row['unit']}".strip()


_COLUMNS = (
    Column("WHAT", lambda row: str(row["what"])),
    Column("AMOUNT", _amount, right=True),
    Column("BECAUSE", lambda row: str(row["because"])),
)


def capacity(
    *,
    batches_per_s: Annotated[float, typer.Option(min=0.001, help="Batches registered in a second, at the peak.")],
    mean_batches_per_s: Annotated[
        float | None, typer.Option(min=0, help="The same, as the mean over days; the peak if not given.")
    ] = None,
    essays: Annotated[int, typer.Option(min=1, help="Essays of a batch.")] = 25,
    phases: Annotated[int, typer.Option(min=1, help="Phases that a batch runs.")] = 2,
    live_hours: Annotated[float, typer.Option(min=0, help="Hours from a batch's registration to its end.")] = 2.0,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each record in Kafka.")] = 3,
    retention_days: Annotated[float, typer.Option(min=1, help="Days that own topics keep records.")] = 30.0,
    utilisation: Annotated[float, typer.Option(min=0.05, max=1, help="Share of each machine to plan with.")] = 0.6,
    broker_cores: Annotated[int, typer.Option(min=1, help="Cores of a broker.")] = 8,
    broker_disk_mb_s: Annotated[float, typer.Option(min=1, help="MB/s that a broker's disk writes.")] = 200.0,
    broker_network_mb_s: Annotated[float, typer.Option(min=1, help="MB/s of a broker's network.")] = 250.0,
    from_bench: Annotated[
        Path | None,
        typer.Option(help="Costs of a run on your own machine: a file of `python -m bench --json FILE`."),
    ] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Print the partitions, processes, brokers, disk and network that a load needs, each with its assumption.

    Example: bos capacity --batches-per-s 250 --essays 25
    """
    from msgspec import to_builtins

    from cli.capacity.costs import Costs
    from cli.capacity.model import Load, plan

    costs = Costs() if from_bench is None else _costs_of(from_bench)
    load = Load(
        batches_per_s=batches_per_s,
        mean_batches_per_s=batches_per_s if mean_batches_per_s is None else mean_batches_per_s,
        essays=essays,
        phases=phases,
        live_hours=live_hours,
        replication=replication,
        retention_days=retention_days,
        utilisation=utilisation,
        broker_cores=broker_cores,
        broker_disk_mb_s=broker_disk_mb_s,
        broker_network_mb_s=broker_network_mb_s,
    )
    rows: list[dict[str, Any]] = to_builtins(plan(load, costs))
    print_rows(
        {"costs": to_builtins(costs), "load": to_builtins(load), "lines": rows}, rows, _COLUMNS, output, name="what"
    )
    if output in {Format.TABLE, Format.WIDE}:
        print_lines("", f"Costs: {costs.source}. A plan is a beginning: measure it on your machines with your load.")
    for row in rows:
        if row["warning"]:
            note(f"{row['what']}: {row['warning']}")


def _costs_of(path: Path) -> "Costs":
    import json

    from cli.capacity.costs import with_figures

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        figures = {str(name): float(value) for name, value in document["figures"].items()}
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.", param_hint="--from-bench") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise typer.BadParameter(
            f"{path} is no file that `python -m bench --json FILE` has written.", param_hint="--from-bench"
        ) from error
    return with_figures(figures, str(path))
