"""What `decide` gives back."""

from typing import NamedTuple

from schemas.internal.effects import Effect
from schemas.internal.enums import Disposition
from schemas.internal.history import Reason
from state.batch import Batch


class Decision(NamedTuple):
    """The result of one event on one batch."""

    batch: Batch | None
    """The batch afterwards: a new value where anything of it changed, the one given where nothing did."""
    effects: tuple[Effect, ...]
    """In the order in which they are published."""
    disposition: Disposition
    reason: Reason
