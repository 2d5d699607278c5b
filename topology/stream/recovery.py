"""Recoveries of the store that the library refuses."""

from schemas.errors import Code, StateError
from topology.stream.library import InvalidStoreChangelogOffset, StateRecoveryOffsetOutOfRange


def unusable_state(error: StateRecoveryOffsetOutOfRange | InvalidStoreChangelogOffset) -> StateError:
    """Return the error for a state from which the library cannot recover; its own advice would delete state."""
    if isinstance(error, StateRecoveryOffsetOutOfRange):
        return StateError(
            f"Retention has removed inbox records that were never processed. {error}",
            code=Code.STATE_INPUT_LOST,
            next_step=f"Read docs/errors/{Code.STATE_INPUT_LOST}.md: the events that are gone must be sent again.",
        )
    return StateError(
        "The store is ahead of its changelog: the changelog was created anew, or is not read to its end yet.",
        code=Code.STATE_CHANGELOG,
        next_step="Start the process again. If it repeats, and the changelog was created anew on purpose, remove the "
        "state directory.",
    )
