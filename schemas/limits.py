"""Sizes, as one ladder: input <= inbox <= state and changelog; a dead letter is an inbox record plus headers."""

from itertools import pairwise

from msgspec import Struct

from schemas.errors import ConfigurationError

MIB = 1_048_576
RECORD_OVERHEAD_BYTES = 1_024
"""What a topic's limit (`max.message.bytes`) counts beside key, value and headers of a record alone in its batch."""
PRODUCER_OVERHEAD_BYTES = 1_024
"""What a producer's limit (`message.max.bytes`) counts beside them: the frames and lengths of its request."""


class Limits(Struct, frozen=True, kw_only=True):
    """Largest sizes in bytes, and the largest batch."""

    essays: int = 5_000
    """Essays of one batch."""
    input_bytes: int = 4 * MIB
    """A record on a topic that the router reads, and an HTTP body."""
    inbox_bytes: int = 6 * MIB
    """A record on the inbox."""
    state_bytes: int = 8 * MIB
    """A batch's stored record, its changelog record, and its status and history records."""
    dead_letter_bytes: int = 8 * MIB
    """A dead letter: an inbox record or an input, and headers."""

    @property
    def json_values(self) -> int:
        """Values in the JSON of one request, brackets included: enough for what an essay can bring, with room."""
        return max(100_000, 20 * self.essays)

    def check(self) -> None:
        """Raise `ConfigurationError` where the ladder is out of order."""
        ladder = [
            ("input_bytes", self.input_bytes),
            ("inbox_bytes", self.inbox_bytes),
            ("state_bytes", self.state_bytes),
        ]
        for (lower, low), (upper, high) in pairwise(ladder):
            if low > high:
                raise ConfigurationError(
                    f"{lower} ({low}) is above {upper} ({high}).",
                    next_step=f"Raise {upper} or lower {lower}: each size must fit into the next one.",
                )
        if self.dead_letter_bytes <= self.inbox_bytes:
            raise ConfigurationError(
                f"dead_letter_bytes ({self.dead_letter_bytes}) is not above inbox_bytes ({self.inbox_bytes}).",
                next_step="Raise dead_letter_bytes: a dead letter is an inbox record plus headers.",
            )
        if self.essays < 1:
            raise ConfigurationError("essays must be at least 1.", next_step="Set a larger limit.")
