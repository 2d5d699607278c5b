"""`python -m bench compare A.json B.json`: two runs side by side, and which ratios have changed."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

WITHIN = 0.10
"""By how much a figure that holds may differ between two runs, as a share."""


class Difference(NamedTuple):
    """One figure in two runs."""

    name: str
    first: float
    second: float
    holds: bool

    @property
    def ratio(self) -> float | None:
        """The second over the first; None where the first is 0."""
        return self.second / self.first if self.first else None

    @property
    def within(self) -> bool:
        """Whether they differ by no more than `WITHIN`."""
        return abs(self.second - self.first) <= WITHIN * abs(self.first)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Return every figure that both documents have. Raises `ValueError` for a document of another kind."""
    try:
        names, held = first["figures"], set(first["holds"])
        others = second["figures"]
    except (KeyError, TypeError) as error:
        raise ValueError("this is no file that `python -m bench --json FILE` has written") from error
    return [Difference(name, names[name], others[name], name in held) for name in names if name in others]


def difference_table(differences: Sequence[Difference]) -> Table:
    """Return the table of a comparison."""
    table = Table(title=f"Second run over first; ratios and amounts should hold within {WITHIN:.0%}")
    for heading in ("figure", "first", "second", "second/first", ""):
        table.add_column(heading, justify="left" if heading in ("figure", "") else "right")
    for each in differences:
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        verdict = ("holds" if each.within else "CHANGED") if each.holds else ""
        table.add_row(each.name, f"{each.first:,.4g}", f"{each.second:,.4g}", ratio, verdict)
    return table


def main(arguments: Sequence[str], console: Console) -> int:
    """Print a comparison. Returns 1 where a figure that should hold has changed, and 2 for a file of another kind."""
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__.partition("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    given = parser.parse_args(arguments)
    try:
        found = compare(*(json.loads(path.read_text()) for path in (given.first, given.second)))
    except (OSError, ValueError) as error:
        console.print(f"The runs cannot be compared: {error}.", markup=False)
        return 2
    console.print(difference_table(found))
    changed = [each.name for each in found if each.holds and not each.within]
    held = sum(each.holds for each in found)
    told = f"changed: {', '.join(changed)}" if changed else "all hold"
    console.print(f"{held} figures should hold; {told}", markup=False)
    return 1 if changed else 0
