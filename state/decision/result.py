"""The result of `decide`."""

from typing import NamedTuple

from schemas.internal.effects import Effect
from schemas.internal.enums import Disposition
from schemas.internal.history import Reason
from state.batch import Batch


class Decision(NamedTuple):
    """The result of one event on one batch."""

    batch: Batch | None
    """The batch after the event: a new value where anything changed, otherwise the very object that was given."""
    effects: tuple[Effect, ...]
    """Effects to publish, in this order."""
    disposition: Disposition
    reason: Reason
