"""Command line options of the simulated peers, which `bos demo` and `bos simulate` share."""

from typing import Annotated, Literal

import typer

Era = Annotated[Literal["seed", "july", "head"], typer.Option(help="Wire format that the peers use.")]
Failed = Annotated[float, typer.Option(min=0, max=1, help="Chance of an essay to fail in a phase.")]
Critical = Annotated[float, typer.Option(min=0, max=1, help="Chance of a phase to fail as a whole.")]
Unaccounted = Annotated[float, typer.Option(min=0, max=1, help="Chance of an essay to be missing in the outcome.")]
Repeats = Annotated[float, typer.Option(min=0, max=1, help="Chance of an event to be sent again.")]
