"""What `decide` gives back."""

from typing import NamedTuple

from schemas.effects import Effect
from schemas.history import Reason
from schemas.statuses import Disposition
from state.batch import Batch


class Decision(NamedTuple):
    """The result of one event on one batch."""

    batch: Batch | None
    """The batch afterwards: a new value where anything of it changed, the one given where nothing did."""
    effects: tuple[Effect, ...]
    """In the order in which they are published."""
    disposition: Disposition
    reason: Reason
