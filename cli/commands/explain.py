"""`bos explain CODE`: the page about an error code, without a network."""

from difflib import get_close_matches
from typing import Annotated

import typer

from cli.exit_codes import NOT_FOUND
from cli.output import note, print_lines
from runtime.error_pages import error_page
from schemas.errors import CODE_PREFIX, Code


def explain(code: Annotated[str, typer.Argument(help=f"An error code, such as {Code.NOT_READY}.")]) -> None:
    """Print the cause of an error code, and what to do about it.

    Example: bos explain ORC-NOT-READY
    """
    wanted = code.strip().upper()
    wanted = wanted if wanted.startswith(CODE_PREFIX) else CODE_PREFIX + wanted
    page = error_page(wanted)
    if page is None:
        close = get_close_matches(wanted, [str(each) for each in Code], n=3, cutoff=0.5)
        note(f"There is no error code {wanted}." + (f" Did you mean {' or '.join(close)}?" if close else ""))
        raise typer.Exit(NOT_FOUND)
    print_lines(*page.strip().split("\n"))
